"""What an entry shows of arguments and snapshot: on its page, and on demand in the list."""

from typing import Any

from hoursmith_console.audit.content_access import authorize_content_view
from hoursmith_console.audit.descriptions import describe_event
from hoursmith_console.workspaces.viewer import Viewer
from mcpbridge.calls.errors import MESSAGES
from mcpbridge.models import AuditEvent, AuditPhase, ToolCall


def entry_contents(viewer: Viewer, row: AuditEvent) -> dict[str, Any]:
    """Return the context of `audit/_contents.html`, after recording that `viewer` sees what a call sent."""
    if row.phase == AuditPhase.EVENT:
        return {"event": describe_event(row)}
    return {
        "contents": authorize_content_view(
            viewer, call_id=row.call_id, label=call_title(row), has_any=bool(row.arguments) or row.snapshot is not None
        ),
        "intent": row,
        "no_snapshot": _no_snapshot(row.snapshot_fault),
    }


def call_contents(viewer: Viewer, row: ToolCall) -> dict[str, Any]:
    """Return the context of `activity/_contents.html`, after recording that `viewer` sees what the call sent."""
    access = authorize_content_view(viewer, call_id=row.call_id, label=call_title(row), has_any=bool(row.arguments))
    return {"contents": access, "call": row}


def call_title(row: AuditEvent | ToolCall) -> str:
    """Return the tool and the record that it was called for."""
    return f"{row.tool} {row.target_label or row.target_id}".strip()


def _no_snapshot(fault: str) -> str:
    if fault == "switched_off":
        return "snapshots are off."
    return MESSAGES.get(fault, "the record could not be read.")
