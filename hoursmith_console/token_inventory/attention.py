"""Attention items about the member's own tokens that are blocked: their assistants are down."""

from collections.abc import Iterator

from django.urls import reverse
from django.utils.html import format_html

from hoursmith_console.core.attention import AttentionItem, Tone
from hoursmith_console.core.times.rendering import ago
from hoursmith_console.tokens.blocks import own_blocked_tokens
from hoursmith_console.tokens.querysets import visible_tokens
from hoursmith_console.workspaces.viewer import Viewer

MOST_SHOWN = 5


def blocked_token_attention(viewer: Viewer) -> Iterator[AttentionItem]:
    """Yield an item for each blocked token of the member that was used here."""
    blocked = own_blocked_tokens(viewer.member)
    if not blocked:
        return
    used = visible_tokens(viewer).filter(prefix__in=[ref.prefix for ref in blocked]).order_by("-last_used_at", "-pk")
    for token in [token for token in used if token.token_ref in blocked][:MOST_SHOWN]:
        block = blocked[token.token_ref]
        name = token.token_name or "Unnamed token"
        yield AttentionItem(
            tone=Tone.LOST,
            sign="⊘",
            what=format_html(
                'Your token <strong class="name">{}</strong> is blocked. Your assistant is down now', name
            ),
            second=format_html('<span class="name">{}</span> · {}', block.sentence, ago(block.blocked_at)),
            action="View token",
            about=name,
            address=reverse("console:tokens:detail", args=[token.pk]),
        )
