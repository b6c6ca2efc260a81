"""Evaluate the token policy: which tokens are overdue, due soon or inactive. Queries only.

Age is measured from first use here, because Hoursmith does not report creation dates.
"""

from collections.abc import Iterable
from dataclasses import dataclass
from datetime import datetime, timedelta
from enum import StrEnum

from django.db.models import Exists, OuterRef, QuerySet

from hoursmith_console.token_policy.models import TokenPolicy
from hoursmith_console.tokens.lifecycle import is_revoked, is_rotating
from mcpbridge.models import ObservedToken, RejectedCredential, TokenRef


class PolicyStatus(StrEnum):
    """Status of a token under the policy, most urgent first."""

    DUE = "due"
    IDLE = "idle"
    WARNED = "warned"


def active(tokens: QuerySet[ObservedToken]) -> QuerySet[ObservedToken]:
    """Filter: tokens that may still work.

    Excludes tokens revoked by a rotation and not accepted since, and tokens that Hoursmith has rejected since their
    last use.
    """
    same = {"env": OuterRef("env"), "prefix": OuterRef("prefix")}
    refused = RejectedCredential.objects.filter(
        fault="rejected", matches_token=True, last_at__gt=OuterRef("last_used_at"), **same
    )
    return tokens.exclude(is_revoked()).exclude(Exists(refused))


def without_open_rotation(tokens: QuerySet[ObservedToken]) -> QuerySet[ObservedToken]:
    """Filter: tokens without a rotation in progress."""
    return tokens.exclude(is_rotating())


def in_status(
    tokens: QuerySet[ObservedToken], state: PolicyStatus, policy: TokenPolicy, *, now: datetime
) -> QuerySet[ObservedToken]:
    """Filter: active tokens with this status; none if the policy sets no such limit."""
    if state is PolicyStatus.IDLE:
        limit = policy.max_idle_days
        edge = {"last_used_at__lte": now - timedelta(days=limit or 0)}
    else:
        limit = policy.max_age_days
        old = now - timedelta(days=limit or 0)
        edge = {"first_used_at__lte": old}
        if state is PolicyStatus.WARNED:
            edge = {"first_used_at__gt": old, "first_used_at__lte": old + timedelta(days=policy.warn_days)}
    return active(tokens).filter(**edge) if limit else tokens.none()


def policy_status(token: ObservedToken, policy: TokenPolicy, *, now: datetime) -> PolicyStatus | None:
    """Return the status of one token from its dates, without checking that it is active."""
    age, idle = now - token.first_used_at, now - token.last_used_at
    if policy.max_age_days and age >= timedelta(days=policy.max_age_days):
        return PolicyStatus.DUE
    if policy.max_idle_days and idle >= timedelta(days=policy.max_idle_days):
        return PolicyStatus.IDLE
    if policy.max_age_days and age >= timedelta(days=policy.max_age_days - policy.warn_days):
        return PolicyStatus.WARNED
    return None


@dataclass(frozen=True, slots=True)
class DueCounts:
    """Active tokens without a rotation in progress, by status."""

    due: int = 0
    idle: int = 0
    warned: int = 0


def count_due(tokens: QuerySet[ObservedToken], policy: TokenPolicy, *, now: datetime) -> DueCounts:
    """Count `tokens` by status, with one query for each limit of the policy."""
    limits = {
        PolicyStatus.DUE: policy.max_age_days,
        PolicyStatus.WARNED: policy.max_age_days,
        PolicyStatus.IDLE: policy.max_idle_days,
    }
    counts = {
        state.value: without_open_rotation(in_status(tokens.order_by(), state, policy, now=now)).count()
        for state, limit in limits.items()
        if limit
    }
    return DueCounts(**counts)


def age_in_days(token: ObservedToken, *, now: datetime) -> int:
    """Return the whole days since the token's first use."""
    return (now - token.first_used_at) // timedelta(days=1)


def due_on(token: ObservedToken, policy: TokenPolicy) -> datetime | None:
    """Return when the token reaches the maximum age; None without such a limit."""
    return token.first_used_at + timedelta(days=policy.max_age_days) if policy.max_age_days else None


def active_refs(tokens: Iterable[ObservedToken]) -> set[TokenRef]:
    """Return the active ones among `tokens`, in one query."""
    keys = [token.pk for token in tokens]
    rows = active(ObservedToken.objects.filter(pk__in=keys)).order_by().values_list("env", "prefix")
    return {TokenRef(env, prefix) for env, prefix in rows}
