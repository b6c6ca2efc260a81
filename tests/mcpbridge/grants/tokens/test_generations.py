"""Rotation of refresh envelopes: bursts, lost answers and late processes are fine, a copy of an old one is not."""

from datetime import datetime, timedelta

import pytest
from hypothesis import settings
from hypothesis import strategies as st
from hypothesis.stateful import (
    Bundle,
    RuleBasedStateMachine,
    consumes,
    invariant,
    precondition,
    rule,
    run_state_machine_as_test,
)

from mcpbridge.grants.tokens.generations import GRACE, Step, next_step

NOW = datetime.fromisoformat("2026-12-01T10:00:00+00:00")


@pytest.mark.parametrize(
    ("presented", "seconds", "expected"),
    [
        (5, 0, 5),
        (5, 120, 5),
        (5, 121, 6),
        (5, -60, 5),
        # The clock was set back, or is another machine's.
        (5, -61, 6),
        (4, 0, 5),
        (4, 120, 5),
        (4, 121, None),
        (4, -61, None),
        (3, 0, None),
        (6, 0, None),
        (0, 0, None),
    ],
)
def test_each_case(presented: int, seconds: int, expected: int | None) -> None:
    now = NOW + timedelta(seconds=seconds)
    found = next_step(Step(5, NOW), presented, now=now)
    assert (found and found.generation) == expected
    if found is not None:
        assert found.rotated_at == (now if expected == 6 else NOW)


class Refreshing(RuleBasedStateMachine):
    """Processes of one assistant that share a refresh envelope, some of them late, and a thief who copied one."""

    answers = Bundle("answers")
    copies = Bundle("copies")

    def __init__(self) -> None:
        super().__init__()
        self.now = NOW
        self.step: Step | None = Step(1, NOW)
        # What the assistant keeps, and when each generation was first replaced.
        self.kept = 1
        self.replaced: dict[int, datetime] = {}
        self.was_stolen = self.is_over = False

    def ask(self, generation: int) -> int | None:
        """One refresh; None if the grant is over."""
        if self.step is None:
            return None
        before = self.step
        self.step = next_step(before, generation, now=self.now)
        if self.step is None:
            return None
        if self.step.generation != before.generation:
            assert self.step.generation == before.generation + 1
            assert self.now - before.rotated_at > GRACE
            self.replaced[before.generation] = self.now
        return self.step.generation

    @rule(seconds=st.sampled_from([0, 1, 30, 90, 119, 120, 121, 300, 43_200]))
    def time_passes(self, seconds: int) -> None:
        self.now += timedelta(seconds=seconds)

    @rule(target=answers)
    def a_process_asks(self) -> int:
        """With what the assistant keeps; its answer comes later, or never."""
        is_late = self._is_late(self.kept)
        answer = self.ask(self.kept)
        # All answers to a rotation were lost, and it was not asked again in time: that is what a copy looks like.
        assert (answer is None) == is_late or self.was_stolen or self.is_over
        self.is_over = self.is_over or answer is None
        return answer or 0

    @rule(answer=consumes(answers))
    def an_answer_arrives(self, answer: int) -> None:
        self.kept = max(self.kept, answer)

    @precondition(lambda self: self.step is not None and self.step.generation > 1)
    @rule()
    def a_late_process_asks_with_the_one_before(self) -> None:
        assert self.step is not None
        old = self.step.generation - 1
        if self.now - self.replaced[old] <= GRACE:
            assert self.ask(old) == old + 1
            self.kept = old + 1

    @rule(target=copies)
    def a_copy_is_stolen(self) -> int:
        return self.kept

    @rule(copy=copies)
    def the_copy_is_used(self, copy: int) -> None:
        self.was_stolen = True
        current, is_late = self.step, self._is_late(copy)
        answer = self.ask(copy)
        if current is not None and (is_late or copy < current.generation - 1):
            assert answer is None

    @precondition(lambda self: not self.was_stolen and not self.is_over)
    @rule()
    def the_assistant_is_up_to_date(self) -> None:
        """So that it does not lag behind for longer than a client does that stores what it is given."""
        assert self.step is not None
        self.kept = self.step.generation

    def _is_late(self, generation: int) -> bool:
        return generation in self.replaced and self.now - self.replaced[generation] > GRACE

    @invariant()
    def nothing_goes_back(self) -> None:
        if self.step is not None:
            assert self.step.generation >= len(self.replaced) + 1


def test_any_order_of_them() -> None:
    run_state_machine_as_test(Refreshing, settings=settings(max_examples=50, stateful_step_count=30, deadline=None))
