"""Makes the bridge's rows for page tests, as the bridge would have written them."""

import uuid
from datetime import datetime, timedelta
from typing import Any

from django.utils import timezone

from mcpbridge.activity.connections import open_connection
from mcpbridge.activity.observed import known_tokens
from mcpbridge.activity.usage import add_to_usage_counters
from mcpbridge.audit.anchors.memory import node_anchors
from mcpbridge.audit.hashchain import link
from mcpbridge.audit.heads import ChainEnd, head_of
from mcpbridge.audit.log_tree.origins import new_origin
from mcpbridge.grants.envelopes import new_grant_id
from mcpbridge.models import (
    AuditEvent,
    AuditPhase,
    CallKind,
    Grant,
    ObservedClient,
    ObservedToken,
    RejectedCredential,
    Result,
    ToolCall,
)

KINDS = {"get": CallKind.READ, "list": CallKind.READ, "delete": CallKind.DESTRUCTIVE, "archive": CallKind.DESTRUCTIVE}


def make_token(
    org_id: str, prefix: str, *, name: str = "Ana's laptop", role: str = "MANAGER", **more: Any
) -> ObservedToken:
    """A token that the workspace uses."""
    now = timezone.now()
    given = {"calls_read": 40, "calls_write": 4, "last_tool": "list_clients", "last_status": 200, **more}
    given.setdefault("first_used_at", now - timedelta(days=20))
    given.setdefault("last_used_at", now - timedelta(minutes=2))
    given.setdefault("scopes", ["read", "write"])
    given.setdefault("plan", "agency")
    return ObservedToken.objects.create(
        env=given.pop("env", "live"), prefix=prefix, org_id=org_id, org_name="Acme", token_name=name, role=role, **given
    )


def make_client(
    token: ObservedToken, name: str = "Claude Desktop", version: str = "1.2.0", **more: Any
) -> ObservedClient:
    """An assistant that used `token`."""
    given = {"first_seen_at": token.first_used_at, "last_seen_at": token.last_used_at, "calls": 44, **more}
    given.setdefault("protocol", "2026-07-28")
    given.setdefault("address", "198.51.100.7")
    return ObservedClient.objects.create(token=token, name=name, version=version, **given)


def make_refusal(token: ObservedToken, **more: Any) -> RejectedCredential:
    """Rejected requests that carried `token` itself; with `matches_token=False` only its prefix."""
    now = timezone.now()
    given = {
        "fault": "rejected",
        "client_name": "Cursor",
        "address": "203.0.113.9",
        "attempts": 12,
        "matches_token": True,
        **more,
    }
    given.setdefault("first_at", now - timedelta(days=1))
    given.setdefault("last_at", now - timedelta(minutes=9))
    return RejectedCredential.objects.create(env=token.env, prefix=token.prefix, **given)


def make_grant(token: ObservedToken, *, ago: timedelta = timedelta(hours=1), days: int = 30, **more: Any) -> Grant:
    """A grant of `token` with a connection of its own, as after the authorization pages."""
    at = timezone.now() - ago
    given = {
        "id": new_grant_id(),
        "connection": "",
        "client_name": "Claude",
        "client_host": "claude.ai",
        "client_digest": b"c" * 16,
        "redirect_host": "claude.ai",
        "token_name": token.token_name,
        "role": token.role,
        "authorized_by": f"token hsk_{token.env}_{token.prefix}",
        "created_at": at,
        "redeemed_at": at,
        "expires_at": at + timedelta(days=days),
        "generation": 1,
        **more,
    }
    given["connection"] = given["connection"] or open_connection(org_id=token.org_id).slug
    return Grant.objects.create(env=token.env, prefix=token.prefix, org_id=token.org_id, **given)


