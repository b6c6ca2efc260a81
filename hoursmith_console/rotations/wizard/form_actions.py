"""What each form of a rotation's page does. Each returns what to tell its sender; "!" begins a warning."""

from django.shortcuts import get_object_or_404

from hoursmith_console.core.keys import key_from
from hoursmith_console.rotations.actions import (
    confirm_all_targets,
    confirm_target,
    mark_target_unused,
    revoke_old_token,
)
from hoursmith_console.rotations.models import Rotation, RotationKind, RotationTarget
from hoursmith_console.rotations.new_token import choose_new_token
from hoursmith_console.rotations.services import assign_owner, cancel_rotation, finish_rotation, start_rotation
from hoursmith_console.rotations.undo import (
    resume_rotation,
    undo_all_targets_confirmed,
    undo_new_token,
    undo_revocation,
    undo_target,
)
from hoursmith_console.rotations.wizard.forms import OwnerForm
from hoursmith_console.token_issuer.claims import ClaimError, verify_and_claim
from hoursmith_console.tokens.models import TokenClaim
from hoursmith_console.workspaces.models import Member
from hoursmith_console.workspaces.viewer import ConsoleRequest
from mcpbridge.core.credential import CredentialError

# The field that holds a whole token: shown to Hoursmith once, and dropped.
TOKEN = "token"  # noqa: S105 – a name of a field


def revoke(request: ConsoleRequest, rotation: Rotation) -> str:
    """Revoke the old token, or say that it was revoked."""
    revoke_old_token(rotation=rotation, member=_member(request))
    rotation.refresh_from_db()
    if rotation.is_revocation_reported:
        return f"You said that {rotation.masked_token} is revoked. The bridge tells you if Hoursmith still accepts it."
    return f"{rotation.masked_token} is revoked."


def revoke_undo(request: ConsoleRequest, rotation: Rotation) -> str:
    """Take back that the old token was revoked."""
    undo_revocation(rotation=rotation, member=_member(request))
    return f"{rotation.masked_token} counts as not revoked."


def successor(request: ConsoleRequest, rotation: Rotation) -> str:
    """Know the new token: one that is shown whole, or one that is known as the sender's own."""
    member, chosen = _member(request), request.POST.get("claim", "")
    if rotation.ended_at is not None:
        return "!This rotation has ended."
    if chosen:
        own = TokenClaim.objects.filter(member=member)
        claim = get_object_or_404(own, pk=key_from(chosen))
    else:
        try:
            claim = verify_and_claim(
                member=member, text=request.POST.get(TOKEN, ""), actor=member.display_identity
            ).claim
        except CredentialError as fault:
            return f"!{fault.explanation}"
        except ClaimError as error:
            return f"!{error}"
    choose_new_token(rotation=rotation, member=member, claim=claim)
    return f"hsk_{claim.env}_{claim.prefix} is the new token."


def successor_undo(request: ConsoleRequest, rotation: Rotation) -> str:
    """Take back which token is the new one."""
    undo_new_token(rotation=rotation, member=_member(request))
    return "This rotation has no new token any more."


def updated(request: ConsoleRequest, rotation: Rotation) -> str:
    """Say that every assistant has the new token."""
    confirm_all_targets(rotation=rotation, member=_member(request))
    return ""


def updated_undo(request: ConsoleRequest, rotation: Rotation) -> str:
    """Take that back."""
    undo_all_targets_confirmed(rotation=rotation, member=_member(request))
    return ""


def tick(request: ConsoleRequest, rotation: Rotation) -> str:
    """Say that one assistant has the new token."""
    confirm_target(target=_target(request, rotation), member=_member(request))
    return ""


def give_up(request: ConsoleRequest, rotation: Rotation) -> str:
    """Say that one assistant is no longer in use."""
    mark_target_unused(target=_target(request, rotation), member=_member(request))
    return ""


def tick_undo(request: ConsoleRequest, rotation: Rotation) -> str:
    """Take back what was said of one assistant."""
    undo_target(target=_target(request, rotation), member=_member(request))
    return ""


def leaked(request: ConsoleRequest, rotation: Rotation) -> str:
    """Turn a planned rotation into that of a leak."""
    start_rotation(
        env=rotation.env,
        prefix=rotation.prefix,
        workspace=rotation.workspace,
        kind=RotationKind.LEAKED,
        actor=_member(request).display_identity,
    )
    return "The order has changed: the old token goes first."


def owner(request: ConsoleRequest, rotation: Rotation) -> str:
    """Say whose token it is."""
    form = OwnerForm(request.POST, workspace_id=rotation.workspace_id)
    if not form.is_valid():
        return "!Choose whose token it is."
    assign_owner(rotation=rotation, owner=form.cleaned_data["owner"], actor=_member(request).display_identity)
    return ""


def finish(request: ConsoleRequest, rotation: Rotation) -> str:
    """Say that nothing has the old token any more."""
    finish_rotation(rotation=rotation, actor=_member(request).display_identity)
    return ""


def abandon(request: ConsoleRequest, rotation: Rotation) -> str:
    """Stop the rotation."""
    cancel_rotation(rotation=rotation, actor=_member(request).display_identity)
    return "The rotation is stopped. What was done stays done."


def resume(request: ConsoleRequest, rotation: Rotation) -> str:
    """Resume the rotation where it was stopped."""
    resume_rotation(rotation=rotation, member=_member(request))
    return "The rotation goes on where it was stopped."


def _member(request: ConsoleRequest) -> Member:
    return request.viewer.member


def _target(request: ConsoleRequest, rotation: Rotation) -> RotationTarget:
    chosen = request.POST.get("place", "")
    return get_object_or_404(rotation.targets.select_related("rotation"), pk=key_from(chosen))
