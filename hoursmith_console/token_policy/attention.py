"""Attention items about tokens that exceed the workspace policy."""

from collections.abc import Iterator
from datetime import timedelta

from django.urls import reverse
from django.utils import timezone
from django.utils.html import format_html

from hoursmith_console.core.attention import AttentionItem, Tone
from hoursmith_console.core.templatetags.counts import count
from hoursmith_console.core.times.rendering import day
from hoursmith_console.token_policy.evaluation import PolicyStatus, count_due, in_status, without_open_rotation
from hoursmith_console.token_policy.models import TokenPolicy
from hoursmith_console.token_policy.services import get_policy
from hoursmith_console.tokens.labels import linked_token
from hoursmith_console.tokens.querysets import visible_tokens
from hoursmith_console.workspaces.viewer import Viewer
from mcpbridge.models import ObservedToken

MOST_SHOWN = 5


def token_policy_attention(viewer: Viewer) -> Iterator[AttentionItem]:
    """Yield items about tokens over the limits without an open rotation: counts for reviewers, else own tokens."""
    policy = get_policy(viewer.member.workspace)
    if not (policy.max_age_days or policy.max_idle_days):
        return
    if viewer.member.sees_workspace:
        yield from _workspace_items(viewer, policy)
    else:
        yield from _own_items(viewer, policy)


def _workspace_items(viewer: Viewer, policy: TokenPolicy) -> Iterator[AttentionItem]:
    counts = count_due(visible_tokens(viewer), policy, now=timezone.now())
    limits = (
        (counts.due, "due", f"older than {policy.max_age_days} days", f"older_than_days={policy.max_age_days}"),
        (counts.idle, "idle", f"unused for {policy.max_idle_days} days", f"idle_days={policy.max_idle_days}"),
    )
    for number, status, what, criteria in limits:
        if number:
            tokens = reverse("console:tokens:list", query={"policy": status, "state": "unrotated"})
            yield AttentionItem(
                tone=Tone.REFUSED,
                sign="↻",
                what=format_html(
                    "<strong>{}</strong> {} {}",
                    count(number, tokens, "token"),
                    "is" if number == 1 else "are",
                    what,
                ),
                second="Exceeds the workspace policy.",
                about=f"of tokens {what}",
                action="Request rotation",
                address=f"{reverse('console:campaigns:new')}?{criteria}",
            )


def _own_items(viewer: Viewer, policy: TokenPolicy) -> Iterator[AttentionItem]:
    now = timezone.now()
    for status in (PolicyStatus.DUE, PolicyStatus.WARNED):
        tokens = without_open_rotation(in_status(visible_tokens(viewer), status, policy, now=now))
        for token in tokens.order_by("first_used_at", "pk")[:MOST_SHOWN]:
            yield _token_item(token, status, policy)


def _token_item(token: ObservedToken, status: PolicyStatus, policy: TokenPolicy) -> AttentionItem:
    limit = token.first_used_at + timedelta(days=policy.max_age_days or 0)
    exceeds = "exceeds" if status is PolicyStatus.DUE else format_html("will exceed on {}", day(limit.date()))
    return AttentionItem(
        tone=Tone.REFUSED,
        sign="↻",
        what=format_html(
            'Your token <strong class="name">{}</strong> {} the maximum age of {} days',
            token.token_name or "Unnamed token",
            exceeds,
            policy.max_age_days,
        ),
        second=linked_token(token),
        about=token.token_name or token.masked_token,
        address=reverse("console:tokens:detail", args=[token.pk]),
    )
