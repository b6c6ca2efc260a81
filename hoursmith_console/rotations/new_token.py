"""Choose the new token of a rotation when its owner created it at Hoursmith.

Only a token that its owner has verified (`tokens.claims.services.verify_and_claim`) can be chosen; a typed prefix
cannot.
"""

from collections.abc import Sequence
from dataclasses import dataclass

from django.db import transaction
from django.db.models import Exists, OuterRef, Q

from hoursmith_console.rotations.actions import set_new_token, workspace_tokens
from hoursmith_console.rotations.models import NewTokenEvidence, Rotation, RotationOutcome, RotationQuerySet
from hoursmith_console.rotations.permissions import can_mint_new_token
from hoursmith_console.rotations.services import RotationError, clear_new_token, lock_rotation, record_rotation_event
from hoursmith_console.tokens.models import TokenClaim
from hoursmith_console.tokens.querysets import visible_tokens
from hoursmith_console.workspaces.models import Member
from hoursmith_console.workspaces.viewer import Viewer
from mcpbridge.audit.console_events import TokenNamed
from mcpbridge.models import ObservedToken, TokenRef

MOST_OFFERED = 3


@dataclass(frozen=True, slots=True)
class Candidate:
    """A token of the owner that may be the new one. `seen` is its row if it was used already."""

    claim: TokenClaim
    seen: ObservedToken | None


def choose_new_token(*, rotation: Rotation, member: Member, claim: TokenClaim) -> None:
    """Set the token of `claim` as the new token, replacing the current one if any.

    Raises RotationError if `member` does not own the old token, or the token cannot be the new one; then nothing
    changed.
    """
    with transaction.atomic():
        rotation = lock_rotation(rotation)
        if not can_mint_new_token(member, rotation):
            raise RotationError("Only the owner of the old token can choose the new one.")
        ref = TokenRef(claim.env, claim.prefix)
        if ref == rotation.new_ref:
            return
        if problem := _problem(rotation, member, ref):
            raise RotationError(problem)
        before = rotation.new_ref
        clear_new_token(rotation)
        set_new_token(rotation, ref, NewTokenEvidence.VERIFIED)
        details = {"instead_of": TokenNamed(*before)} if before is not None else {}
        record_rotation_event(rotation, "successor", actor=member.display_identity, details=details)


def new_token_candidates(rotation: Rotation, member: Member) -> Sequence[Candidate]:
    """Return the member's tokens that were verified or first used since the rotation was requested, newest first."""
    claims = TokenClaim.objects.filter(member=member).order_by("-claimed_at", "-pk")
    fresh = workspace_tokens(rotation).filter(first_used_at__gte=rotation.requested_at)
    seen_since = Exists(fresh.filter(env=OuterRef("env"), prefix=OuterRef("prefix")))
    found: list[Candidate] = []
    for claim in claims.filter(Q(claimed_at__gte=rotation.requested_at) | Q(seen_since))[: 5 * MOST_OFFERED]:
        ref = TokenRef(claim.env, claim.prefix)
        if len(found) < MOST_OFFERED and ref != rotation.new_ref and not _problem(rotation, member, ref):
            found.append(Candidate(claim, fresh.filter(env=claim.env, prefix=claim.prefix).first()))
    return found


def unowned_arrivals(viewer: Viewer, rotation: Rotation) -> list[ObservedToken]:
    """Return visible tokens without a known owner that the rotation's assistants have started to use.

    One of them may be the new token; its owner confirms that by pasting it.
    """
    targets = list(rotation.targets.all())
    connections = [target.connection for target in targets if target.connection]
    names = [target.client_name for target in targets if target.client_name]
    here = Q(clients__connection__in=connections) | Q(clients__name__in=names, role=rotation.role)
    claims = TokenClaim.objects.filter(env=OuterRef("env"), prefix=OuterRef("prefix"))
    found = visible_tokens(viewer).filter(here, first_used_at__gte=rotation.requested_at).exclude(Exists(claims))
    found = found.exclude(env=rotation.env, prefix=rotation.prefix)
    return list(found.order_by("-first_used_at", "-pk").distinct()[:MOST_OFFERED])


def is_taken(rotation: Rotation, ref: TokenRef) -> bool:
    """Return whether another open or completed rotation of the workspace has `ref` as its new token."""
    others = _others(rotation).filter(new_env=ref.env, new_prefix=ref.prefix)
    return others.exclude(outcome=RotationOutcome.CANCELLED).exists()


def _problem(rotation: Rotation, member: Member, ref: TokenRef) -> str:
    """Return why the token `ref` cannot be the new token; empty if it can."""
    if ref == rotation.old_ref:
        return "This is the old token. Paste the new one."
    if not TokenClaim.objects.filter(env=ref.env, prefix=ref.prefix, member=member).exists():
        return "This token is not verified as yours. Paste it once to verify it."
    seen = workspace_tokens(rotation).filter(env=ref.env, prefix=ref.prefix).first()
    if seen is not None and seen.first_used_at < rotation.requested_at:
        return f"{ref} was in use before this rotation started. Create a new token at Hoursmith and paste that one."
    if seen is not None and seen.role != member.role:
        return f"{ref} has the role {seen.role}, but yours is {member.role}. Paste a token of your own."
    if _others(rotation).revoked().filter(env=ref.env, prefix=ref.prefix).exists():
        return f"{ref} was revoked in another rotation. Paste an active token."
    if is_taken(rotation, ref):
        return f"{ref} already replaces another token. Create a separate new token for each old one."
    return ""


def _others(rotation: Rotation) -> RotationQuerySet:
    return Rotation.objects.filter(workspace=rotation.workspace_id).exclude(pk=rotation.pk)
