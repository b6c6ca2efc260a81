"""Start, join, finish and cancel rotations. Steps in between are in `actions` and `sync`, rules in `permissions`.

Each service takes the name of the actor and writes the audit entry in the transaction of the change.
"""

from collections.abc import Mapping
from datetime import date
from typing import Any

from django.db import transaction
from django.utils import timezone

from hoursmith_console.rotations.models import Rotation, RotationKind, RotationOutcome
from hoursmith_console.rotations.notices.assistants import refresh_rotation_notice
from hoursmith_console.rotations.progress.targets import create_targets
from hoursmith_console.rotations.state import can_become
from hoursmith_console.token_policy.services import get_policy
from hoursmith_console.tokens.models import TokenClaim
from hoursmith_console.workspaces.models import Member, Workspace
from mcpbridge.audit.console_events import TokenNamed, record_event
from mcpbridge.auth.restrictions.notices import clear_notice
from mcpbridge.models import ObservedToken

REASON_LENGTH = 500


class RotationError(Exception):
    """The rotation does not allow this now. The text explains why to the user."""


class UnknownTokenError(RotationError):
    """The workspace has no such token."""


def start_rotation(
    *,
    env: str,
    prefix: str,
    workspace: Workspace,
    kind: RotationKind | str,
    actor: str,
    owner: Member | None = None,
    reason: str = "",
    campaign: Any = None,
    due_on: date | None = None,
) -> Rotation:
    """Start the rotation of a token, or join the one in progress, and return it.

    `campaign` is the `campaigns.Campaign` that requests it, or None.
    A planned rotation changes to `kind` if that is more urgent; the earlier due date wins. Raises UnknownTokenError
    if `workspace` has no such token, or AuditUnavailableError; then nothing was started.
    """
    kind = RotationKind(kind)
    with transaction.atomic():
        token = ObservedToken.objects.filter(env=env, prefix=prefix, org_id=workspace.org_id).first()
        claim = TokenClaim.objects.filter(env=env, prefix=prefix, member__workspace=workspace).first()
        if token is None and claim is None:
            raise UnknownTokenError("This workspace has no such token.")
        rotation, is_new = Rotation.objects.get_or_create(
            workspace=workspace,
            env=env,
            prefix=prefix,
            ended_at=None,
            defaults={
                "kind": kind,
                **_frozen(token, owner or (claim.member if claim else None)),
                "reason": reason[:REASON_LENGTH],
                "campaign": campaign,
                "due_on": due_on,
                "requested_by": actor,
            },
        )
        if not is_new:
            return _join(rotation, kind, actor=actor, reason=reason, campaign=campaign, due_on=due_on)
        create_targets(rotation)
        refresh_rotation_notice(rotation, get_policy(workspace))
        record_rotation_event(rotation, "start", actor=actor, note=reason, details=_request_details(rotation))
    return rotation


def _join(
    rotation: Rotation, kind: RotationKind, *, actor: str, reason: str, campaign: Any, due_on: date | None
) -> Rotation:
    rotation = Rotation.objects.select_for_update(of=("self",)).get(pk=rotation.pk)
    before = (rotation.kind, rotation.campaign_id, rotation.due_on)
    if can_become(RotationKind(rotation.kind), kind):
        rotation.kind = kind
    if rotation.campaign is None:
        rotation.campaign = campaign
    if due_on is not None:
        rotation.due_on = min(due_on, rotation.due_on or due_on)
    if (rotation.kind, rotation.campaign_id, rotation.due_on) == before:
        return rotation
    rotation.reason = rotation.reason or reason[:REASON_LENGTH]
    rotation.save(update_fields=["kind", "campaign", "due_on", "reason"])
    refresh_rotation_notice(rotation, get_policy(rotation.workspace))
    action = "start" if rotation.kind == before[0] else "escalate"
    record_rotation_event(rotation, action, actor=actor, note=reason, details=_request_details(rotation))
    return rotation


def assign_owner(*, rotation: Rotation, owner: Member, actor: str) -> None:
    """Assign the member who must create the new token, if no claim verifies the owner. Creates no claim."""
    with transaction.atomic():
        locked = lock_rotation(rotation)
        is_verified = locked.owner_id is not None and not locked.is_owner_assigned
        if owner.workspace_id != locked.workspace_id or is_verified:
            raise RotationError("This token already has a verified owner.")
        set_owner(locked, owner, is_assigned=True)
        record_rotation_event(locked, "assign", actor=actor, details={"owner": owner.display_identity})
    rotation.refresh_from_db()


def set_owner(rotation: Rotation, owner: Member, *, is_assigned: bool) -> None:
    """Set the owner of a locked `rotation`, and clear the new token if the owner changes."""
    if rotation.owner_id != owner.pk:
        clear_new_token(rotation)
    rotation.owner, rotation.owner_name, rotation.is_owner_assigned = owner, owner.name, is_assigned
    rotation.save(update_fields=["owner", "owner_name", "is_owner_assigned"])


