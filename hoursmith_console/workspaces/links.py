"""Links to the pages of members, for those who may open them."""

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
        return _link(member.pk, shown, member.email)
    return format_html('<span class="name">{}</span>', shown)


def linked_actor(viewer: Viewer | None, identity: str, unknown: str = "an unknown user") -> SafeString:
    """Return the name in "Ana <ana@example.com>" as a link to the member who still has both."""
    name, _, address = identity.partition(" <")
    if not name:
        return format_html('<span class="quiet">{}</span>', unknown)
    if viewer and address and (pk := _pages(viewer).get((name, address.removesuffix(">").lower()))):
        return _link(pk, name, identity)
    return format_html('<span class="name" title="{}">{}</span>', identity, name)


def _pages(viewer: Viewer) -> dict[tuple[str, str], int]:
    """Return the keys of the members that `viewer` sees, in one query for each request."""
    if "member_pages" not in viewer.cache:
        members = Member.objects.filter(workspace_id=viewer.member.workspace_id).order_by()
        if not viewer.member.sees_workspace:
            members = members.filter(pk=viewer.member.pk)
        rows = members.values_list("name", "email", "pk")
        viewer.cache["member_pages"] = {(name, email.lower()): pk for name, email, pk in rows}
    pages: dict[tuple[str, str], int] = viewer.cache["member_pages"]
    return pages


def _link(pk: int, text: str, title: str) -> SafeString:
    address = reverse("console:members:detail", args=[pk])
    return format_html('<a class="name" href="{}" title="{}">{}</a>', address, title, text)
