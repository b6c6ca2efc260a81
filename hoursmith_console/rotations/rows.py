"""Rows of rotation lists."""

from collections.abc import Sequence
from dataclasses import dataclass
from datetime import date, datetime

from django.utils import timezone

from hoursmith_console.rotations.models import Rotation, RotationKind
from hoursmith_console.rotations.progress.evidence import Evidence, evidence_of
from hoursmith_console.rotations.progress.sync import instants_of, quiet_until
from hoursmith_console.rotations.progress.visible_evidence import visible_evidence
from hoursmith_console.rotations.state import Progress, StepState, step_states
from hoursmith_console.tokens.labels import TokenLabel, token_labels
from hoursmith_console.workspaces.viewer import Viewer


@dataclass(frozen=True, slots=True)
class RotationRow:
    """One rotation in a list."""

    rotation: Rotation
    card: TokenLabel
    steps: Sequence[StepState]
    evidence: Evidence

    @property
    def now(self) -> StepState | None:
        """Current step; None if the rotation has ended or all steps are done."""
        if self.rotation.ended_at is not None:
            return None
        return next((each for each in self.steps if each.progress is Progress.NOW), None)

    @property
    def remaining(self) -> int:
        """Number of assistants without the new token."""
        return len(self.evidence.remaining)

    @property
    def late_attempts(self) -> int:
        """Rejected attempts with the old token since its revocation."""
        return sum(late_use.attempts for late_use in self.evidence.late_uses_after(self.rotation.revoked_at))

    @property
    def is_still_accepted(self) -> bool:
        """Whether Hoursmith still accepts the old token after its reported revocation."""
        return self.evidence.is_accepted_after(self.rotation.revoked_at)

    @property
    def is_confirming(self) -> bool:
        """Whether nothing is left to do but to wait until the old token counts as unused."""
        return self.rotation.is_confirming(is_accepted=self.is_still_accepted)

    @property
    def needs_action(self) -> bool:
        """Whether someone has something to do."""
        return self.rotation.ended_at is None and not self.is_confirming

    @property
    def quiet_until(self) -> datetime | None:
        """When the old token counts as unused if there are no further attempts."""
        return quiet_until(self.rotation, self.evidence)

    @property
    def is_overdue(self) -> bool:
        due = self.rotation.due_on
        return self.needs_action and due is not None and due < timezone.now().date()

    @property
    def urgency(self) -> tuple[bool, date, float]:
        """Sort key: leaked first, then by due date, then newest request first."""
        is_planned = self.rotation.kind in (RotationKind.PLANNED, RotationKind.REVOCATION)
        is_calm = is_planned or self.rotation.revoked_at is not None
        return is_calm, self.rotation.due_on or date.max, -self.rotation.requested_at.timestamp()


def rotation_rows(viewer: Viewer, rotations: Sequence[Rotation]) -> list[RotationRow]:
    """Return a row for each of `rotations`, in a constant number of queries."""
    evidence, labels = visible_evidence(viewer, rotations, evidence_of(rotations)), token_labels(viewer, rotations)
    return [
        RotationRow(
            rotation=each,
            card=labels[each.old_ref],
            steps=step_states(RotationKind(each.kind), instants_of(each)),
            evidence=evidence[each.pk],
        )
        for each in rotations
    ]
