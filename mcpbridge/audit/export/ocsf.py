"""Write OCSF 1.8.0 (schema.ocsf.io), one event a line.

Destructive calls are Entity Management (3004), everything else is API Activity (6003). `type_uid` is `class_uid` × 100
+ `activity_id`. Columns without an OCSF attribute are in `unmapped` under their own name, with the two hashes, so that
no fact of the row is lost.
"""

import ipaddress
from collections.abc import Iterable, Iterator
from datetime import UTC, datetime, timedelta
from typing import Any

from mcpbridge import __version__
from mcpbridge.audit.export.columns import PRODUCT, VENDOR, columns_of, json_text
from mcpbridge.audit.verification.records import Event
from mcpbridge.models import AuditPhase, CallKind, Result

CONTENT_TYPE = "application/x-ndjson"
SCHEMA = "1.8.0"
_ENTITY_MANAGEMENT, _API_ACTIVITY = 3004, 6003
_CLASSES = {
    _ENTITY_MANAGEMENT: ("Entity Management", 3, "Identity & Access Management"),
    _API_ACTIVITY: ("API Activity", 6, "Application Activity"),
}
_OTHER = (99, "Other")
_DELETE, _DISABLE = (4, "Delete"), (9, "Disable")
# By the first word of a tool's name. Archiving hides a record permanently, which OCSF calls disable.
_ACTIVITIES = {
    "create": (1, "Create"),
    "get": (2, "Read"),
    "list": (2, "Read"),
    "update": (3, "Update"),
    "delete": _DELETE,
    "archive": _DISABLE,
}
_STATUSES = {
    Result.SUCCEEDED: (1, "Success"),
    Result.REFUSED: (2, "Failure"),
    Result.FAILED: (2, "Failure"),
    Result.UNKNOWN: (0, "Unknown"),
}
_ADMINS = frozenset({"OWNER", "ADMIN"})
# Columns that always have an OCSF attribute.
_MAPPED = frozenset({"id", "sequence", "workspace", "call_id", "at", "tool"})
_TARGET = {"target_id": "uid", "target_label": "name", "target_type": "type", "snapshot": "data"}
_EPOCH = datetime(1970, 1, 1, tzinfo=UTC)


def lines(events: Iterable[Event]) -> Iterator[bytes]:
    """Yield one line for each row."""
    for event in events:
        yield json_text(event_of(event)).encode(errors="backslashreplace") + b"\n"


def event_of(event: Event) -> dict[str, Any]:
    """Return the row as an OCSF event."""
    row = columns_of(event)
    is_removal = row["kind"] == CallKind.DESTRUCTIVE
    class_uid = _ENTITY_MANAGEMENT if is_removal else _API_ACTIVITY
    class_name, category_uid, category_name = _CLASSES[class_uid]
    activity_id, activity_name = _activity(str(row["tool"]), is_removal=is_removal)
    status_id, status = _status(row)
    severity_id, severity = _severity(row)
    made: dict[str, Any] = {
        "category_uid": category_uid,
        "category_name": category_name,
        "class_uid": class_uid,
        "class_name": class_name,
        "activity_id": activity_id,
        "activity_name": activity_name,
        "type_uid": class_uid * 100 + activity_id,
        "type_name": f"{class_name}: {activity_name}",
        "severity_id": severity_id,
        "severity": severity,
        "status_id": status_id,
        "status": status,
        "time": milliseconds(row["at"]),
        "message": f"{row['tool']} {row['result'] or row['phase']}",
        "metadata": _metadata(row),
        "actor": _actor(row),
        "src_endpoint": _endpoint(row),
    }
    if row["status"] is not None:
        made["status_code"] = str(row["status"])
    if row["code"]:
        made["status_detail"] = row["code"]
    if isinstance(row["duration_ms"], int | float):
        made["duration"] = round(row["duration_ms"])
    own, said = _entity(row) if is_removal else _api(row)
    unmapped = {name: value for name, value in row.items() if name not in _MAPPED | said}
    return {**made, **own, "unmapped": unmapped}


