"""Create, decide, consume and expire approval requests, each in one transaction with its audit row."""

import hashlib
import json
from collections.abc import Mapping
from datetime import datetime, timedelta
from typing import Any

from django.db import router, transaction
from django.utils import timezone

from mcpbridge.audit.console_events import TokenNamed, record_event
from mcpbridge.auth.restrictions.store import ApprovalPolicy, notify_restrictions_changed
from mcpbridge.core.sanitize import sanitize_arguments, sanitize_snapshot, sanitize_text, sanitized_columns
from mcpbridge.core.types import Call
from mcpbridge.db.locks import acquire_locks
from mcpbridge.models import AnsweredIn, ApprovalRequest, Decision

REQUESTED, APPROVED = "approval.requested", "approval.approved"
REFUSED, EXPIRED = "approval.refused", "approval.expired"
_ACTIONS = {Decision.APPROVED: APPROVED, Decision.REFUSED: REFUSED, Decision.EXPIRED: EXPIRED}
# Admins cannot review more with care, and each one costs an audit row.
MAX_OPEN = 20


class TooManyRequestsError(Exception):
    """The token has MAX_OPEN pending requests already."""


class NotDecidableError(Exception):
    """The request does not exist in this workspace, was decided before, or has expired."""


def arguments_digest(arguments: Mapping[str, Any]) -> str:
    """Return the digest that binds an approval to the arguments as the assistant sent them."""
    return hashlib.sha256(json.dumps(arguments, sort_keys=True, separators=(",", ":")).encode()).hexdigest()


def request_approval(
    *, call: Call, rule: ApprovalPolicy, digest: str, snapshot: Mapping[str, Any] | None, cause: str
) -> ApprovalRequest:
    """Return the request for exactly this call: the existing one, decided or not, or a new one, which is recorded.

    Raises TooManyRequestsError, and AuditUnavailableError if it cannot be recorded; then no request is made.
    """
    caller, now = call.caller, timezone.now()
    key = {"env": caller.env, "prefix": caller.prefix, "tool": call.tool, "digest": digest}
    with transaction.atomic():
        # Locked while counting, so that two calls at once cannot both take the last place.
        acquire_locks(router.db_for_write(ApprovalRequest), f"approvals {caller.env} {caller.prefix}")
        last = ApprovalRequest.objects.filter(**key).order_by("-id").first()
        if last is not None and last.expires_at > now and last.used_at is None:
            return last
        if last is not None and last.closed_at is None:
            expire_approval(last)
        waiting = ApprovalRequest.objects.filter(env=caller.env, prefix=caller.prefix, closed_at=None)
        if waiting.count() >= MAX_OPEN:
            raise TooManyRequestsError
        columns = sanitized_columns(call)
        request, made = ApprovalRequest.objects.get_or_create(
            **key,
            closed_at=None,
            defaults={
                "org_id": columns["org_id"],
                "call_id": call.call_id,
                "arguments": sanitize_arguments(call.arguments, "full"),
                "snapshot": sanitize_snapshot(snapshot) if snapshot is not None else None,
                "target_type": columns["target_type"],
                "target_id": columns["target_id"],
                "target_label": sanitize_text(call.target_label, 200),
                "token_name": columns["token_name"],
                "role": columns["role"],
                "client_name": columns["client_name"],
                "cause": cause,
                "answered_in": rule.answered_in,
                "asked_at": now,
                "expires_at": now + timedelta(seconds=rule.lasts_s),
            },
        )
        if made:
            notify_restrictions_changed()
            _record(request, REQUESTED, actor=requester(request), address=caller.address, request_id=caller.request_id)
    return request


def decide_approval(*, key: int, org_id: str, is_approved: bool, actor: str) -> ApprovalRequest:
    """Approve or deny the call, on every machine at once. The first decision counts.

    An approval is valid for as long as the request was. Raises NotDecidableError, and AuditUnavailableError if the
    decision cannot be recorded; then there is none.
    """
    now = timezone.now()
    with transaction.atomic():
        waiting = ApprovalRequest.objects.filter(pk=key, org_id=org_id, decision="", closed_at=None, expires_at__gt=now)
        request = waiting.first()
        if request is None:
            raise NotDecidableError
        life = request.expires_at - request.asked_at
        changes: dict[str, Any] = {"decided_at": now, "decided_by": sanitize_text(actor, 200)}
        if is_approved:
            changes |= {"decision": Decision.APPROVED, "expires_at": now + life}
        else:
            changes |= {"decision": Decision.REFUSED, "closed_at": now, "snapshot": None}
        if not waiting.update(**changes):
            raise NotDecidableError
        notify_restrictions_changed()
        _record(request, APPROVED if is_approved else REFUSED, actor=actor)
    request.refresh_from_db()
    return request


def consume_approval(*, key: int, digest: str) -> bool:
    """Consume the approval. Return True for one caller only, across all machines, and never after it expired."""
    now = timezone.now()
    with transaction.atomic():
        valid = ApprovalRequest.objects.filter(
            pk=key, digest=digest, decision=Decision.APPROVED, used_at=None, closed_at=None, expires_at__gt=now
        )
        return bool(valid.update(used_at=now, closed_at=now, snapshot=None))


def expire_approval(request: ApprovalRequest) -> None:
    """Close an expired request, and record that it expired if it was undecided. Raises AuditUnavailableError."""
    now = timezone.now()
    with transaction.atomic():
        overdue = ApprovalRequest.objects.filter(pk=request.pk, closed_at=None, expires_at__lte=now)
        if overdue.filter(decision="").update(decision=Decision.EXPIRED, decided_at=now, closed_at=now, snapshot=None):
            notify_restrictions_changed()
            _record(request, EXPIRED, actor="")
        else:
            overdue.update(closed_at=now, snapshot=None)


def expire_approvals() -> None:
    """Close every expired request, 200 at a time."""
    for request in ApprovalRequest.objects.filter(closed_at=None, expires_at__lte=timezone.now())[:200]:
        expire_approval(request)


def requester(request: ApprovalRequest) -> str:
    """Return who makes the request, as the audit log names it."""
    name = request.client_name or "An unnamed assistant"
    return f"{name} with {request.token_name or request.masked_token}"


def seconds_left(request: ApprovalRequest, now: datetime) -> float:
    """Return how many seconds the request, or the approval, is still valid."""
    return max(0.0, (request.expires_at - now).total_seconds())


def _record(request: ApprovalRequest, action: str, *, actor: str, address: str = "", request_id: str = "") -> None:
    record_event(
        org_id=request.org_id,
        action=action,
        actor=actor,
        target_type=request.target_type,
        target_id=request.target_id,
        target_label=request.target_label,
        token=TokenNamed(request.env, request.prefix, request.token_name),
        details={
            "tool": request.tool,
            "assistant": request.client_name,
            "cause": request.cause,
            "answered in": AnsweredIn(request.answered_in).value,
            "arguments": request.arguments,
            "call": str(request.call_id),
        },
        address=address,
        request_id=request_id,
    )
