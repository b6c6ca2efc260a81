"""Template context of a rotation's page: steps, evidence, and what the viewer may do."""

from collections.abc import Sequence
from dataclasses import dataclass
from datetime import datetime
from typing import Any

from django.conf import settings
from django.db import Error
from django.utils import timezone

from hoursmith_console.rotations.models import Rotation, RotationKind
from hoursmith_console.rotations.new_token import new_token_candidates, unowned_arrivals
from hoursmith_console.rotations.notices.mails import is_mail_configured
from hoursmith_console.rotations.permissions import (
    can_assign_owner,
    can_block,
    can_manage,
    can_mint_new_token,
    can_remind,
    can_unblock,
)
from hoursmith_console.rotations.progress.evidence import Evidence, LateUse, TargetEvidence, evidence_of
from hoursmith_console.rotations.progress.sync import instants_of, quiet_until, sync_rotation
from hoursmith_console.rotations.progress.visible_evidence import visible_evidence
from hoursmith_console.rotations.state import Step, StepState, current_step, step_states
from hoursmith_console.rotations.wizard.forms import MintForm, OwnerForm
from hoursmith_console.token_issuer import current_issuer
from hoursmith_console.token_issuer.minting import new_form_id
from hoursmith_console.tokens.labels import TokenLabel, token_labels
from hoursmith_console.workspaces.viewer import Viewer
from mcpbridge.audit.errors import AuditUnavailableError
from mcpbridge.models import ObservedToken, TokenBlock


@dataclass(frozen=True, slots=True)
class Screen:
    """State of one rotation as its page shows it."""

    rotation: Rotation
    evidence: Evidence
    steps: Sequence[StepState]
    step: Step | None
    old: TokenLabel
    new: TokenLabel | None

    @property
    def stamp(self) -> str:
        """Value that changes when the whole page must be reloaded, not only the polled part."""
        return f"{self.rotation.kind}-{'ended' if self.rotation.ended_at else self.step or 'done'}"

    @property
    def targets(self) -> Sequence[TargetEvidence]:
        """Assistants, those not done first."""
        return sorted(self.evidence.targets, key=lambda each: each.is_done)

    @property
    def done_count(self) -> int:
        return sum(each.is_done for each in self.evidence.targets)

    @property
    def late_uses(self) -> list[LateUse]:
        """Rejected attempts with the old token since its revocation."""
        return self.evidence.late_uses_after(self.rotation.revoked_at)

    @property
    def is_still_accepted(self) -> bool:
        """Whether Hoursmith still accepts the old token after its reported revocation."""
        return self.evidence.is_accepted_after(self.rotation.revoked_at)

    @property
    def quiet_until(self) -> datetime | None:
        """When the old token counts as unused if there are no further attempts."""
        return quiet_until(self.rotation, self.evidence)

    @property
    def is_confirming(self) -> bool:
        """Whether nothing is left to do but to wait until the old token counts as unused."""
        return self.rotation.is_confirming(is_accepted=self.is_still_accepted)


def build_screen(viewer: Viewer, rotation: Rotation) -> Screen:
    """Update `rotation` from observed calls and return its page state."""
    try:
        evidence = sync_rotation(rotation=rotation, now=timezone.now())
    except (AuditUnavailableError, Error):
        # The next sync updates it; the evidence can be shown anyway.
        rotation.refresh_from_db()
        evidence = evidence_of([rotation])[rotation.pk]
    kind, instants = RotationKind(rotation.kind), instants_of(rotation)
    new_token = ObservedToken(env=rotation.new_env, prefix=rotation.new_prefix)
    labels = token_labels(viewer, [rotation, *([new_token] if rotation.new_prefix else [])])
    return Screen(
        rotation=rotation,
        evidence=visible_evidence(viewer, [rotation], {rotation.pk: evidence})[rotation.pk],
        steps=step_states(kind, instants),
        step=None if rotation.ended_at else current_step(kind, instants),
        old=labels[rotation.old_ref],
        new=labels.get(rotation.new_ref) if rotation.new_ref else None,
    )


def screen_context(viewer: Viewer, screen: Screen) -> dict[str, Any]:
    """Return the context of the rotation templates."""
    rotation, member, issuer = screen.rotation, viewer.member, current_issuer()
    ours = TokenBlock.objects.filter(org_id=rotation.org_id, lifted_at=None)
    block = ours.filter(env=rotation.env, prefix=rotation.prefix).first()
    can = {
        "manage": can_manage(member, rotation),
        "mint": can_mint_new_token(member, rotation),
        "assign": can_assign_owner(member, rotation),
        "remind": can_remind(member, rotation) and not screen.is_confirming and is_mail_configured(),
        "block": can_block(member, rotation.owner),
        "unblock": block is not None and can_unblock(member, block),
    }
    context: dict[str, Any] = {
        "screen": screen,
        "rotation": rotation,
        "can": can,
        "supports_minting": issuer.supports_minting,
        "tokens_url": settings.HOURSMITH_TOKENS_URL,
        "token_block": block,
        "token_key": f"{rotation.env}_{rotation.prefix}",
    }
    if can["assign"]:
        context["owner_form"] = OwnerForm(workspace_id=rotation.workspace_id)
    if not issuer.supports_minting and rotation.ended_at is None:
        context["arrivals"] = unowned_arrivals(viewer, rotation) if screen.step is Step.MINT else []
        context["candidates"] = new_token_candidates(rotation, member) if can["mint"] else []
    is_unused = bool(rotation.new_prefix) and screen.evidence.new_at is None
    if can["mint"] and issuer.supports_minting and (screen.step is Step.MINT or is_unused):
        context["mint_form"] = MintForm(initial={"name": rotation.token_name or "My assistant", "form": new_form_id()})
    return context
