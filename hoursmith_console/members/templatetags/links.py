"""Links from anything that names a member, a token or a connection to its page, where the viewer may open it."""

from typing import Any

from django import template
from django.urls import reverse
from django.utils.html import format_html
from django.utils.safestring import SafeString

from hoursmith_console.connections.grants.labels import grant_label, visible_grants
from hoursmith_console.connections.models import Connection
from hoursmith_console.tokens.labels import token_labels
from hoursmith_console.workspaces.links import linked_actor, linked_member
from hoursmith_console.workspaces.models import Member
from hoursmith_console.workspaces.viewer import Viewer
from mcpbridge.models import ObservedToken, TokenRef

register = template.Library()
# Of those that a page can name.
MOST_GRANTS = 1_000


@register.simple_tag(takes_context=True)
def person(context: template.Context, member: Member | None, name: str = "", unknown: str = "unknown") -> SafeString:
    """A member's name, or the `name` that they had, as a link to their page."""
    return linked_member(_viewer(context), member, name, unknown)


@register.simple_tag(takes_context=True)
def actor(context: template.Context, identity: str, unknown: str = "an unknown user") -> SafeString:
    """The name in "Ana <ana@example.com>", as a link to the member's page."""
    return linked_actor(_viewer(context), identity, unknown)


@register.simple_tag(takes_context=True, name="token")
def linked_token(context: template.Context, env: str, prefix: str) -> SafeString:
    """A masked token, as a link to its page. For one token; rows of a list have their labels already."""
    viewer, ref = _viewer(context), TokenRef(env, prefix)
    masked = f"hsk_{env}_{prefix}_••••"
    if viewer:
        known = viewer.cache.setdefault("token_pages", {})
        if ref not in known:
            known[ref] = token_labels(viewer, [ObservedToken(env=env, prefix=prefix)])[ref].page
        if known[ref] is not None:
            address = reverse("console:tokens:detail", args=[known[ref]])
            return format_html('<a href="{}"><code>{}</code></a>', address, masked)
    return format_html("<code>{}</code>", masked)


@register.simple_tag(takes_context=True)
def connection(context: template.Context, slug: str) -> SafeString:
    """A connection's name as a link to its page; its id where the viewer may not open it."""
    viewer = _viewer(context)
    if viewer:
        if "connections" not in viewer.cache:
            viewer.cache["connections"] = dict(
                Connection.objects.visible_to(viewer).order_by().values_list("slug", "label")
            )
        if label := viewer.cache["connections"].get(slug):
            address = reverse("console:connections:detail", args=[slug])
            return format_html('<a class="name" href="{}" title="{}">{}</a>', address, slug, label)
        if "grants" not in viewer.cache:
            newest = visible_grants(viewer).order_by("-created_at", "-pk")[:MOST_GRANTS]
            viewer.cache["grants"] = {row.connection: row for row in reversed(newest)}
        if grant := viewer.cache["grants"].get(slug):
            address = reverse("console:connections:grant", args=[grant.pk])
            return format_html('<a class="name" href="{}" title="{}">{}</a>', address, slug, grant_label(grant))
    return format_html("<code>{}</code>", slug)


def _viewer(context: template.Context) -> Viewer | None:
    request: Any = getattr(context, "request", None)
    return getattr(request, "viewer", None) or None
