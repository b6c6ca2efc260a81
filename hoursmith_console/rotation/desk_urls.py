"""Addresses below `/rotations/` that are about many tokens at once."""

from django.urls import URLPattern, URLResolver, include, path
from django.views.decorators.http import require_http_methods, require_POST

from hoursmith_console.rotation import ask_views, leak_views, policy_views
from hoursmith_console.rotation.pages import after_asking_again, for_members, for_reviewers

_form = require_http_methods(["GET", "HEAD", "POST"])

leaks: list[URLPattern] = [
    path("", for_members(_form(leak_views.desk)), name="report"),
    path("contain/", for_members(require_POST(after_asking_again(leak_views.contain))), name="contain"),
    path("rotate/", for_members(require_POST(after_asking_again(leak_views.rotate))), name="rotate"),
    path("<int:key>/settle/", for_reviewers(require_POST(leak_views.settle)), name="settle"),
]
policy: list[URLPattern] = [path("", for_reviewers(_form(policy_views.policy)), name="change")]
asks: list[URLPattern] = [path("later/", for_members(require_POST(ask_views.later)), name="later")]

urlpatterns: list[URLPattern | URLResolver] = [
    path("leaks/", include((leaks, "leaks"))),
    path("asks/", include((asks, "asks"))),
    path("policy/", include((policy, "policy"))),
]
