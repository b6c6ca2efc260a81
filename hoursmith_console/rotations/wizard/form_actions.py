"""Actions of the forms on a rotation's page. Each returns a message; a leading "!" marks a warning."""

from django.shortcuts import get_object_or_404
from django.utils import timezone

from hoursmith_console.core.keys import key_from
from hoursmith_console.rotations.actions import (
    confirm_all_targets,
    confirm_target,
    mark_target_unused,
    revoke_old_token,
)
from hoursmith_console.rotations.models import Rotation, RotationKind, RotationTarget
from hoursmith_console.rotations.new_token import choose_new_token
from hoursmith_console.rotations.notices.reminding import remind_owner
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

# Form field with a whole token; it is verified with Hoursmith once and dropped.
TOKEN = "token"  # noqa: S105 – a field name


def revoke(request: ConsoleRequest, rotation: Rotation) -> str:
    """Revoke the old token, or report that it was revoked at Hoursmith."""
    revoke_old_token(rotation=rotation, member=_member(request))
    rotation.refresh_from_db()
    if rotation.is_revocation_reported:
        return f"{rotation.masked_token} is reported as revoked. You are alerted if Hoursmith still accepts it."
    return f"{rotation.masked_token} revoked."


def revoke_undo(request: ConsoleRequest, rotation: Rotation) -> str:
    """Undo the reported revocation."""
    undo_revocation(rotation=rotation, member=_member(request))
    return f"{rotation.masked_token} is not revoked."


def new_token(request: ConsoleRequest, rotation: Rotation) -> str:
    """Set the new token: one pasted whole, or one already verified as the member's."""
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
    return f"hsk_{claim.env}_{claim.prefix} set as the new token."


def new_token_undo(request: ConsoleRequest, rotation: Rotation) -> str:
    """Remove the new token from the rotation."""
    undo_new_token(rotation=rotation, member=_member(request))
    return "New token removed from this rotation."


def confirm_all(request: ConsoleRequest, rotation: Rotation) -> str:
    """Mark all assistants as updated."""
    confirm_all_targets(rotation=rotation, member=_member(request))
    return ""


def confirm_all_undo(request: ConsoleRequest, rotation: Rotation) -> str:
    """Undo that all assistants were marked as updated."""
    undo_all_targets_confirmed(rotation=rotation, member=_member(request))
    return ""


def confirm(request: ConsoleRequest, rotation: Rotation) -> str:
    """Mark one assistant as updated."""
    confirm_target(target=_target(request, rotation), member=_member(request))
    return ""


def mark_unused(request: ConsoleRequest, rotation: Rotation) -> str:
    """Mark one assistant as no longer used."""
    mark_target_unused(target=_target(request, rotation), member=_member(request))
    return ""


def confirm_undo(request: ConsoleRequest, rotation: Rotation) -> str:
    """Undo the mark on one assistant."""
    undo_target(target=_target(request, rotation), member=_member(request))
    return ""


def mark_leaked(request: ConsoleRequest, rotation: Rotation) -> str:
    """Change a planned rotation to a leaked one."""
    start_rotation(
        env=rotation.env,
        prefix=rotation.prefix,
        workspace=rotation.workspace,
        kind=RotationKind.LEAKED,
        actor=_member(request).display_identity,
    )
    return "Rotation changed: revoke the old token first."


def assign(request: ConsoleRequest, rotation: Rotation) -> str:
    """Assign the owner of the token."""
    form = OwnerForm(request.POST, workspace_id=rotation.workspace_id)
    if not form.is_valid():
        return "!Choose the owner."
    assign_owner(rotation=rotation, owner=form.cleaned_data["owner"], actor=_member(request).display_identity)
    return ""


def remind(request: ConsoleRequest, rotation: Rotation) -> str:
    """Remind the owner by email."""
    if remind_owner(rotation=rotation, member=_member(request), now=timezone.now()):
        return f"Reminder to {rotation.owner_name} queued."
    return "!No reminder sent: the owner was already reminded today or has no email address."


def finish(request: ConsoleRequest, rotation: Rotation) -> str:
    """Finish the rotation by hand."""
    finish_rotation(rotation=rotation, actor=_member(request).display_identity)
    return ""


def cancel(request: ConsoleRequest, rotation: Rotation) -> str:
    """Cancel the rotation."""
    cancel_rotation(rotation=rotation, actor=_member(request).display_identity)
    return "Rotation cancelled. Completed steps are kept."


def resume(request: ConsoleRequest, rotation: Rotation) -> str:
    """Resume a cancelled rotation."""
    resume_rotation(rotation=rotation, member=_member(request))
    return "Rotation resumed."


def _member(request: ConsoleRequest) -> Member:
    return request.viewer.member


def _target(request: ConsoleRequest, rotation: Rotation) -> RotationTarget:
    chosen = request.POST.get("target", "")
    return get_object_or_404(rotation.targets.select_related("rotation"), pk=key_from(chosen))