def call_facts(token: ObservedToken, tool: str, at: datetime, **more: Any) -> dict[str, Any]:
    """The columns that activity and audit rows share."""
    return {
        "org_id": token.org_id,
        "env": token.env,
        "prefix": token.prefix,
        "token_name": token.token_name,
        "role": token.role,
        "call_id": uuid.uuid4(),
        "at": at,
        "tool": tool,
        "kind": KINDS.get(tool.partition("_")[0], CallKind.WRITE),
        "client_name": "Claude Desktop",
        "client_version": "1.2.0",
        "protocol": "2026-07-28",
        "address": "198.51.100.7",
        "request_id": uuid.uuid4().hex,
        **more,
    }


def call_row(token: ObservedToken, tool: str = "list_clients", at: datetime | None = None, **more: Any) -> ToolCall:
    """One call, not saved."""
    result = more.pop("result", Result.SUCCEEDED)
    ending = {
        "result": result,
        "status": more.pop("status", 200),
        "code": more.pop("code", ""),
        "duration_ms": more.pop("duration_ms", 34.25),
    }
    return ToolCall(**call_facts(token, tool, at or timezone.now(), **more), **ending)


def make_call(token: ObservedToken, tool: str = "list_clients", at: datetime | None = None, **more: Any) -> ToolCall:
    """One call."""
    row = call_row(token, tool, at, **more)
    row.save()
    tally([row])
    return row


def tally(rows: list[ToolCall]) -> None:
    """Count `rows`, as the bridge's recorder does with each batch."""
    tokens = known_tokens("default", (row.token_ref for row in rows))
    add_to_usage_counters(
        "default", [{**vars(row), "kind": str(row.kind), "result": str(row.result)} for row in rows], tokens
    )


def audit_pair(
    token: ObservedToken,
    tool: str = "delete_client",
    at: datetime | None = None,
    *,
    result: Result | None = Result.SUCCEEDED,
    status: int = 204,
    code: str = "",
    snapshot: Any = None,
    snapshot_fault: str = "",
    **more: Any,
) -> list[AuditEvent]:
    """The rows of one destructive call, not saved; with `result` None the outcome was never written."""
    at = at or timezone.now()
    target = {
        "target_type": tool.partition("_")[2],
        "target_id": str(uuid.uuid4()),
        "target_label": "Globex",
        "arguments": {"id": "5b0c7cf0-9f3b-4a53-9a94-2f4a9d3c1d11"},
    }
    facts = call_facts(token, tool, at, **{**target, **more})
    intent = AuditEvent(**facts, phase=AuditPhase.INTENT, recorded_at=at, snapshot_fault=snapshot_fault)
    if not snapshot_fault:
        intent.snapshot = snapshot or {"name": facts["target_label"], "notes": None}
    if result is None:
        return [intent]
    outcome = AuditEvent(
        **facts,
        phase=AuditPhase.OUTCOME,
        recorded_at=at + timedelta(milliseconds=87),
        result=result,
        status=status,
        code=code,
        duration_ms=87.4,
    )
    return [intent, outcome]


def make_audit(
    token: ObservedToken, tool: str = "delete_client", at: datetime | None = None, **more: Any
) -> AuditEvent:
    """One destructive call; its intent."""
    return save_audit(audit_pair(token, tool, at, **more))[0]


def save_audit(rows: list[AuditEvent]) -> list[AuditEvent]:
    """Save rows as links of their workspaces' chains, in the format of the row before them."""
    ends: dict[str, ChainEnd] = {}
    for row in rows:
        columns = {field.attname: getattr(row, field.attname) for field in AuditEvent._meta.concrete_fields}
        end = ends.get(row.org_id) or head_of("default", row.org_id)
        ends[row.org_id] = ChainEnd(*link(columns, end.head, epoch=end.next_epoch), end.next_epoch)
        if columns["sequence"] == 1:
            node_anchors().begin(row.org_id, new_origin("default", row.org_id))
        for name in ("epoch", "seal", "sequence", "previous_hash", "hash"):
            setattr(row, name, columns[name])
    return AuditEvent.objects.bulk_create(rows)
