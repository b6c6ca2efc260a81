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
from mcpbridge.models import ObservedToken

MOST_OFFERED = 3


@dataclass(frozen=True, slots=True)
class Candidate:
    """A token of the owner that may be the successor; `seen` where it was at work already."""

    claim: TokenClaim
    seen: ObservedToken | None


def choose_new_token(*, rotation: Rotation, member: Member, claim: TokenClaim) -> None:
    """Know the token that `claim` shows to be `member`'s as the successor, instead of the one there is, if any.

    Raises RotationError where `member` is not the owner of the old token, or it cannot be the successor; then
    nothing has changed.
    """
    with transaction.atomic():
        rotation = lock_rotation(rotation)
        if not can_mint_new_token(member, rotation):
            raise RotationError("Only the owner of the old token says which one replaces it.")
        key = (claim.env, claim.prefix)
        if key == rotation.new_key:
            return
        if fault := _fault(rotation, member, key):
            raise RotationError(fault)
        before = rotation.new_key
        clear_new_token(rotation)
        set_new_token(rotation, key, NewTokenEvidence.VERIFIED)
        details = {"instead_of": TokenNamed(*before)} if before is not None else {}
        record_rotation_event(rotation, "successor", actor=member.display_identity, details=details)


def new_token_candidates(rotation: Rotation, member: Member) -> Sequence[Candidate]:
    """Return the tokens known as `member`'s that came up since the rotation was asked for, the newest first."""
    claims = TokenClaim.objects.filter(member=member).order_by("-claimed_at", "-pk")
    fresh = workspace_tokens(rotation).filter(first_used_at__gte=rotation.requested_at)
    seen_since = Exists(fresh.filter(env=OuterRef("env"), prefix=OuterRef("prefix")))
    found: list[Candidate] = []
    for claim in claims.filter(Q(claimed_at__gte=rotation.requested_at) | Q(seen_since))[: 5 * MOST_OFFERED]:
        key = (claim.env, claim.prefix)
        if len(found) < MOST_OFFERED and key != rotation.new_key and not _fault(rotation, member, key):
            found.append(Candidate(claim, fresh.filter(env=claim.env, prefix=claim.prefix).first()))
    return found


def unowned_arrivals(viewer: Viewer, rotation: Rotation) -> list[ObservedToken]:
    """Return tokens in the viewer's sight that came up at the rotation's assistants since, and have no known owner.

    They may be the successor; whoever made one says so by showing it.
    """
    targets = list(rotation.targets.all())
    connections = [target.connection for target in targets if target.connection]
    names = [target.client_name for target in targets if target.client_name]
    here = Q(clients__connection__in=connections) | Q(clients__name__in=names, role=rotation.role)
    claims = TokenClaim.objects.filter(env=OuterRef("env"), prefix=OuterRef("prefix"))
    found = visible_tokens(viewer).filter(here, first_used_at__gte=rotation.requested_at).exclude(Exists(claims))
    found = found.exclude(env=rotation.env, prefix=rotation.prefix)
    return list(found.order_by("-first_used_at", "-pk").distinct()[:MOST_OFFERED])


def is_taken(rotation: Rotation, key: tuple[str, str]) -> bool:
    """Whether another rotation of the workspace, under way or done, has the token `key` as its successor."""
    others = _others(rotation).filter(new_env=key[0], new_prefix=key[1])
    return others.exclude(outcome=RotationOutcome.CANCELLED).exists()


def _fault(rotation: Rotation, member: Member, key: tuple[str, str]) -> str:
    """Why `member`'s token `key` cannot be the successor; empty where it can."""
    env, prefix = key
    if key == rotation.old_key:
        return "That is the old token itself. Show the new one."
    if not TokenClaim.objects.filter(env=env, prefix=prefix, member=member).exists():
        return "That token is not known to be yours. Show it here, once."
    seen = workspace_tokens(rotation).filter(env=env, prefix=prefix).first()
    if seen is not None and seen.first_used_at < rotation.requested_at:
        return (
            f"hsk_{env}_{prefix} was in use before this rotation began, so it replaces nothing. Make a new token at "
            "Hoursmith, and show that one."
        )
    if seen is not None and seen.role != member.role:
        return f"hsk_{env}_{prefix} acts as {seen.role}, and you are {member.role}: it cannot be your new token."
    if _others(rotation).retiring().filter(env=env, prefix=prefix).exists():
        return f"hsk_{env}_{prefix} was revoked in another rotation. Show a token that works."
    if is_taken(rotation, key):
        return f"hsk_{env}_{prefix} replaces another token of yours already. Each old token gets a new one of its own."
    return ""


def _others(rotation: Rotation) -> RotationQuerySet:
    return Rotation.objects.filter(workspace=rotation.workspace_id).exclude(pk=rotation.pk)
