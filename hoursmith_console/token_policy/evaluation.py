"""Which tokens a workspace's policy says are too old, soon too old, or idle. Queries alone; nothing is changed.

A token's age counts from its first use here: Hoursmith tells nobody when it was minted.
"""

from collections.abc import Iterable
from dataclasses import dataclass
from datetime import datetime, timedelta
from enum import StrEnum

from django.db.models import Exists, OuterRef, QuerySet

from hoursmith_console.token_policy.models import TokenPolicy
from hoursmith_console.tokens.lifecycle import is_retired, is_rotating
from mcpbridge.models import ObservedToken, RejectedCredential


class PolicyStatus(StrEnum):
    """What the policy says about a token, the most pressing first."""

    DUE = "due"
    IDLE = "idle"
    WARNED = "warned"


def active(tokens: QuerySet[ObservedToken]) -> QuerySet[ObservedToken]:
    """Those of `tokens` that may still open something.

    Left out are those revoked in a rotation of their workspace and not accepted since, and those that Hoursmith has
    refused since they last worked.
    """
    same = {"env": OuterRef("env"), "prefix": OuterRef("prefix")}
    refused = RejectedCredential.objects.filter(
        fault="rejected", matches_token=True, last_at__gt=OuterRef("last_used_at"), **same
    )
    return tokens.exclude(is_retired()).exclude(Exists(refused))


def with_open_rotation(tokens: QuerySet[ObservedToken]) -> QuerySet[ObservedToken]:
    """Those of `tokens` whose rotation is under way."""
    return tokens.filter(is_rotating())


def without_open_rotation(tokens: QuerySet[ObservedToken]) -> QuerySet[ObservedToken]:
    """Those of `tokens` that nobody rotates just now."""
    return tokens.exclude(is_rotating())


def in_status(
    tokens: QuerySet[ObservedToken], state: PolicyStatus, policy: TokenPolicy, *, now: datetime
) -> QuerySet[ObservedToken]:
    """Those of `tokens`, dead ones left out, that are in `state`; none where the policy has no such limit."""
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
    """The same for one token by its instants alone; whether it is still alive is not asked here."""
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
    """How many active tokens are in each state and not yet being rotated."""

    due: int = 0
    idle: int = 0
    warned: int = 0


def count_due(tokens: QuerySet[ObservedToken], policy: TokenPolicy, *, now: datetime) -> DueCounts:
    """The counts for `tokens`; asks the database only about limits that the policy has."""
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
    """For how many whole days the bridge has known the token."""
    return (now - token.first_used_at) // timedelta(days=1)


def due_on(token: ObservedToken, policy: TokenPolicy) -> datetime | None:
    """When the token reaches the greatest age that the policy allows."""
    return token.first_used_at + timedelta(days=policy.max_age_days) if policy.max_age_days else None


def active_keys(tokens: Iterable[ObservedToken]) -> set[tuple[str, str]]:
    """Which of `tokens` are alive, in one query."""
    keys = [token.pk for token in tokens]
    return set(active(ObservedToken.objects.filter(pk__in=keys)).order_by().values_list("env", "prefix"))
