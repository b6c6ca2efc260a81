"""What waits for a person, as a card of the overview."""

from collections.abc import Iterator

from django.urls import reverse
from django.utils.html import format_html

from hoursmith_console.approvals.queries import waiting
from hoursmith_console.core.alerts import Alert, Tone
from hoursmith_console.workspaces.viewer import Viewer

# More are not counted out.
MOST_COUNTED = 99


def waiting_approvals(viewer: Viewer) -> Iterator[Alert]:
    """Destructive calls that wait for an Owner or Admin."""
    if not viewer.member.administers:
        return
    if count := waiting(viewer).order_by()[: MOST_COUNTED + 1].count():
        yield Alert(
            tone=Tone.LOST,
            sign="?",
            what=format_html(
                "<strong>{} call{} that destroy{}</strong> wait{} for you",
                f"{MOST_COUNTED}+" if count > MOST_COUNTED else count,
                "" if count == 1 else "s",
                "s" if count == 1 else "",
                "s" if count == 1 else "",
            ),
            second="An assistant wants to delete or archive something, and the workspace wants a person asked first.",
            action="Decide",
            about="what waits",
            address=reverse("console:approvals:list"),
        )
