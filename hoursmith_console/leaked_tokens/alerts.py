"""The alert about tokens that were reported as leaked."""

from collections.abc import Iterator

from django.urls import reverse
from django.utils.html import format_html

from hoursmith_console.core.alerts import Alert, Tone
from hoursmith_console.leaked_tokens.services import open_reports
from hoursmith_console.workspaces.viewer import Viewer


def leak_reports(viewer: Viewer) -> Iterator[Alert]:
    """Tokens that somebody reported as leaked, and that still get through."""
    if count := open_reports(viewer).count():
        yield Alert(
            tone=Tone.LOST,
            sign="!",
            what=format_html(
                "<strong>{} token{}</strong> {} reported as leaked, and nobody has contained or rotated {} yet",
                count,
                "" if count == 1 else "s",
                "was" if count == 1 else "were",
                "it" if count == 1 else "them",
            ),
            about="the leak desk",
            address=reverse("console:leaked_tokens:list"),
        )
