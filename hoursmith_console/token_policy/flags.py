"""Flags shown beside tokens: overdue, due soon, inactive, over-privileged."""

from collections import defaultdict
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from datetime import datetime

from hoursmith_console.token_policy.evaluation import PolicyStatus, active_refs, age_in_days, policy_status
from hoursmith_console.token_policy.least_privilege import PrivilegeHint
from hoursmith_console.token_policy.models import TokenPolicy
from hoursmith_console.token_policy.services import get_policy
from hoursmith_console.workspaces.models import Workspace
from mcpbridge.models import ObservedToken


@dataclass(frozen=True, slots=True)
class Flag:
    """Label of a flag, its explanation, and the kind that styles it."""

    kind: str
    label: str
    title: str


def token_flags(
    workspace: Workspace, tokens: Sequence[ObservedToken], *, hints: Mapping[int, PrivilegeHint], now: datetime
) -> dict[int, list[Flag]]:
    """Return the flags of each token by primary key, in two queries. `hints` are the privilege hints of `tokens`."""
    policy = get_policy(workspace)
    refs = active_refs(tokens)
    flags: defaultdict[int, list[Flag]] = defaultdict(list)
    for token in tokens:
        if (token.env, token.prefix) not in refs:
            continue
        if (state := policy_status(token, policy, now=now)) is not None:
            flags[token.pk].append(_state_flag(state, token, policy, now))
        if (hint := hints.get(token.pk)) is not None:
            flags[token.pk].append(Flag("privilege", hint.short, hint.headline))
    return flags


def _state_flag(state: PolicyStatus, token: ObservedToken, policy: TokenPolicy, now: datetime) -> Flag:
    age = age_in_days(token, now=now)
    if state is PolicyStatus.IDLE:
        return Flag("idle", "inactive", f"Not used for {policy.max_idle_days} days.")
    if state is PolicyStatus.DUE:
        return Flag("due", "overdue", f"First used {age} days ago; the maximum age is {policy.max_age_days} days.")
    left = (policy.max_age_days or 0) - age
    return Flag(
        "warned", f"due in {left} days", f"Reaches the maximum age of {policy.max_age_days} days in {left} days."
    )
