"""What the wizard shows of one rotation: the rail, the step to do, the evidence, and what the viewer may do."""

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any

from django.conf import settings
from django.db import Error
from django.utils import timezone

from hoursmith_console.rotations.evidence import Evidence, LateUse, TargetEvidence, evidence_of
from hoursmith_console.rotations.models import Rotation, RotationKind
from hoursmith_console.rotations.new_token import new_token_candidates, unowned_arrivals
from hoursmith_console.rotations.permissions import (
    can_assign_owner,
    can_block,
    can_manage,
    can_mint_new_token,
    can_unblock,
)
from hoursmith_console.rotations.state import Step, StepState, current_step, step_states
from hoursmith_console.rotations.sync import instants_of, quiet_period, sync_rotation
from hoursmith_console.rotations.visible_evidence import visible_evidence
from hoursmith_console.rotations.wizard.forms import MintForm, OwnerForm
from hoursmith_console.token_issuer import current_issuer
from hoursmith_console.token_issuer.minting import new_form_id
from hoursmith_console.tokens.labels import TokenLabel, token_labels
from hoursmith_console.workspaces.viewer import Viewer
from mcpbridge.audit.errors import AuditUnavailableError
from mcpbridge.models import ObservedToken, TokenBlock


@dataclass(frozen=True, slots=True)
class Screen:
    """One rotation as its page shows it."""

    rotation: Rotation
    evidence: Evidence
    steps: Sequence[StepState]
    step: Step | None
    old: TokenLabel
    new: TokenLabel | None

    @property
    def stamp(self) -> str:
        """Changes when the page as a whole would look different, not only its evidence."""
        return f"{self.rotation.kind}-{'ended' if self.rotation.ended_at else self.step or 'done'}"

    @property
    def targets(self) -> Sequence[TargetEvidence]:
        """The assistants, those that are not done first."""
        return sorted(self.evidence.targets, key=lambda each: each.is_done)

    @property
    def done_count(self) -> int:
        return sum(each.is_done for each in self.evidence.targets)

    @property
    def late_uses(self) -> list[LateUse]:
        """The attempts with the old token that were turned away since it was revoked."""
        return self.evidence.late_uses_after(self.rotation.revoked_at)

    @property
    def is_still_accepted(self) -> bool:
        """Whether the old token still works though it was said to be revoked."""
        return self.evidence.is_accepted_after(self.rotation.revoked_at)

    @property
    def quiet_until(self) -> Any:
        """When the old token counts as forgotten, if nothing attempts it any more."""
        if self.rotation.revoked_at is None:
            return None
        return max(self.rotation.revoked_at, self.evidence.last_attempt_at or self.rotation.revoked_at) + quiet_period()


def build_screen(viewer: Viewer, rotation: Rotation) -> Screen:
    """The screen of `rotation` as the bridge has seen it by now."""
    try:
        evidence = sync_rotation(rotation=rotation, now=timezone.now())
    except (AuditUnavailableError, Error):
        # It is moved on at the next look; what was seen can be shown all the same.
        rotation.refresh_from_db()
        evidence = evidence_of([rotation])[rotation.pk]
    kind, instants = RotationKind(rotation.kind), instants_of(rotation)
    successor = ObservedToken(env=rotation.new_env, prefix=rotation.new_prefix)
    cards = token_labels(viewer, [rotation, *([successor] if rotation.new_prefix else [])])
    return Screen(
        rotation=rotation,
        evidence=visible_evidence(viewer, [rotation], {rotation.pk: evidence})[rotation.pk],
        steps=step_states(kind, instants),
        step=None if rotation.ended_at else current_step(kind, instants),
        old=cards[rotation.env, rotation.prefix],
        new=cards.get((rotation.new_env, rotation.new_prefix)),
    )


def screen_context(viewer: Viewer, screen: Screen) -> dict[str, Any]:
    """What the wizard's templates need beside the screen itself."""
    rotation, member, issuer = screen.rotation, viewer.member, current_issuer()
    ours = TokenBlock.objects.filter(org_id=rotation.org_id, lifted_at=None)
    block = ours.filter(env=rotation.env, prefix=rotation.prefix).first()
    may = {
        "drive": can_manage(member, rotation),
        "mint": can_mint_new_token(member, rotation),
        "assign": can_assign_owner(member, rotation),
        "block": can_block(member, rotation.owner),
        "unblock": block is not None and can_unblock(member, block),
    }
    context: dict[str, Any] = {
        "screen": screen,
        "rotation": rotation,
        "may": may,
        "supports_minting": issuer.supports_minting,
        "tokens_url": settings.HOURSMITH_TOKENS_URL,
        # Not “block”: templates keep that name for themselves.
        "held": block,
        "block_key": f"{rotation.env}_{rotation.prefix}",
    }
    if may["assign"]:
        context["owner_form"] = OwnerForm(workspace_id=rotation.workspace_id)
    if not issuer.supports_minting and rotation.ended_at is None:
        context["arrivals"] = unowned_arrivals(viewer, rotation) if screen.step is Step.MINT else []
        context["candidates"] = new_token_candidates(rotation, member) if may["mint"] else []
    is_unused = bool(rotation.new_prefix) and screen.evidence.new_at is None
    if may["mint"] and issuer.supports_minting and (screen.step is Step.MINT or is_unused):
        context["new_form_id"] = MintForm(
            initial={"name": rotation.token_name or "My assistant", "form": new_form_id()}
        )
    return context
