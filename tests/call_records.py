"""Calls as the bridge would describe them, for tests of the record."""

import uuid
from dataclasses import replace
from datetime import UTC, datetime
from typing import Any

from mcpbridge.core.types import Call, Caller, CallResult, Identity
from mcpbridge.models import CallKind, Result

OWNER = Identity(
    org_id="org-1",
    org_name="Studio Nord",
    plan="agency",
    role="OWNER",
    token_name="Ana's laptop",
    scopes=("read", "write"),
)
ANONYMOUS = Identity(org_id="", org_name="", plan="", role="", token_name="", scopes=())
SUCCEEDED = CallResult(Result.SUCCEEDED, 204, "", 12.5)
REFUSED = CallResult(Result.REFUSED, 409, "conflict", 8.0)


def a_call(
    *,
    kind: CallKind = CallKind.DESTRUCTIVE,
    identity: Identity = OWNER,
    caller: dict[str, Any] | None = None,
    **more: Any,
) -> Call:
    """One call; a destructive one by Ana's Claude Desktop unless told otherwise."""
    who = Caller(
        env="live",
        prefix="4f8a2c1bdedf",
        client_name="Claude Desktop",
        client_version="1.2",
        protocol="2026-07-28",
        address="127.0.0.1",
        request_id=str(uuid.uuid4()),
    )
    call = Call(
        call_id=uuid.uuid4(),
        at=datetime.now(UTC),
        caller=replace(who, **(caller or {})),
        identity=identity,
        tool={CallKind.READ: "list_clients", CallKind.WRITE: "create_client"}.get(kind, "delete_client"),
        kind=kind,
        target_type="client",
    )
    return replace(call, **more)
