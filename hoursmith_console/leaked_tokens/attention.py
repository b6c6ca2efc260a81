"""Attention item about leaked tokens that are still active."""

from collections.abc import Iterator

from django.urls import reverse
from django.utils.html import format_html

from hoursmith_console.core.attention import AttentionItem, Tone
from hoursmith_console.leaked_tokens.services import open_reports
from hoursmith_console.workspaces.viewer import Viewer


def leaked_token_attention(viewer: Viewer) -> Iterator[AttentionItem]:
    """Yield one item if reported tokens are neither blocked nor being rotated."""
    if count := open_reports(viewer).count():
        yield AttentionItem(
            tone=Tone.LOST,
            sign="!",
            what=format_html(
                "<strong>{} token{}</strong> {} reported as leaked and {} still active",
                count,
                "" if count == 1 else "s",
                "was" if count == 1 else "were",
                "is" if count == 1 else "are",
            ),
            about="leaked tokens",
            address=reverse("console:leaked_tokens:list"),
        )
