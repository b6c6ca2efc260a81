"""The order in which a token is replaced, from instants alone: no database, no clock, no person.

leaked:  revoke → mint → update → seen working
planned: mint → update → seen working on every connection → revoke → silence of the old
leaving: revoke

Where only a member's word says that the old token is revoked, the silence of the old ends every kind.
What the bridge saw never un-happens; what somebody said can be taken back until the rotation ends.
"""

from collections.abc import Mapping
from dataclasses import dataclass
from datetime import datetime
from enum import StrEnum
from types import MappingProxyType

from hoursmith_console.rotations.models import RotationKind


class Step(StrEnum):
    """One thing to do or to wait for."""

    REVOKE = "revoke"
    MINT = "mint"
    UPDATE = "update"
    VERIFY = "verify"
    CONFIRM_UNUSED = "confirm_unused"

    @property
    def label(self) -> str:
        """As the rail names it."""
        return _LABELS[self]


class Progress(StrEnum):
    """Where a step stands."""

    DONE = "done"
    NOW = "now"
    LATER = "later"


_LABELS = {
    Step.REVOKE: "Revoke the old token",
    Step.MINT: "Make a new token",
    Step.UPDATE: "Update the assistants",
    Step.VERIFY: "See the new one work",
    Step.CONFIRM_UNUSED: "Hear no more of the old",
}
ORDER: Mapping[RotationKind, tuple[Step, ...]] = MappingProxyType(
    {
        RotationKind.LEAKED: (Step.REVOKE, Step.MINT, Step.UPDATE, Step.VERIFY),
        RotationKind.PLANNED: (Step.MINT, Step.UPDATE, Step.VERIFY, Step.REVOKE, Step.CONFIRM_UNUSED),
        RotationKind.OFFBOARDING: (Step.REVOKE,),
    }
)
# Who was seen to use the new token everywhere has it, whatever anybody ticked.
_PROVES = {Step.VERIFY: (Step.MINT, Step.UPDATE)}


@dataclass(frozen=True, slots=True)
class Instants:
    """When each step was seen to be done; None where it was not."""

    revoked_at: datetime | None = None
    minted_at: datetime | None = None
    updated_at: datetime | None = None
    verified_at: datetime | None = None
    confirmed_unused_at: datetime | None = None
    is_revocation_reported: bool = False

    def of(self, step: Step) -> datetime | None:
        """When `step` was done, by itself or because a later one proves it."""
        own: Mapping[Step, datetime | None] = {
            Step.REVOKE: self.revoked_at,
            Step.MINT: self.minted_at,
            Step.UPDATE: self.updated_at,
            Step.VERIFY: self.verified_at,
            Step.CONFIRM_UNUSED: self.confirmed_unused_at,
        }
        proofs = [own[proof] for proof, proven in _PROVES.items() if step in proven]
        return own[step] or next((proof for proof in proofs if proof is not None), None)


@dataclass(frozen=True, slots=True)
class StepState:
    """One step of the rail, with its number there."""

    number: int
    step: Step
    progress: Progress
    at: datetime | None

    @property
    def label(self) -> str:
        """As the rail names it."""
        return self.step.label


def step_order(kind: RotationKind, instants: Instants) -> tuple[Step, ...]:
    """Return the steps of this kind; a revocation that was only said is confirmed last."""
    order = ORDER[kind]
    return (
        (*order, Step.CONFIRM_UNUSED) if instants.is_revocation_reported and Step.CONFIRM_UNUSED not in order else order
    )


def step_states(kind: RotationKind, instants: Instants) -> list[StepState]:
    """The steps in their order: what is done, the first that is not, and what comes later."""
    found, is_now_taken = [], False
    for number, step in enumerate(step_order(kind, instants), start=1):
        at = instants.of(step)
        progress = Progress.DONE if at else Progress.LATER if is_now_taken else Progress.NOW
        is_now_taken = is_now_taken or progress is Progress.NOW
        found.append(StepState(number, step, progress, at))
    return found


def current_step(kind: RotationKind, instants: Instants) -> Step | None:
    """What to do now; None where all is done."""
    return next((each.step for each in step_states(kind, instants) if each.progress is Progress.NOW), None)


def can_revoke_now(kind: RotationKind, instants: Instants) -> bool:
    """Whether revoking breaks nothing that this kind of rotation promises to keep."""
    if instants.revoked_at is not None:
        return False
    return kind is not RotationKind.PLANNED or instants.verified_at is not None


def can_become(kind: RotationKind, other: RotationKind) -> bool:
    """Whether a rotation under way may turn into the other kind: only a planned one, into what is more urgent."""
    return kind is RotationKind.PLANNED and other is not RotationKind.PLANNED
