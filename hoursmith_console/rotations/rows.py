"""Rotations as rows of a list."""

from collections.abc import Sequence
from dataclasses import dataclass
from datetime import date

from django.utils import timezone

from hoursmith_console.rotations.evidence import Evidence, evidence_of
from hoursmith_console.rotations.models import Rotation, RotationKind
from hoursmith_console.rotations.state import Progress, StepState, step_states
from hoursmith_console.rotations.sync import instants_of
from hoursmith_console.rotations.visible_evidence import visible_evidence
from hoursmith_console.tokens.labels import TokenLabel, token_labels
from hoursmith_console.workspaces.viewer import Viewer


@dataclass(frozen=True, slots=True)
class RotationRow:
    """One rotation as a list shows it."""

    rotation: Rotation
    card: TokenLabel
    steps: Sequence[StepState]
    evidence: Evidence

    @property
    def now(self) -> StepState | None:
        """The step to do; None where it has ended or all is done."""
        if self.rotation.ended_at is not None:
            return None
        return next((each for each in self.steps if each.progress is Progress.NOW), None)

    @property
    def remaining(self) -> int:
        """How many assistants do not have the new token yet."""
        return len(self.evidence.remaining)

    @property
    def late_attempts(self) -> int:
        """How often the old token was turned away since it was revoked."""
        return sum(late_use.attempts for late_use in self.evidence.late_uses_after(self.rotation.revoked_at))

    @property
    def is_still_accepted(self) -> bool:
        """Whether the old token still works though it was said to be revoked."""
        return self.evidence.is_accepted_after(self.rotation.revoked_at)

    @property
    def is_late(self) -> bool:
        due = self.rotation.due_on
        return self.rotation.ended_at is None and due is not None and due < timezone.now().date()

    @property
    def urgency(self) -> tuple[bool, date, float]:
        """What is leaked first, then what is due first, then what was asked for last."""
        is_calm = self.rotation.kind == RotationKind.PLANNED or self.rotation.revoked_at is not None
        return is_calm, self.rotation.due_on or date.max, -self.rotation.requested_at.timestamp()


def rotation_rows(viewer: Viewer, rotations: Sequence[Rotation]) -> list[RotationRow]:
    """A row for each of `rotations`, in a few queries however many there are."""
    evidence, cards = visible_evidence(viewer, rotations, evidence_of(rotations)), token_labels(viewer, rotations)
    return [
        RotationRow(
            rotation=each,
            card=cards[each.env, each.prefix],
            steps=step_states(RotationKind(each.kind), instants_of(each)),
            evidence=evidence[each.pk],
        )
        for each in rotations
    ]
