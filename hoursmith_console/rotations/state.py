"""Compute the steps of a rotation from its instants, without database or clock.

leaked:      revoke → mint → update → verify
planned:     mint → update → verify → revoke → confirm unused
offboarding: revoke
revocation:  revoke

If a member only reported the revocation, every kind ends with "confirm unused". Observed steps cannot be undone;
reported ones can, until the rotation ends.
"""

from collections.abc import Mapping
from dataclasses import dataclass
from datetime import datetime
from enum import StrEnum
from types import MappingProxyType

from hoursmith_console.rotations.models import RotationKind


class Step(StrEnum):
    """One step of a rotation."""

    REVOKE = "revoke"
    MINT = "mint"
    UPDATE = "update"
    VERIFY = "verify"
    CONFIRM_UNUSED = "confirm_unused"

    @property
    def label(self) -> str:
        """Label shown in the progress rail."""
        return _LABELS[self]


class Progress(StrEnum):
    """Status of a step."""

    DONE = "done"
    NOW = "now"
    LATER = "later"


_LABELS = {
    Step.REVOKE: "Revoke old token",
    Step.MINT: "Create new token",
    Step.UPDATE: "Update assistants",
    Step.VERIFY: "Confirm the new token works",
    Step.CONFIRM_UNUSED: "Confirm the old token is unused",
}
ORDER: Mapping[RotationKind, tuple[Step, ...]] = MappingProxyType(
    {
        RotationKind.LEAKED: (Step.REVOKE, Step.MINT, Step.UPDATE, Step.VERIFY),
        RotationKind.PLANNED: (Step.MINT, Step.UPDATE, Step.VERIFY, Step.REVOKE, Step.CONFIRM_UNUSED),
        RotationKind.OFFBOARDING: (Step.REVOKE,),
        RotationKind.REVOCATION: (Step.REVOKE,),
    }
)
# An assistant that uses the new token has it, whatever was marked.
_PROVES = {Step.VERIFY: (Step.MINT, Step.UPDATE)}


@dataclass(frozen=True, slots=True)
class Instants:
    """When each step was completed; None if it was not."""

    revoked_at: datetime | None = None
    minted_at: datetime | None = None
    updated_at: datetime | None = None
    verified_at: datetime | None = None
    confirmed_unused_at: datetime | None = None
    is_revocation_reported: bool = False

    def completed_at(self, step: Step) -> datetime | None:
        """Return when `step` was completed, itself or implied by a later step; None if it was not."""
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
    """One step with its number and status, as the progress rail shows it."""

    number: int
    step: Step
    progress: Progress
    at: datetime | None

    @property
    def label(self) -> str:
        """Label shown in the progress rail."""
        return self.step.label


def step_order(kind: RotationKind, instants: Instants) -> tuple[Step, ...]:
    """Return the steps of this kind; a revocation that was only reported is confirmed last."""
    order = ORDER[kind]
    return (
        (*order, Step.CONFIRM_UNUSED) if instants.is_revocation_reported and Step.CONFIRM_UNUSED not in order else order
    )


def step_states(kind: RotationKind, instants: Instants) -> list[StepState]:
    """Return the steps in order: completed ones, the current one, and later ones."""
    found, is_now_taken = [], False
    for number, step in enumerate(step_order(kind, instants), start=1):
        at = instants.completed_at(step)
        progress = Progress.DONE if at else Progress.LATER if is_now_taken else Progress.NOW
        is_now_taken = is_now_taken or progress is Progress.NOW
        found.append(StepState(number, step, progress, at))
    return found


def current_step(kind: RotationKind, instants: Instants) -> Step | None:
    """Return the step to do now; None if all are done."""
    return next((each.step for each in step_states(kind, instants) if each.progress is Progress.NOW), None)


def can_revoke_now(kind: RotationKind, instants: Instants) -> bool:
    """Return whether the old token may be revoked now: a planned rotation verifies the new one first."""
    if instants.revoked_at is not None:
        return False
    return kind is not RotationKind.PLANNED or instants.verified_at is not None


def can_become(kind: RotationKind, other: RotationKind) -> bool:
    """Return whether an open rotation may change to `other`: only a planned one, to a more urgent kind."""
    return kind is RotationKind.PLANNED and other is not RotationKind.PLANNED