def clear_new_token(rotation: Rotation) -> None:
    """Clear the new token of a locked `rotation`, with everything observed of it."""
    rotation.new_env = rotation.new_prefix = rotation.new_token_evidence = ""
    rotation.minted_at = rotation.updated_at = rotation.updated_by = rotation.verified_at = None
    rotation.save(
        update_fields=[
            "new_env",
            "new_prefix",
            "new_token_evidence",
            "minted_at",
            "updated_at",
            "updated_by",
            "verified_at",
        ]
    )
    rotation.targets.update(confirmed_at=None, seen_at=None)


def finish_rotation(*, rotation: Rotation, actor: str, note: str = "") -> None:
    """Finish the rotation by hand. Raises RotationError unless the old token is revoked and no longer accepted."""
    with transaction.atomic():
        rotation = lock_rotation(rotation)
        if rotation.revoked_at is None:
            raise RotationError("The old token still works. Revoke it first, or cancel this rotation.")
        if not Rotation.objects.revoked().filter(pk=rotation.pk).exists():
            raise RotationError(
                "Hoursmith still accepts the old token. Revoke it at Hoursmith, then undo “I have revoked it” and "
                "confirm it again."
            )
        end_rotation(rotation, RotationOutcome.DONE, actor=actor, note=note)


def cancel_rotation(*, rotation: Rotation, actor: str, note: str = "") -> None:
    """Cancel the rotation; completed steps are kept and it can be resumed. Raises RotationError if it has ended.

    Another rotation may then use its new token.
    """
    with transaction.atomic():
        end_rotation(lock_rotation(rotation), RotationOutcome.CANCELLED, actor=actor, note=note)


def end_rotation(rotation: Rotation, outcome: RotationOutcome, *, actor: str, note: str = "") -> None:
    """End a locked `rotation`; `actor` is empty if it completed automatically."""
    rotation.ended_at = timezone.now()
    rotation.outcome = outcome
    rotation.ended_by = actor
    rotation.save(update_fields=["ended_at", "outcome", "ended_by"])
    clear_notice(env=rotation.env, prefix=rotation.prefix, org_id=rotation.org_id)
    action = "finish" if outcome is RotationOutcome.DONE else "abandon"
    record_rotation_event(rotation, action, actor=actor, note=note)


def lock_rotation(rotation: Rotation) -> Rotation:
    """Lock and return the current row of `rotation` for this transaction. Raises RotationError if it has ended."""
    locked = Rotation.objects.select_for_update(of=("self",)).select_related("workspace", "owner").get(pk=rotation.pk)
    if locked.ended_at is not None:
        raise RotationError("This rotation has ended.")
    return locked


def record_rotation_event(
    rotation: Rotation, action: str, *, actor: str, note: str = "", details: Mapping[str, Any] | None = None
) -> None:
    """Write the audit entry `console.rotation_<action>` about the old token."""
    record_event(
        org_id=rotation.workspace.org_id,
        org_name=rotation.workspace.name,
        action=f"console.rotation_{action}",
        actor=actor,
        target_type="token",
        target_id=rotation.prefix,
        target_label=rotation.token_name or rotation.masked_token,
        token=TokenNamed(rotation.env, rotation.prefix, rotation.token_name),
        details={"rotation": rotation.pk, **_tokens(rotation), **(details or {})},
        note=note,
    )


def _tokens(rotation: Rotation) -> dict[str, TokenNamed]:
    """Return the old token, and the new one if known, as audit details."""
    named = {"old_token": TokenNamed(rotation.env, rotation.prefix)}
    if rotation.new_prefix:
        named["new_token"] = TokenNamed(rotation.new_env, rotation.new_prefix)
    return named


def latest_rotation(*, env: str, prefix: str, workspace: Workspace) -> Rotation | None:
    """Return the open rotation of the token, else the latest one; None if there was none."""
    found = Rotation.objects.filter(env=env, prefix=prefix, workspace=workspace)
    return found.filter(ended_at=None).first() or found.first()


def _frozen(token: ObservedToken | None, owner: Member | None) -> dict[str, Any]:
    """Return the labels that must outlive the token and its owner."""
    return {
        "owner": owner,
        "owner_name": owner.name if owner else "",
        "token_name": token.token_name if token else "",
        "role": token.role if token else (owner.role if owner else ""),
    }


def _request_details(rotation: Rotation) -> dict[str, Any]:
    owner = rotation.owner.display_identity if rotation.owner else ""
    due = rotation.due_on.isoformat() if rotation.due_on else ""
    campaign = rotation.campaign.title if rotation.campaign else ""
    details = {"kind": str(rotation.kind), "owner": owner, "due_on": due, "campaign": campaign}
    return {name: value for name, value in details.items() if value}
