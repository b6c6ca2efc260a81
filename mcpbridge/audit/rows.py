"""Build audit rows and append them to the chain of their workspace."""

import uuid
from collections import Counter
from collections.abc import Sequence
from dataclasses import dataclass, field, replace
from datetime import datetime, timedelta
from functools import partial
from typing import Any

from django.db import transaction
from django.utils import timezone

from mcpbridge.audit.anchors.memory import node_anchors
from mcpbridge.audit.hashchain import link
from mcpbridge.audit.heads import ChainEnd, lock_heads
from mcpbridge.audit.log_tree.origins import new_origin
from mcpbridge.core.ids import new_id
from mcpbridge.core.sanitize import sanitize_snapshot, sanitize_text, sanitized_columns
from mcpbridge.core.types import Call, Caller, CallResult, Identity
from mcpbridge.db.bulk import insert, masked
from mcpbridge.models import AuditEvent, AuditPhase, CallKind, Result
from mcpbridge.redaction.fields import Masked

# Columns that only some phases fill.
_EMPTY = {
    "snapshot": None,
    "snapshot_fault": "",
    "result": "",
    "status": None,
    "code": "",
    "duration_ms": None,
    "actor": "",
    "note": "",
}
_MASKED = [column for column in AuditEvent._meta.fields if isinstance(column, Masked)]
_HOUR = timedelta(hours=1)
ACTOR_LENGTH = 200
NOTE_LENGTH = 1000


@dataclass(slots=True, eq=False)
class AuditRow:
    """An audit row that is not stored yet.

    It is skipped if its call already has a row of a phase in `unless`, if its call has no row of a phase in `after`, or
    if its token has `hourly_limit` intents within the last hour.
    """

    call: Call
    phase: AuditPhase
    details: dict[str, Any]
    unless: tuple[AuditPhase, ...] = ()
    after: tuple[AuditPhase, ...] = ()
    hourly_limit: int | None = None
    # The epoch that begins with the row; None for that of the row before it.
    epoch: int | None = None
    id: uuid.UUID = field(default_factory=new_id)

    @property
    def org_id(self) -> str:
        """Return the workspace of the row, as the column stores it."""
        return str(sanitized_columns(self.call)["org_id"])


def intent_row(call: Call, *, snapshot: Any | None, snapshot_fault: str, hourly_limit: int | None = None) -> AuditRow:
    """Build the intent of a destructive call, with a snapshot of the record (up to 256 KiB)."""
    details = {"snapshot": sanitize_snapshot(snapshot), "snapshot_fault": sanitize_text(snapshot_fault, 40)}
    return AuditRow(call, AuditPhase.INTENT, details, hourly_limit=hourly_limit)


def outcome_row(call: Call, call_result: CallResult) -> AuditRow:
    """Build the outcome of a destructive call."""
    details = {
        "result": call_result.result.value,
        "status": call_result.status,
        "code": sanitize_text(call_result.code, 40),
        "duration_ms": call_result.duration_ms,
    }
    return AuditRow(call, AuditPhase.OUTCOME, details)


def refusal_row(row: AuditRow, call_result: CallResult) -> AuditRow:
    """Build the outcome "refused" for an abandoned `row`; skipped if that row was never stored."""
    return replace(outcome_row(row.call, call_result), id=new_id(), after=(row.phase,))


def unknown_row(call: Call) -> AuditRow:
    """Build the row that marks an outcome as unknown; skipped if the call has an outcome or such a row."""
    return AuditRow(
        call, AuditPhase.UNKNOWN, {"result": Result.UNKNOWN.value}, unless=(AuditPhase.OUTCOME, AuditPhase.UNKNOWN)
    )


def resolution_row(call: Call, *, actor: str, note: str) -> AuditRow:
    """Build the row with what a member found out about an unknown outcome."""
    return AuditRow(call, AuditPhase.RESOLUTION, _actor_and_note(actor, note))


def event_row(call: Call, *, actor: str, note: str, result: Result, epoch: int | None = None) -> AuditRow:
    """Build the row of a console event, which begins an epoch if one is given."""
    return AuditRow(call, AuditPhase.EVENT, {"result": result.value, **_actor_and_note(actor, note)}, epoch=epoch)


def _actor_and_note(actor: str, note: str) -> dict[str, str]:
    return {"actor": sanitize_text(actor, ACTOR_LENGTH), "note": sanitize_text(note, NOTE_LENGTH)}


def call_of(row: AuditEvent) -> Call:
    """Rebuild the call from a stored row, to write another row about it."""
    return Call(
        call_id=row.call_id,
        at=row.at,
        caller=Caller(
            env=row.env,
            prefix=row.prefix,
            client_name=row.client_name,
            client_version=row.client_version,
            connection=row.connection,
            protocol=row.protocol,
            transport=row.transport,
            address=row.address,
            request_id=row.request_id,
        ),
        identity=Identity(
            org_id=row.org_id,
            org_name=row.org_name,
            plan="",
            role=row.role,
            token_name=row.token_name,
            scopes=(),
        ),
        tool=row.tool,
        kind=CallKind(row.kind),
        target_type=row.target_type,
        target_id=row.target_id,
        target_label=row.target_label,
        arguments=row.arguments,
    )


