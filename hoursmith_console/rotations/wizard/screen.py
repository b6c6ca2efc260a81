"""What the wizard shows of one rotation: the rail, the step to do, the evidence, and what the viewer may do."""

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any

from django.conf import settings
from django.db import Error
from django.utils import timezone

from hoursmith_console.rotations.evidence import Evidence, Knock, PlaceEvidence, evidence_of
from hoursmith_console.rotations.models import Kind, Rotation
from hoursmith_console.rotations.new_token import arrivals_of, candidates_of
from hoursmith_console.rotations.permissions import may_assign, may_block, may_drive, may_mint, may_unblock
from hoursmith_console.rotations.state import Step, StepState, current_step, steps_of
from hoursmith_console.rotations.sync import instants_of, quiet_span, rotation_observe
from hoursmith_console.rotations.visible_evidence import in_sight
from hoursmith_console.rotations.wizard.forms import MintForm, OwnerForm
from hoursmith_console.token_issuer import current_authority
from hoursmith_console.token_issuer.minting import mint_form
from hoursmith_console.tokens.labels import TokenCard, token_cards
from hoursmith_console.workspaces.viewer import Viewer
from mcpbridge.audit.writer import AuditUnavailableError
from mcpbridge.models import SeenToken, TokenBlock


@dataclass(frozen=True, slots=True)
class Screen:
    """One rotation as its page shows it."""

    rotation: Rotation
    evidence: Evidence
    steps: Sequence[StepState]
    step: Step | None
    old: TokenCard
    new: TokenCard | None

    @property
    def stamp(self) -> str:
        """Changes when the page as a whole would look different, not only its evidence."""
        return f"{self.rotation.kind}-{'ended' if self.rotation.ended_at else self.step or 'done'}"

    @property
    def places(self) -> Sequence[PlaceEvidence]:
        """The assistants, those that are not done first."""
        return sorted(self.evidence.places, key=lambda each: each.is_settled)

    @property
    def settled_count(self) -> int:
        return sum(each.is_settled for each in self.evidence.places)

    @property
    def knocks(self) -> list[Knock]:
        """The tries with the old token that were turned away since it was revoked."""
        return self.evidence.knocks_after(self.rotation.revoked_at)

    @property
    def is_alive(self) -> bool:
        """Whether the old token still works though it was said to be revoked."""
        return self.evidence.works_after(self.rotation.revoked_at)

    @property
    def quiet_until(self) -> Any:
        """When the old token counts as forgotten, if nothing tries it any more."""
        if self.rotation.revoked_at is None:
            return None
        return max(self.rotation.revoked_at, self.evidence.last_try_at or self.rotation.revoked_at) + quiet_span()


def screen_of(viewer: Viewer, rotation: Rotation) -> Screen:
    """The screen of `rotation` as the bridge has seen it by now."""
    try:
        evidence = rotation_observe(rotation=rotation, now=timezone.now())
    except (AuditUnavailableError, Error):
        # It is moved on at the next look; what was seen can be shown all the same.
        rotation.refresh_from_db()
        evidence = evidence_of([rotation])[rotation.pk]
    kind, instants = Kind(rotation.kind), instants_of(rotation)
    successor = SeenToken(env=rotation.new_env, prefix=rotation.new_prefix)
    cards = token_cards(viewer, [rotation, *([successor] if rotation.new_prefix else [])])
    return Screen(
        rotation=rotation,
        evidence=in_sight(viewer, [rotation], {rotation.pk: evidence})[rotation.pk],
        steps=steps_of(kind, instants),
        step=None if rotation.ended_at else current_step(kind, instants),
        old=cards[rotation.env, rotation.prefix],
        new=cards.get((rotation.new_env, rotation.new_prefix)),
    )


def screen_context(viewer: Viewer, screen: Screen) -> dict[str, Any]:
    """What the wizard's templates need beside the screen itself."""
    rotation, member, authority = screen.rotation, viewer.member, current_authority()
    ours = TokenBlock.objects.filter(org_id=rotation.org_id, lifted_at=None)
    block = ours.filter(env=rotation.env, prefix=rotation.prefix).first()
    may = {
        "drive": may_drive(member, rotation),
        "mint": may_mint(member, rotation),
        "assign": may_assign(member, rotation),
        "block": may_block(member, rotation.owner),
        "unblock": block is not None and may_unblock(member, block),
    }
    context: dict[str, Any] = {
        "screen": screen,
        "rotation": rotation,
        "may": may,
        "does_it_here": authority.can_mint,
        "tokens_url": settings.HOURSMITH_TOKENS_URL,
        # Not “block”: templates keep that name for themselves.
        "held": block,
        "block_key": f"{rotation.env}_{rotation.prefix}",
    }
    if may["assign"]:
        context["owner_form"] = OwnerForm(workspace_id=rotation.workspace_id)
    if not authority.can_mint and rotation.ended_at is None:
        context["arrivals"] = arrivals_of(viewer, rotation) if screen.step is Step.MINT else []
        context["candidates"] = candidates_of(rotation, member) if may["mint"] else []
    is_unused = bool(rotation.new_prefix) and screen.evidence.new_at is None
    if may["mint"] and authority.can_mint and (screen.step is Step.MINT or is_unused):
        context["mint_form"] = MintForm(initial={"name": rotation.token_name or "My assistant", "form": mint_form()})
    return context
