"""Starts and ends rotations. What happens in between is in `stepping` and `observing`; who may is in `rules`.

Each service takes the name of whoever asks, and records it in the same transaction as the change.
"""

from collections import Counter
from collections.abc import Mapping
from datetime import date
from typing import Any

from django.db import transaction
from django.db.models import Q
from django.utils import timezone

from hoursmith_console.rotation.models import Campaign, Ending, Kind, Rotation
from hoursmith_console.rotation.notices.assistants import rotation_notice_refresh
from hoursmith_console.rotation.policy.services import policy_of
from hoursmith_console.rotation.progress.places import places_open
from hoursmith_console.rotation.progress.steps import may_become
from hoursmith_console.tokens.models import TokenClaim
from hoursmith_console.workspaces.models import Member, Workspace
from mcpbridge.events import TokenNamed, event_record
from mcpbridge.models import SeenToken
from mcpbridge.orders.notices import notice_end

REASON_LENGTH = 500


class RotationError(Exception):
    """What was asked does not go with how the rotation stands; the text says why, in words for the person."""


class UnknownTokenError(RotationError):
    """The workspace has no such token."""


def rotation_start(
    *,
    env: str,
    prefix: str,
    workspace: Workspace,
    kind: Kind | str,
    actor: str,
    owner: Member | None = None,
    reason: str = "",
    campaign: Campaign | None = None,
    due_on: date | None = None,
) -> Rotation:
    """The rotation of the token: a new one, or the one under way, which whoever asks now joins.

    A planned one becomes leaked where that is asked for, never the other way round; an earlier day wins.
    Raises UnknownTokenError where `workspace` has no such token, AuditUnavailableError; then nothing was started.
    """
    kind = Kind(kind)
    with transaction.atomic():
        token = SeenToken.objects.filter(env=env, prefix=prefix, org_id=workspace.org_id).first()
        claim = TokenClaim.objects.filter(env=env, prefix=prefix, member__workspace=workspace).first()
        if token is None and claim is None:
            raise UnknownTokenError("This workspace has no such token.")
        rotation, is_new = Rotation.objects.get_or_create(
            env=env,
            prefix=prefix,
            ended_at=None,
            defaults={
                "workspace": workspace,
                "kind": kind,
                **_frozen(token, owner or (claim.member if claim else None)),
                "reason": reason[:REASON_LENGTH],
                "campaign": campaign,
                "due_on": due_on,
                "asked_by": actor,
            },
        )
        if not is_new:
            return _join(rotation, kind, actor=actor, reason=reason, campaign=campaign, due_on=due_on)
        places_open(rotation)
        rotation_notice_refresh(rotation, policy_of(workspace))
        rotation_record(rotation, "start", actor=actor, note=reason, details=_asked(rotation))
    return rotation


def _join(
    rotation: Rotation, kind: Kind, *, actor: str, reason: str, campaign: Campaign | None, due_on: date | None
) -> Rotation:
    rotation = Rotation.objects.select_for_update(of=("self",)).get(pk=rotation.pk)
    before = (rotation.kind, rotation.campaign_id, rotation.due_on)
    if may_become(Kind(rotation.kind), kind):
        rotation.kind = kind
    if rotation.campaign is None:
        rotation.campaign = campaign
    if due_on is not None:
        rotation.due_on = min(due_on, rotation.due_on or due_on)
    if (rotation.kind, rotation.campaign_id, rotation.due_on) == before:
        return rotation
    rotation.reason = rotation.reason or reason[:REASON_LENGTH]
    rotation.save(update_fields=["kind", "campaign", "due_on", "reason"])
    rotation_notice_refresh(rotation, policy_of(rotation.workspace))
    action = "start" if rotation.kind == before[0] else "escalate"
    rotation_record(rotation, action, actor=actor, note=reason, details=_asked(rotation))
    return rotation


def rotation_assign(*, rotation: Rotation, owner: Member, actor: str) -> None:
    """Say whose token it is, where nobody knew: they are to make the successor. Claims nothing of the token itself."""
    with transaction.atomic():
        unowned = Rotation.objects.filter(pk=rotation.pk, owner=None, ended_at=None, workspace=owner.workspace_id)
        if not unowned.update(owner=owner, owner_name=owner.name):
            raise RotationError("It is known by now whose token this is.")
        rotation.owner, rotation.owner_name = owner, owner.name
        rotation_record(rotation, "assign", actor=actor, details={"owner": owner.named})


def rotation_finish(*, rotation: Rotation, actor: str, note: str = "") -> None:
    """End the rotation as done because `actor` says so, whatever the bridge has seen; raises RotationError.

    The old token must have been revoked: a rotation that leaves it alive is abandoned, not done.
    """
    with transaction.atomic():
        rotation = rotation_held(rotation)
        if rotation.revoked_at is None:
            raise RotationError("The old token still works. Revoke it first, or stop this rotation.")
        rotation_end(rotation, Ending.DONE, actor=actor, note=note)


