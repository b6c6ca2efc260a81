"""The state machine alone: every kind, every order in which evidence can arrive."""

from dataclasses import replace
from datetime import UTC, datetime, timedelta

import pytest
from hypothesis import given
from hypothesis import strategies as st

from hoursmith_console.rotations.models import Kind
from hoursmith_console.rotations.state import (
    ORDER,
    Instants,
    Progress,
    Step,
    current_step,
    may_become,
    may_revoke_now,
    steps_of,
)

START = datetime(2026, 11, 25, 10, 0, tzinfo=UTC)
FIELDS = {
    Step.REVOKE: "revoked_at",
    Step.MINT: "minted_at",
    Step.UPDATE: "updated_at",
    Step.SEEN: "seen_at",
    Step.SILENT: "silent_at",
}


def after(*steps: Step) -> Instants:
    """The instants of `steps`, a minute apart."""
    return Instants(**{FIELDS[step]: START + timedelta(minutes=number) for number, step in enumerate(steps)})


@pytest.mark.parametrize(
    ("kind", "done", "now"),
    [
        (Kind.LEAKED, [], Step.REVOKE),
        (Kind.LEAKED, [Step.REVOKE], Step.MINT),
        (Kind.LEAKED, [Step.REVOKE, Step.MINT], Step.UPDATE),
        (Kind.LEAKED, [Step.REVOKE, Step.MINT, Step.UPDATE], Step.SEEN),
        (Kind.LEAKED, [Step.REVOKE, Step.SEEN], None),
        (Kind.LEAKED, [Step.MINT], Step.REVOKE),
        (Kind.LEAKED, [Step.MINT, Step.UPDATE, Step.SEEN], Step.REVOKE),
        (Kind.PLANNED, [], Step.MINT),
        (Kind.PLANNED, [Step.MINT], Step.UPDATE),
        (Kind.PLANNED, [Step.MINT, Step.UPDATE], Step.SEEN),
        (Kind.PLANNED, [Step.MINT, Step.SEEN], Step.REVOKE),
        (Kind.PLANNED, [Step.REVOKE], Step.MINT),
        (Kind.PLANNED, [Step.MINT, Step.REVOKE], Step.UPDATE),
        (Kind.PLANNED, [Step.MINT, Step.SEEN, Step.REVOKE], Step.SILENT),
        (Kind.PLANNED, [Step.MINT, Step.SEEN, Step.REVOKE, Step.SILENT], None),
        (Kind.LEAVING, [], Step.REVOKE),
        (Kind.LEAVING, [Step.REVOKE], None),
    ],
)
def test_the_step_to_do_follows_from_what_was_seen(kind: Kind, done: list[Step], now: Step | None) -> None:
    assert current_step(kind, after(*done)) is now


@pytest.mark.parametrize(
    ("kind", "done", "may"),
    [
        (Kind.LEAKED, [], True),
        (Kind.LEAKED, [Step.REVOKE], False),
        (Kind.PLANNED, [], False),
        (Kind.PLANNED, [Step.MINT, Step.UPDATE], False),
        (Kind.PLANNED, [Step.MINT, Step.SEEN], True),
        (Kind.PLANNED, [Step.MINT, Step.SEEN, Step.REVOKE], False),
        (Kind.LEAVING, [], True),
    ],
)
def test_revoking_breaks_no_promise_of_its_kind(kind: Kind, done: list[Step], may: bool) -> None:
    assert may_revoke_now(kind, after(*done)) is may


def test_only_a_planned_rotation_becomes_another() -> None:
    changes = {(kind, other) for kind in Kind for other in Kind if may_become(kind, other)}
    assert changes == {(Kind.PLANNED, Kind.LEAKED), (Kind.PLANNED, Kind.LEAVING)}


kinds = st.sampled_from(list(Kind))
orders = st.permutations(list(Step)).flatmap(lambda steps: st.integers(0, len(steps)).map(lambda n: steps[:n]))


@given(kinds, orders)
def test_whatever_the_order_of_the_evidence_nothing_goes_backwards(kind: Kind, evidence: list[Step]) -> None:
    instants, reached = Instants(), 0
    for number, step in enumerate(evidence):
        before = {each.step for each in steps_of(kind, instants) if each.progress is Progress.DONE}
        instants = replace(instants, **{FIELDS[step]: START + timedelta(minutes=number)})
        states = steps_of(kind, instants)
        assert before <= {each.step for each in states if each.progress is Progress.DONE}
        now = next((each.number for each in states if each.progress is Progress.NOW), len(states) + 1)
        assert now >= reached
        reached = now


@given(kinds, orders)
def test_there_is_one_step_to_do_until_all_are_done(kind: Kind, evidence: list[Step]) -> None:
    states = steps_of(kind, after(*evidence))
    assert [each.step for each in states] == list(ORDER[kind])
    assert [each.number for each in states] == list(range(1, len(states) + 1))
    waiting = [each for each in states if each.progress is not Progress.DONE]
    assert [each.progress for each in waiting] == [Progress.NOW, *[Progress.LATER] * (len(waiting) - 1)][: len(waiting)]
    assert all((each.at is not None) is (each.progress is Progress.DONE) for each in states)


@given(orders)
def test_a_planned_rotation_never_offers_to_revoke_before_the_new_token_was_seen(evidence: list[Step]) -> None:
    instants = after(*evidence)
    offers = current_step(Kind.PLANNED, instants) is Step.REVOKE or may_revoke_now(Kind.PLANNED, instants)
    assert not offers or instants.seen_at is not None
