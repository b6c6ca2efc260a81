"""Alerts about tokens that their owner is asked to rotate, or that are older than the policy allows."""

from collections.abc import Iterator
from datetime import timedelta

from django.urls import reverse
from django.utils import timezone
from django.utils.html import format_html

from hoursmith_console.core.alerts import Alert, Tone
from hoursmith_console.rotations.models import Rotation, RotationKind
from hoursmith_console.token_policy.evaluation import PolicyStatus, count_due, in_status, without_open_rotation
from hoursmith_console.token_policy.models import TokenPolicy
from hoursmith_console.token_policy.services import get_policy
from hoursmith_console.tokens.querysets import visible_tokens
from hoursmith_console.workspaces.viewer import Viewer
from mcpbridge.models import ObservedToken

MOST_SHOWN = 5


def own_asks(viewer: Viewer) -> Iterator[Alert]:
    """Rotations that are asked of the viewer; until the next sign-in they can be put off."""
    if viewer.has_snoozed_requests:
        return
    asked = Rotation.objects.filter(owner=viewer.member, ended_at=None).exclude(kind=RotationKind.OFFBOARDING)
    for rotation in asked.order_by("due_on", "pk")[:MOST_SHOWN]:
        yield _ask(rotation)


def _ask(rotation: Rotation) -> Alert:
    today = timezone.now().date()
    is_late = rotation.due_on is not None and rotation.due_on < today
    until = "as soon as you can"
    if rotation.due_on is not None:
        until = f"{'since' if is_late else 'by'} {rotation.due_on:%-d %B %Y}"
    return Alert(
        tone=Tone.LOST if is_late or rotation.kind == RotationKind.LEAKED else Tone.REFUSED,
        sign="↻",
        what=format_html(
            'Your token <strong class="name">{}</strong> {} {}',
            rotation.token_name or "without a name",
            "was to be rotated:" if is_late else "is to be rotated",
            f"overdue {until}" if is_late else until,
        ),
        second=format_html(
            '<code>{}</code> · asked by <span class="name">{}</span>',
            rotation.masked_token,
            rotation.requested_by.partition(" <")[0],
        ),
        action="Go on" if rotation.minted_at or rotation.revoked_at else "Start",
        about=f"rotating {rotation.token_name or rotation.masked_token}",
        address=reverse("console:rotations:detail", args=[rotation.pk]),
        later=reverse("console:rotations:snooze"),
    )


def due_tokens(viewer: Viewer) -> Iterator[Alert]:
    """Tokens that are older, or idle for longer, than the policy allows, and that nobody rotates yet."""
    policy = get_policy(viewer.member.workspace)
    if not (policy.max_age_days or policy.max_idle_days):
        return
    if viewer.member.sees_workspace:
        yield from _due_of_all(viewer, policy)
    else:
        yield from _due_of_mine(viewer, policy)


def _due_of_all(viewer: Viewer, policy: TokenPolicy) -> Iterator[Alert]:
    counts = count_due(visible_tokens(viewer), policy, now=timezone.now())
    told = (
        (counts.due, f"older than {policy.max_age_days} days", f"older_than_days={policy.max_age_days}"),
        (counts.idle, f"unused for {policy.max_idle_days} days", f"idle_days={policy.max_idle_days}"),
    )
    for count, what, limit in told:
        if count:
            yield Alert(
                tone=Tone.REFUSED,
                sign="↻",
                what=format_html(
                    "<strong>{} token{}</strong> {} {}", count, "" if count == 1 else "s", _are(count), what
                ),
                second="The policy of this workspace allows no more.",
                about=f"of tokens {what}",
                action="Ask for rotation",
                address=f"{reverse('console:campaigns:new')}?{limit}",
            )


def _due_of_mine(viewer: Viewer, policy: TokenPolicy) -> Iterator[Alert]:
    now = timezone.now()
    for state in (PolicyStatus.DUE, PolicyStatus.WARNED):
        tokens = without_open_rotation(in_status(visible_tokens(viewer), state, policy, now=now))
        for token in tokens.order_by("first_used_at", "pk")[:MOST_SHOWN]:
            yield _due_card(token, state, policy)


def _due_card(token: ObservedToken, state: PolicyStatus, policy: TokenPolicy) -> Alert:
    limit = token.first_used_at + timedelta(days=policy.max_age_days or 0)
    said = "is older than" if state is PolicyStatus.DUE else f"will on {limit:%-d %B} be older than"
    return Alert(
        tone=Tone.REFUSED,
        sign="↻",
        what=format_html(
            'Your token <strong class="name">{}</strong> {} the {} days that this workspace allows',
            token.token_name or "without a name",
            said,
            policy.max_age_days,
        ),
        second=format_html("<code>{}</code>", token.masked_token),
        about=token.token_name or token.masked_token,
        address=reverse("console:tokens:detail", args=[token.pk]),
    )


def _are(count: int) -> str:
    return "is" if count == 1 else "are"
