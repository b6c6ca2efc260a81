"""Attention item about requests that wait for a decision."""

from collections.abc import Iterator

from django.urls import reverse
from django.utils.html import format_html

from hoursmith_console.approvals.queries import waiting_count
from hoursmith_console.core.attention import AttentionItem, Tone
from hoursmith_console.core.templatetags.counts import count
from hoursmith_console.workspaces.viewer import Viewer


def waiting_approvals(viewer: Viewer) -> Iterator[AttentionItem]:
    """Destructive calls waiting for an Owner or Admin."""
    if not viewer.member.administers:
        return
    address = reverse("console:approvals:list")
    if number := waiting_count(viewer):
        yield AttentionItem(
            tone=Tone.LOST,
            sign="?",
            what=format_html("<strong>{}</strong> waiting for approval", count(number, address, "destructive call")),
            second="An assistant wants to delete or archive a record.",
            action="Review",
            about="pending requests",
            address=address,
        )
