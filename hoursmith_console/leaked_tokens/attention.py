"""Attention item about leaked tokens that are still active."""

from collections.abc import Iterator

from django.urls import reverse
from django.utils.html import format_html
from django.utils.safestring import SafeString

from hoursmith_console.core.attention import AttentionItem, Tone
from hoursmith_console.core.templatetags.counts import count
from hoursmith_console.leaked_tokens.models import LeakReport
from hoursmith_console.leaked_tokens.services import open_reports
from hoursmith_console.workspaces.viewer import Viewer


def leaked_token_attention(viewer: Viewer) -> Iterator[AttentionItem]:
    """Yield one item if reported tokens are neither blocked nor being rotated; a single one is rotated from it."""
    found, address = open_reports(viewer), reverse("console:leaked_tokens:list")
    if number := found.count():
        report = found.first() if number == 1 and not viewer.member.is_auditor else None
        now = f"{reverse('console:rotations:new')}?token={report.env}_{report.prefix}&kind=leaked" if report else ""
        yield AttentionItem(
            tone=Tone.LOST,
            sign="!",
            what=format_html(
                "<strong>{}</strong> {} reported as leaked and {} still active",
                count(number, address, "token"),
                "was" if number == 1 else "were",
                "is" if number == 1 else "are",
            ),
            second=_token(report) if report else "",
            action="Rotate now" if report else "Open",
            about=report.masked_token if report else "leaked tokens",
            address=now or address,
        )


def _token(report: LeakReport) -> SafeString:
    address = f"{reverse('console:leaked_tokens:list')}?t={report.env}_{report.prefix}"
    return format_html('<a href="{}"><code>{}</code></a>', address, report.masked_token)
