"""Starts and ends rotations. What happens in between is in `stepping` and `observing`; who may is in `rules`.

Each service takes the name of whoever asks, and records it in the same transaction as the change.
"""

from collections.abc import Mapping
from datetime import date
from typing import Any

from django.db import transaction
from django.utils import timezone

from hoursmith_console.rotations.models import Rotation, RotationKind, RotationOutcome
from hoursmith_console.rotations.notices.assistants import refresh_rotation_notice
from hoursmith_console.rotations.state import can_become
from hoursmith_console.rotations.targets import create_targets
from hoursmith_console.token_policy.services import get_policy
from hoursmith_console.tokens.models import TokenClaim
from hoursmith_console.workspaces.models import Member, Workspace
from mcpbridge.audit.console_events import TokenNamed, record_event
from mcpbridge.auth.restrictions.notices import clear_notice
from mcpbridge.models import ObservedToken

REASON_LENGTH = 500


class RotationError(Exception):
    """What was asked does not go with how the rotation stands; the text says why, in words for the person."""


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
    """The rotation of the token: a new one, or the one under way, which whoever asks now joins.

    `campaign` is the `campaigns.Campaign` that asks for it, or None.
    A planned one becomes leaked where that is asked for, never the other way round; an earlier day wins.
    Raises UnknownTokenError where `workspace` has no such token, AuditUnavailableError; then nothing was started.
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
        record_rotation_event(rotation, "start", actor=actor, note=reason, details=_asked(rotation))
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
    record_rotation_event(rotation, action, actor=actor, note=reason, details=_asked(rotation))
    return rotation


def assign_owner(*, rotation: Rotation, owner: Member, actor: str) -> None:
    """Say whose token it is, where no claim shows it: they are to make the successor. Claims nothing of the token."""
    with transaction.atomic():
        held = lock_rotation(rotation)
        if owner.workspace_id != held.workspace_id or (held.owner_id is not None and not held.is_owner_assigned):
            raise RotationError("It is known by now whose token this is.")
        set_owner(held, owner, is_said=True)
        record_rotation_event(held, "assign", actor=actor, details={"owner": owner.display_identity})
    rotation.refresh_from_db()


def set_owner(rotation: Rotation, owner: Member, *, is_said: bool) -> None:
    """Know `rotation`, which the transaction around this holds, as `owner`'s. A successor of somebody else is none."""
    if rotation.owner_id != owner.pk:
        clear_new_token(rotation)
    rotation.owner, rotation.owner_name, rotation.is_owner_assigned = owner, owner.name, is_said
    rotation.save(update_fields=["owner", "owner_name", "is_owner_assigned"])


def clear_new_token(rotation: Rotation) -> None:
    """Know no successor of `rotation` any more, with all that was seen of it; the transaction around this holds it."""
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
    """End the rotation as done because `actor` says so; raises RotationError where the bridge has seen otherwise.

    The old token must have been revoked: a rotation that leaves it alive is abandoned, not done.
    """
    with transaction.atomic():
        rotation = lock_rotation(rotation)
        if rotation.revoked_at is None:
            raise RotationError("The old token still works. Revoke it first, or stop this rotation.")
        if not Rotation.objects.retiring().filter(pk=rotation.pk).exists():
            raise RotationError(
                "Hoursmith accepted the old token after it was said to be revoked, so it still works. Revoke it at "
                "Hoursmith, then take back “I have revoked it” and say it again."
            )
        end_rotation(rotation, RotationOutcome.DONE, actor=actor, note=note)


def cancel_rotation(*, rotation: Rotation, actor: str, note: str = "") -> None:
    """Stop the rotation where it stands; it can be resumed. Raises RotationError where it has ended.

    Nothing that was done is undone. Its successor is free for another rotation.
    """
    with transaction.atomic():
        end_rotation(lock_rotation(rotation), RotationOutcome.CANCELLED, actor=actor, note=note)


def end_rotation(rotation: Rotation, outcome: RotationOutcome, *, actor: str, note: str = "") -> None:
    """End `rotation`, which the transaction around this holds; `actor` is empty where the console saw it done."""
    rotation.ended_at = timezone.now()
    rotation.outcome = outcome
    rotation.ended_by = actor
    rotation.save(update_fields=["ended_at", "outcome", "ended_by"])
    clear_notice(env=rotation.env, prefix=rotation.prefix, org_id=rotation.org_id)
    action = "finish" if outcome is RotationOutcome.DONE else "abandon"
    record_rotation_event(rotation, action, actor=actor, note=note)


def lock_rotation(rotation: Rotation) -> Rotation:
    """`rotation` as it is now, which nobody else changes until this transaction ends; raises RotationError if over."""
    held = Rotation.objects.select_for_update(of=("self",)).select_related("workspace", "owner").get(pk=rotation.pk)
    if held.ended_at is not None:
        raise RotationError("This rotation has ended.")
    return held


def record_rotation_event(
    rotation: Rotation, action: str, *, actor: str, note: str = "", details: Mapping[str, Any] | None = None
) -> None:
    """Record `console.rotation_<action>` about the old token."""
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
    """The old token, and the new one where it is known, each as a detail of its own."""
    named = {"old_token": TokenNamed(rotation.env, rotation.prefix)}
    if rotation.new_prefix:
        named["new_token"] = TokenNamed(rotation.new_env, rotation.new_prefix)
    return named


def latest_rotation(*, env: str, prefix: str, workspace: Workspace) -> Rotation | None:
    """The rotation of the token that is under way, or else the last one; None where there was none."""
    found = Rotation.objects.filter(env=env, prefix=prefix, workspace=workspace)
    return found.filter(ended_at=None).first() or found.first()


def _frozen(token: ObservedToken | None, owner: Member | None) -> dict[str, Any]:
    """What the rotation must still name when the token and its owner are gone."""
    return {
        "owner": owner,
        "owner_name": owner.name if owner else "",
        "token_name": token.token_name if token else "",
        "role": token.role if token else (owner.role if owner else ""),
    }


def _asked(rotation: Rotation) -> dict[str, Any]:
    owner = rotation.owner.display_identity if rotation.owner else ""
    due = rotation.due_on.isoformat() if rotation.due_on else ""
    campaign = rotation.campaign.title if rotation.campaign else ""
    asked = {"kind": str(rotation.kind), "owner": owner, "due_on": due, "campaign": campaign}
    return {name: value for name, value in asked.items() if value}
