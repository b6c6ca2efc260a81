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

from hoursmith_console.rotations.models import Kind


class Step(StrEnum):
    """One thing to do or to wait for."""

    REVOKE = "revoke"
    MINT = "mint"
    UPDATE = "update"
    SEEN = "seen"
    SILENT = "silent"

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
    Step.SEEN: "See the new one work",
    Step.SILENT: "Hear no more of the old",
}
ORDER: Mapping[Kind, tuple[Step, ...]] = MappingProxyType(
    {
        Kind.LEAKED: (Step.REVOKE, Step.MINT, Step.UPDATE, Step.SEEN),
        Kind.PLANNED: (Step.MINT, Step.UPDATE, Step.SEEN, Step.REVOKE, Step.SILENT),
        Kind.LEAVING: (Step.REVOKE,),
    }
)
# Who was seen to use the new token everywhere has it, whatever anybody ticked.
_PROVES = {Step.SEEN: (Step.MINT, Step.UPDATE)}


@dataclass(frozen=True, slots=True)
class Instants:
    """When each step was seen to be done; None where it was not."""

    revoked_at: datetime | None = None
    minted_at: datetime | None = None
    updated_at: datetime | None = None
    seen_at: datetime | None = None
    silent_at: datetime | None = None
    is_revocation_said: bool = False

    def of(self, step: Step) -> datetime | None:
        """When `step` was done, by itself or because a later one proves it."""
        own: Mapping[Step, datetime | None] = {
            Step.REVOKE: self.revoked_at,
            Step.MINT: self.minted_at,
            Step.UPDATE: self.updated_at,
            Step.SEEN: self.seen_at,
            Step.SILENT: self.silent_at,
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


def order_of(kind: Kind, instants: Instants) -> tuple[Step, ...]:
    """Return the steps of this kind; a revocation that was only said is confirmed last."""
    order = ORDER[kind]
    return (*order, Step.SILENT) if instants.is_revocation_said and Step.SILENT not in order else order


def steps_of(kind: Kind, instants: Instants) -> list[StepState]:
    """The steps in their order: what is done, the first that is not, and what comes later."""
    found, is_now_taken = [], False
    for number, step in enumerate(order_of(kind, instants), start=1):
        at = instants.of(step)
        progress = Progress.DONE if at else Progress.LATER if is_now_taken else Progress.NOW
        is_now_taken = is_now_taken or progress is Progress.NOW
        found.append(StepState(number, step, progress, at))
    return found


def current_step(kind: Kind, instants: Instants) -> Step | None:
    """What to do now; None where all is done."""
    return next((each.step for each in steps_of(kind, instants) if each.progress is Progress.NOW), None)


def may_revoke_now(kind: Kind, instants: Instants) -> bool:
    """Whether revoking breaks nothing that this kind of rotation promises to keep."""
    if instants.revoked_at is not None:
        return False
    return kind is not Kind.PLANNED or instants.seen_at is not None


def may_become(kind: Kind, other: Kind) -> bool:
    """Whether a rotation under way may turn into the other kind: only a planned one, into what is more urgent."""
    return kind is Kind.PLANNED and other is not Kind.PLANNED