def append_rows(alias: str, rows: Sequence[AuditRow]) -> list[AuditRow]:
    """Append `rows` to the chains of their workspaces, in order, within the caller's transaction.

    Return the rows that were skipped because of hourly limits. The chains stay locked until the transaction ends, so it
    should end soon.
    """
    ends = {org_id: _continued(org_id, end) for org_id, end in lock_heads(alias, {row.org_id for row in rows}).items()}
    # Counted under the chain locks, so that concurrent intents are counted too.
    over = _over_limits(alias, rows)
    wanted = [row for row in rows if row not in over]
    stored = [row for row in wanted if _is_wanted(alias, row, wanted)]
    new = [org_id for org_id, end in ends.items() if end.sequence == 0]
    insert(alias, AuditEvent, _chained(stored, ends), are_masked=True)
    _remember(alias, new, ends)
    return over


def _continued(org_id: str, end: ChainEnd) -> ChainEnd:
    """Return the end of a chain, in the next epoch if it lacks rows that the anchor of this node has.

    So no row ever takes the place of one that was lost. The epoch counts once an operator has accepted the restore.
    """
    anchor = node_anchors().anchor(org_id)
    if anchor is None or not anchor.origin or end.sequence >= anchor.sequence or end.epoch > anchor.epoch:
        return end
    return end._replace(epoch=anchor.epoch + 1)


def _remember(alias: str, new: Sequence[str], ends: dict[str, ChainEnd]) -> None:
    """Anchor the `new` chains at their beginning, and remember all heads once they are committed."""
    anchors = node_anchors()
    for org_id in new:
        anchors.begin(org_id, new_origin(alias, org_id))
    heads = tuple((org_id, end.head) for org_id, end in ends.items())
    transaction.on_commit(partial(anchors.remember_written, heads), using=alias)


def _is_wanted(alias: str, row: AuditRow, others: Sequence[AuditRow]) -> bool:
    if not (row.unless or row.after):
        return True
    events = AuditEvent.objects.using(alias).filter(call_id=row.call.call_id)
    if row.unless and events.filter(phase__in=row.unless).exists():
        return False
    is_behind = not row.after or any(each.call is row.call and each.phase in row.after for each in others)
    return is_behind or events.filter(phase__in=row.after).exists()


def _over_limits(alias: str, rows: Sequence[AuditRow]) -> list[AuditRow]:
    """Return the intents among `rows` that would exceed the hourly limit of their token.

    Every intent of the last hour counts, whatever its outcome, and whether it was approved or not.
    """
    over: list[AuditRow] = []
    before: dict[tuple[str, str, str, int], int] = {}
    here: Counter[tuple[str, str, str]] = Counter()
    for row in rows:
        if row.phase is not AuditPhase.INTENT:
            continue
        token = (row.org_id, row.call.caller.env, row.call.caller.prefix)
        if (limit := row.hourly_limit) is not None:
            key = (*token, limit)
            if key not in before:
                before[key] = intents_of_the_hour(alias, *token, most=limit)
            if before[key] + here[token] >= limit:
                over.append(row)
                continue
        here[token] += 1
    return over


def intents_of_the_hour(alias: str, org_id: str, env: str, prefix: str, *, most: int) -> int:
    """Count the intents of the token within the last hour, up to `most`."""
    since = timezone.now() - _HOUR
    intents = AuditEvent.objects.using(alias).filter(
        org_id=org_id, env=env, prefix=prefix, phase=AuditPhase.INTENT, recorded_at__gt=since
    )
    return intents.order_by()[:most].count()


def _chained(rows: Sequence[AuditRow], ends: dict[str, ChainEnd]) -> list[dict[str, Any]]:
    """Return the columns of the rows, each linked to the end of its workspace in `ends`, which is updated."""
    now = timezone.now()
    # Masked before they are linked, because the hash covers the stored values.
    made = [dict(columns) for columns in masked(_MASKED, [_columns(row, now) for row in rows])]
    for row, columns in zip(rows, made, strict=True):
        end = ends[columns["org_id"]]
        epoch = end.next_epoch if row.epoch is None else row.epoch
        ends[columns["org_id"]] = ChainEnd(*link(columns, end.head, epoch=epoch), epoch)
    return made


def _columns(row: AuditRow, now: datetime) -> dict[str, Any]:
    return {
        "id": row.id,
        "phase": row.phase.value,
        "recorded_at": now,
        "org_name": sanitize_text(row.call.identity.org_name, 200),
        **_EMPTY,
        **row.details,
        **sanitized_columns(row.call),
    }
