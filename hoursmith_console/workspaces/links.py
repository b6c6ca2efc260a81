"""Links to the pages of members, for those who may open them; each says if the member cannot use the console."""

from django.urls import reverse
from django.utils.html import format_html
from django.utils.safestring import SafeString

from hoursmith_console.workspaces.models import Member
from hoursmith_console.workspaces.viewer import Viewer


def linked_member(viewer: Viewer | None, member: Member | None, name: str, unknown: str) -> SafeString:
    """Return a member's name as a link. `name` is shown instead if it is given, as it was at that time."""
    shown = name or (member.name if member else "")
    if not shown:
        return format_html('<span class="quiet">{}</span>', unknown)
    if viewer and member and (viewer.member.sees_workspace or viewer.member.pk == member.pk):
        return _link(member, shown, member.email)
    return format_html('<span class="name">{}</span>{}', shown, _lost_access(member))


def linked_actor(viewer: Viewer | None, identity: str, unknown: str = "an unknown user") -> SafeString:
    """Return the name in "Ana <ana@example.com>" as a link to the member who still has both."""
    name, _, address = identity.partition(" <")
    if not name:
        return format_html('<span class="quiet">{}</span>', unknown)
    if viewer and address and (member := _members(viewer).get((name, address.removesuffix(">").lower()))):
        return _link(member, name, identity)
    return format_html('<span class="name" title="{}">{}</span>', identity, name)


def _members(viewer: Viewer) -> dict[tuple[str, str], Member]:
    """Return the members that `viewer` sees, by name and address, in one query for each request."""
    if "members_by_identity" not in viewer.cache:
        members = Member.objects.filter(workspace_id=viewer.member.workspace_id).order_by()
        if not viewer.member.sees_workspace:
            members = members.filter(pk=viewer.member.pk)
        viewer.cache["members_by_identity"] = {(each.name, each.email.lower()): each for each in members}
    found: dict[tuple[str, str], Member] = viewer.cache["members_by_identity"]
    return found


def _link(member: Member, text: str, title: str) -> SafeString:
    address = reverse("console:members:detail", args=[member.pk])
    return format_html('<a class="name" href="{}" title="{}">{}</a>{}', address, title, text, _lost_access(member))


def _lost_access(member: Member | None) -> SafeString | str:
    if member is None or not member.lost_access:
        return ""
    return format_html(' <span class="token-state is-blocked">⊘ {}</span>', member.lost_access)