def _activity(tool: str, *, is_removal: bool) -> tuple[int, str]:
    found = _ACTIVITIES.get(tool.split("_")[0], _OTHER)
    if is_removal:
        return found if found in (_DELETE, _DISABLE) else _DELETE
    # As an API call, archiving is an update.
    return found if found is not _DISABLE else (3, "Update")


def _status(row: dict[str, Any]) -> tuple[int, str]:
    return _STATUSES.get(row["result"], (99, str(row["phase"])))


def _severity(row: dict[str, Any]) -> tuple[int, str]:
    if row["phase"] == AuditPhase.UNKNOWN:
        return 3, "Medium"
    if row["kind"] == CallKind.DESTRUCTIVE and row["result"] == Result.SUCCEEDED:
        return 2, "Low"
    return 1, "Informational"


def _metadata(row: dict[str, Any]) -> dict[str, Any]:
    return {
        "version": SCHEMA,
        "product": {"name": PRODUCT, "vendor_name": VENDOR, "version": __version__},
        "uid": row["id"],
        "sequence": row["sequence"],
        "correlation_uid": row["call_id"],
        "tenant_uid": row["workspace"],
        "event_code": row["tool"],
        "log_name": "audit",
        "original_time": row["at"],
        "logged_time": milliseconds(row["recorded_at"]),
    }


def _actor(row: dict[str, Any]) -> dict[str, Any]:
    user: dict[str, Any] = {"name": row["actor"] or row["token_name"] or "unknown"}
    if row["role"]:
        user |= {"type": row["role"], "type_id": 2 if row["role"] in _ADMINS else 1}
    if row["workspace"]:
        user["org"] = {"uid": row["workspace"], **({"name": row["org_name"]} if row["org_name"] else {})}
    if row["prefix"]:
        user["programmatic_credentials"] = [{"uid": f"{row['env']}_{row['prefix']}", "type": "API token"}]
    return {"user": user, **({"app_name": row["client_name"]} if row["client_name"] else {})}


def _endpoint(row: dict[str, Any]) -> dict[str, Any]:
    try:
        return {"ip": str(ipaddress.ip_address(row["address"] or ""))}
    except ValueError:
        return {"name": row["address"] or row["transport"] or "unknown"}


def _target(row: dict[str, Any]) -> dict[str, Any]:
    """Return the target record without missing values and empty texts."""
    target = {attribute: row[name] for name, attribute in _TARGET.items() if row[name] is not None}
    return {attribute: value for attribute, value in target.items() if value != "" or attribute == "data"}


def _entity(row: dict[str, Any]) -> tuple[dict[str, Any], frozenset[str]]:
    """Return the attributes of Entity Management and the columns that they cover."""
    entity = {"type_id": 99 if row["target_type"] else 0, "org": {"uid": row["workspace"]}, **_target(row)}
    return {"entity": entity, **({"comment": row["note"]} if row["note"] else {})}, frozenset(_TARGET)


def _api(row: dict[str, Any]) -> tuple[dict[str, Any], frozenset[str]]:
    """Return the attributes of API Activity and the columns that they cover; a resource needs an id or a name."""
    request = {"uid": row["request_id"] or row["call_id"], "data": row["arguments"]}
    api: dict[str, Any] = {"operation": row["tool"], "service": {"name": VENDOR}, "request": request}
    if row["status"] is not None:
        api["response"] = {"code": row["status"], **({"error": row["code"]} if row["code"] else {})}
    target = _target(row)
    if not {"uid", "name"} & target.keys():
        return {"api": api}, frozenset({"arguments"})
    resources = [{**target, "role_id": 1, "role": "Target"}]
    return {"api": api, "resources": resources}, frozenset({"arguments", *_TARGET})


def milliseconds(instant: str | None) -> int:
    """Return milliseconds since 1970, rounded down; 0 without an instant."""
    try:
        return (datetime.fromisoformat(instant or "") - _EPOCH) // timedelta(milliseconds=1)
    except (ValueError, TypeError):
        return 0
