"""The state machine alone: every kind, every order in which evidence can arrive."""

from dataclasses import replace
from datetime import UTC, datetime, timedelta

import pytest
from hypothesis import given
from hypothesis import strategies as st

from hoursmith_console.rotations.models import RotationKind
from hoursmith_console.rotations.state import (
    ORDER,
    Instants,
    Progress,
    Step,
    can_become,
    can_revoke_now,
    current_step,
    step_states,
)

START = datetime(2026, 11, 25, 10, 0, tzinfo=UTC)
FIELDS = {
    Step.REVOKE: "revoked_at",
    Step.MINT: "minted_at",
    Step.UPDATE: "updated_at",
    Step.VERIFY: "verified_at",
    Step.CONFIRM_UNUSED: "confirmed_unused_at",
}


def after(*steps: Step) -> Instants:
    """The instants of `steps`, a minute apart."""
    return Instants(**{FIELDS[step]: START + timedelta(minutes=number) for number, step in enumerate(steps)})


@pytest.mark.parametrize(
    ("kind", "done", "now"),
    [
        (RotationKind.LEAKED, [], Step.REVOKE),
        (RotationKind.LEAKED, [Step.REVOKE], Step.MINT),
        (RotationKind.LEAKED, [Step.REVOKE, Step.MINT], Step.UPDATE),
        (RotationKind.LEAKED, [Step.REVOKE, Step.MINT, Step.UPDATE], Step.VERIFY),
        (RotationKind.LEAKED, [Step.REVOKE, Step.VERIFY], None),
        (RotationKind.LEAKED, [Step.MINT], Step.REVOKE),
        (RotationKind.LEAKED, [Step.MINT, Step.UPDATE, Step.VERIFY], Step.REVOKE),
        (RotationKind.PLANNED, [], Step.MINT),
        (RotationKind.PLANNED, [Step.MINT], Step.UPDATE),
        (RotationKind.PLANNED, [Step.MINT, Step.UPDATE], Step.VERIFY),
        (RotationKind.PLANNED, [Step.MINT, Step.VERIFY], Step.REVOKE),
        (RotationKind.PLANNED, [Step.REVOKE], Step.MINT),
        (RotationKind.PLANNED, [Step.MINT, Step.REVOKE], Step.UPDATE),
        (RotationKind.PLANNED, [Step.MINT, Step.VERIFY, Step.REVOKE], Step.CONFIRM_UNUSED),
        (RotationKind.PLANNED, [Step.MINT, Step.VERIFY, Step.REVOKE, Step.CONFIRM_UNUSED], None),
        (RotationKind.OFFBOARDING, [], Step.REVOKE),
        (RotationKind.OFFBOARDING, [Step.REVOKE], None),
    ],
)
def test_the_step_to_do_follows_from_what_was_seen(kind: RotationKind, done: list[Step], now: Step | None) -> None:
    assert current_step(kind, after(*done)) is now


@pytest.mark.parametrize(
    ("kind", "done", "may"),
    [
        (RotationKind.LEAKED, [], True),
        (RotationKind.LEAKED, [Step.REVOKE], False),
        (RotationKind.PLANNED, [], False),
        (RotationKind.PLANNED, [Step.MINT, Step.UPDATE], False),
        (RotationKind.PLANNED, [Step.MINT, Step.VERIFY], True),
        (RotationKind.PLANNED, [Step.MINT, Step.VERIFY, Step.REVOKE], False),
        (RotationKind.OFFBOARDING, [], True),
    ],
)
def test_revoking_breaks_no_promise_of_its_kind(kind: RotationKind, done: list[Step], may: bool) -> None:
    assert can_revoke_now(kind, after(*done)) is may


def test_only_a_planned_rotation_becomes_another() -> None:
    changes = {(kind, other) for kind in RotationKind for other in RotationKind if can_become(kind, other)}
    others = {RotationKind.LEAKED, RotationKind.OFFBOARDING, RotationKind.REVOCATION}
    assert changes == {(RotationKind.PLANNED, other) for other in others}


kinds = st.sampled_from(list(RotationKind))
orders = st.permutations(list(Step)).flatmap(lambda steps: st.integers(0, len(steps)).map(lambda n: steps[:n]))


@given(kinds, orders)
def test_whatever_the_order_of_the_evidence_nothing_goes_backwards(kind: RotationKind, evidence: list[Step]) -> None:
    instants, reached = Instants(), 0
    for number, step in enumerate(evidence):
        before = {each.step for each in step_states(kind, instants) if each.progress is Progress.DONE}
        instants = replace(instants, **{FIELDS[step]: START + timedelta(minutes=number)})
        states = step_states(kind, instants)
        assert before <= {each.step for each in states if each.progress is Progress.DONE}
        now = next((each.number for each in states if each.progress is Progress.NOW), len(states) + 1)
        assert now >= reached
        reached = now


@given(kinds, orders)
def test_there_is_one_step_to_do_until_all_are_done(kind: RotationKind, evidence: list[Step]) -> None:
    states = step_states(kind, after(*evidence))
    assert [each.step for each in states] == list(ORDER[kind])
    assert [each.number for each in states] == list(range(1, len(states) + 1))
    waiting = [each for each in states if each.progress is not Progress.DONE]
    assert [each.progress for each in waiting] == [Progress.NOW, *[Progress.LATER] * (len(waiting) - 1)][: len(waiting)]
    assert all((each.at is not None) is (each.progress is Progress.DONE) for each in states)


@given(orders)
def test_a_planned_rotation_never_offers_to_revoke_before_the_new_token_was_seen(evidence: list[Step]) -> None:
    instants = after(*evidence)
    offers = current_step(RotationKind.PLANNED, instants) is Step.REVOKE or can_revoke_now(
        RotationKind.PLANNED, instants
    )
    assert not offers or instants.verified_at is not None
