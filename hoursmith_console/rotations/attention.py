"""Attention items about rotations that the member must do."""

from collections.abc import Iterator

from django.urls import reverse
from django.utils import timezone
from django.utils.html import format_html
from django.utils.safestring import SafeString

from hoursmith_console.core.attention import AttentionItem, Tone
from hoursmith_console.core.times import rendering
from hoursmith_console.rotations.models import Rotation, RotationKind
from hoursmith_console.tokens.blocks import blocks_of
from hoursmith_console.workspaces.viewer import Viewer

MOST_SHOWN = 5


def requested_rotation_attention(viewer: Viewer) -> Iterator[AttentionItem]:
    """Yield an item for each rotation of the member's own tokens that needs them; they can be snoozed."""
    requested = Rotation.objects.needing_action().filter(owner=viewer.member).exclude(kind=RotationKind.OFFBOARDING)
    found = list(requested.with_contradiction().order_by("due_on", "pk")[:MOST_SHOWN])
    blocks = blocks_of(viewer.org_id, [rotation.old_ref for rotation in found]) if found else {}
    for rotation in found:
        yield _item(rotation, is_blocked=rotation.old_ref in blocks)


def _item(rotation: Rotation, *, is_blocked: bool) -> AttentionItem:
    due_on = rotation.due_on
    is_overdue = due_on is not None and due_on < timezone.now().date()
    name = format_html('<strong class="name">{}</strong>', rotation.token_name or "Unnamed token")
    day = rendering.day(due_on) if due_on is not None else ""
    is_revocation = rotation.kind == RotationKind.REVOCATION
    verb, noun = ("Revoke", "revocation") if is_revocation else ("Rotate", "rotation")
    if rotation.is_contradicted:
        what = format_html("<strong>Hoursmith still accepts</strong> the old token of {}, reported as revoked", name)
    elif is_overdue:
        what = format_html("{} of your token {} overdue since {}", noun.capitalize(), name, day)
    elif day:
        what = format_html("{} your token {} by {}", verb, name, day)
    else:
        what = format_html("{} your token {} as soon as possible", verb, name)
    return AttentionItem(
        tone=Tone.LOST if is_overdue or rotation.kind == RotationKind.LEAKED else Tone.REFUSED,
        sign="↻",
        what=what,
        second=format_html(
            '<a href="{}"><code>{}</code></a>{} · requested by <span class="name">{}</span>',
            reverse("console:rotations:detail", args=[rotation.pk]),
            rotation.masked_token,
            SafeString(' <span class="token-state is-blocked">⊘ blocked</span>') if is_blocked else "",
            rotation.requester,
        ),
        action=f"Continue {noun}" if rotation.minted_at or rotation.revoked_at else f"Start {noun}",
        about=f"of {rotation.token_name or rotation.masked_token}",
        address=reverse("console:rotations:detail", args=[rotation.pk]),
        later=reverse("console:rotations:snooze"),
    )
