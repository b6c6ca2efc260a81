"""Redirects from old page addresses, which mails, bookmarks and saved links may still hold."""

from collections.abc import Mapping
from types import MappingProxyType

from django.urls import URLPattern, path
from django.views.decorators.http import require_safe
from django.views.generic import RedirectView

# Old address (as `path` reads it) → URL name. The query string is kept.
REDIRECTS: Mapping[str, str] = MappingProxyType(
    {
        "rotations/leaks/": "console:leaked_tokens:list",
        "rotations/policy/": "console:token_policy:edit",
        "rotations/leaving/": "console:rotations:offboarding",
        "rotations/leaving/<int:member>/": "console:rotations:offboard",
        "tokens/contain/": "console:tokens:block",
        "connections/<slug:key>/doctor/": "console:connections:troubleshoot",
        "audit/sinks/": "console:audit:destinations",
        "audit/sinks/<int:key>/": "console:audit:destination",
    }
)

urlpatterns: list[URLPattern] = [
    path(old, require_safe(RedirectView.as_view(pattern_name=name, query_string=True, permanent=True)))
    for old, name in REDIRECTS.items()
]
