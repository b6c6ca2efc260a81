"""Which tokens the policy says are due, soon due or idle."""

from datetime import timedelta

import pytest
from django.utils import timezone

from hoursmith_console.rotations.services import start_rotation
from hoursmith_console.token_policy.evaluation import PolicyStatus, active, count_due, in_status, policy_status
from hoursmith_console.token_policy.models import TokenPolicy
from mcpbridge.models import ObservedToken
from tests.hoursmith_console.conftest import Cast
from tests.hoursmith_console.records import make_refusal, make_token

NOW = timezone.now()
LIMITS = TokenPolicy(max_age_days=90, max_idle_days=30, warn_days=14)


def _aged(cast: Cast, prefix: str, days: int, idle: int = 0) -> ObservedToken:
    return make_token(
        cast.org_id,
        prefix * 12,
        first_used_at=NOW - timedelta(days=days),
        last_used_at=NOW - timedelta(days=idle),
    )


@pytest.mark.parametrize(
    ("days", "idle", "state"),
    [
        (75, 0, None),
        (76, 0, PolicyStatus.WARNED),
        (89, 0, PolicyStatus.WARNED),
        (90, 0, PolicyStatus.DUE),
        (500, 0, PolicyStatus.DUE),
        (60, 29, None),
        (60, 30, PolicyStatus.IDLE),
        (80, 30, PolicyStatus.IDLE),
        (500, 30, PolicyStatus.DUE),
    ],
)
def test_a_token_is_in_the_state_that_its_instants_say(
    cast: Cast, days: int, idle: int, state: PolicyStatus | None
) -> None:
    token = _aged(cast, "a", days, idle)
    assert policy_status(token, LIMITS, now=NOW) == state
    found = {
        each
        for each in PolicyStatus
        if in_status(ObservedToken.objects.all(), each, LIMITS, now=NOW).filter(pk=token.pk)
    }
    assert state is None or state in found
    assert state is not None or not found


def test_without_limits_nothing_is_due(cast: Cast) -> None:
    _aged(cast, "a", 5000, 5000)
    for state in PolicyStatus:
        assert not in_status(ObservedToken.objects.all(), state, TokenPolicy(), now=NOW).exists()
    assert count_due(ObservedToken.objects.all(), TokenPolicy(), now=NOW).due == 0


def test_the_dead_are_not_due(cast: Cast) -> None:
    revoked, refused, back, faulty, guessed = (_aged(cast, letter, 100, 5) for letter in "abcde")
    rotation = start_rotation(env="live", prefix=revoked.prefix, workspace=cast.workspace, kind="planned", actor="Ana")
    rotation.revoked_at = NOW
    rotation.save()
    make_refusal(refused, last_at=NOW - timedelta(days=1))
    make_refusal(back, last_at=NOW - timedelta(days=9))
    make_refusal(faulty, fault="malformed", last_at=NOW - timedelta(days=1))
    make_refusal(guessed, matches_token=False, last_at=NOW - timedelta(days=1))
    every = (revoked, refused, back, faulty, guessed)
    alive = active(ObservedToken.objects.filter(prefix__in=[each.prefix for each in every]))
    assert set(alive) == {back, faulty, guessed}


def test_tokens_with_an_open_rotation_are_not_counted(cast: Cast) -> None:
    tokens = ObservedToken.objects.filter(org_id=cast.org_id)
    first, _ = _aged(cast, "a", 100), _aged(cast, "b", 100)
    assert count_due(tokens, LIMITS, now=NOW).due == 2
    start_rotation(env="live", prefix=first.prefix, workspace=cast.workspace, kind="planned", actor="Ana")
    assert count_due(tokens, LIMITS, now=NOW).due == 1
