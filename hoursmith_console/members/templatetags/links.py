"""Links from anything that names a member, a token or a connection to its page, where the viewer may open it."""

from typing import Any

from django import template
from django.urls import reverse
from django.utils.html import format_html
from django.utils.safestring import SafeString

from hoursmith_console.connections.models import Connection
from hoursmith_console.members.queries import visible_members
from hoursmith_console.tokens.labels import token_labels
from hoursmith_console.workspaces.models import Member
from hoursmith_console.workspaces.viewer import Viewer
from mcpbridge.models import ObservedToken, TokenRef

register = template.Library()


@register.simple_tag(takes_context=True)
def person(context: template.Context, member: Member | None, name: str = "", unknown: str = "unknown") -> SafeString:
    """A member's name, as a link to their page. `name` is shown instead where it was frozen; both can be missing."""
    shown = name or (member.name if member else "")
    if not shown:
        return format_html('<span class="quiet">{}</span>', unknown)
    viewer = _viewer(context)
    if viewer and member and (viewer.member.sees_workspace or viewer.member.pk == member.pk):
        return _link(reverse("console:members:detail", args=[member.pk]), shown, member.email)
    return format_html('<span class="name">{}</span>', shown)


@register.simple_tag(takes_context=True)
def actor(context: template.Context, identity: str, unknown: str = "an unknown user") -> SafeString:
    """The name in "Ana <ana@example.com>", as a link to the member who still has both."""
    name, _, address = identity.partition(" <")
    if not name:
        return format_html('<span class="quiet">{}</span>', unknown)
    viewer = _viewer(context)
    if viewer and address:
        if "member_pages" not in viewer.cache:
            rows = visible_members(viewer).order_by().values_list("name", "email", "pk")
            viewer.cache["member_pages"] = {(name, email.lower()): pk for name, email, pk in rows}
        if pk := viewer.cache["member_pages"].get((name, address.removesuffix(">").lower())):
            return _link(reverse("console:members:detail", args=[pk]), name, identity)
    return format_html('<span class="name" title="{}">{}</span>', identity, name)


@register.simple_tag(takes_context=True)
def token(context: template.Context, env: str, prefix: str) -> SafeString:
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
            return _link(reverse("console:connections:detail", args=[slug]), label, slug)
    return format_html("<code>{}</code>", slug)


def _link(address: str, text: str, title: str) -> SafeString:
    return format_html('<a class="name" href="{}" title="{}">{}</a>', address, title, text)


def _viewer(context: template.Context) -> Viewer | None:
    request: Any = getattr(context, "request", None)
    return getattr(request, "viewer", None) or None