def rotation_abandon(*, rotation: Rotation, actor: str, note: str = "") -> None:
    """Stop the rotation where it stands. Nothing that was done is undone; raises RotationError where it has ended."""
    with transaction.atomic():
        rotation_end(rotation_held(rotation), Ending.ABANDONED, actor=actor, note=note)


def rotation_end(rotation: Rotation, ending: Ending, *, actor: str, note: str = "") -> None:
    """End `rotation`, which the transaction around this holds; `actor` is empty where the console saw it done."""
    rotation.ended_at = timezone.now()
    rotation.ending = ending
    rotation.ended_by = actor
    rotation.save(update_fields=["ended_at", "ending", "ended_by"])
    notice_end(env=rotation.env, prefix=rotation.prefix)
    action = "finish" if ending is Ending.DONE else "abandon"
    successor = f"hsk_{rotation.new_env}_{rotation.new_prefix}" if rotation.new_prefix else ""
    rotation_record(rotation, action, actor=actor, note=note, details={"successor": successor} if successor else None)


def member_offboard(*, member: Member, actor: str, reason: str = "") -> list[Rotation]:
    """Start a rotation without successor for each token of `member` that may still work; all of them, or none.

    Raises AuditUnavailableError; then nothing was started.
    """
    with transaction.atomic():
        return [
            rotation_start(
                env=env,
                prefix=prefix,
                workspace=member.workspace,
                kind=Kind.LEAVING,
                owner=member,
                actor=actor,
                reason=reason,
            )
            for env, prefix in tokens_left(member)
        ]


def tokens_left(member: Member) -> list[tuple[str, str]]:
    """The tokens of `member` that are not known to be revoked."""
    claims = TokenClaim.objects.filter(member=member).order_by("claimed_at", "pk").values_list("env", "prefix")
    gone = _revoked(member.workspace_id)
    return [key for key in claims if key not in gone]


def tokens_left_in(workspace_id: int) -> Counter[int]:
    """How many tokens of each member, by their key, are not known to be revoked; in two queries."""
    gone = _revoked(workspace_id)
    claims = TokenClaim.objects.filter(member__workspace=workspace_id).order_by()
    return Counter(
        member for member, env, prefix in claims.values_list("member_id", "env", "prefix") if (env, prefix) not in gone
    )


def _revoked(workspace_id: int) -> set[tuple[str, str]]:
    rotations = Rotation.objects.filter(workspace=workspace_id).exclude(revoked_at=None)
    return set(rotations.order_by().values_list("env", "prefix"))


def rotation_held(rotation: Rotation) -> Rotation:
    """`rotation` as it is now, which nobody else changes until this transaction ends; raises RotationError if over."""
    held = Rotation.objects.select_for_update(of=("self",)).select_related("workspace", "owner").get(pk=rotation.pk)
    if held.ended_at is not None:
        raise RotationError("This rotation has ended.")
    return held


def rotation_record(
    rotation: Rotation, action: str, *, actor: str, note: str = "", details: Mapping[str, Any] | None = None
) -> None:
    """Record `console.rotation_<action>` about the old token."""
    event_record(
        org_id=rotation.workspace.org_id,
        org_name=rotation.workspace.name,
        action=f"console.rotation_{action}",
        actor=actor,
        target_type="token",
        target_id=rotation.prefix,
        target_label=rotation.token_name or rotation.masked_token,
        token=TokenNamed(rotation.env, rotation.prefix, rotation.token_name),
        details={"rotation": rotation.pk, **(details or {})},
        note=note,
    )


def rotation_of(*, env: str, prefix: str, workspace: Workspace) -> Rotation | None:
    """The rotation of the token that is under way, or else the last one; None where there was none."""
    found = Rotation.objects.filter(env=env, prefix=prefix, workspace=workspace)
    return found.filter(ended_at=None).first() or found.first()


def retired(workspace: Workspace) -> Q:
    """Tokens (`env`, `prefix`) that a rotation of `workspace` has revoked, as a filter."""
    revoked = Rotation.objects.filter(workspace=workspace).exclude(revoked_at=None).order_by()
    found = Q(prefix__in=[])
    for env in ("live", "test"):
        found |= Q(env=env, prefix__in=revoked.filter(env=env).values("prefix"))
    return found


def _frozen(token: SeenToken | None, owner: Member | None) -> dict[str, Any]:
    """What the rotation must still name when the token and its owner are gone."""
    return {
        "owner": owner,
        "owner_name": owner.name if owner else "",
        "token_name": token.token_name if token else "",
        "role": token.role if token else (owner.role if owner else ""),
    }


def _asked(rotation: Rotation) -> dict[str, Any]:
    owner = rotation.owner.named if rotation.owner else ""
    due = rotation.due_on.isoformat() if rotation.due_on else ""
    campaign = rotation.campaign.title if rotation.campaign else ""
    asked = {"kind": str(rotation.kind), "owner": owner, "due_on": due, "campaign": campaign}
    return {name: value for name, value in asked.items() if value}
