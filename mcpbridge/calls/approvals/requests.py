"""Requests for consent: asked, decided, used, out of time. Each is one transaction with its row of the record."""

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
# Nobody decides about more with care, and each one costs a row of the record.
MAX_OPEN = 20


class TooManyRequestsError(Exception):
    """As many calls of the token wait already as a person can be asked about."""


class NotDecidableError(Exception):
    """The request does not exist in this workspace, was decided before, or is out of time."""


def arguments_digest(arguments: Mapping[str, Any]) -> str:
    """What consent is bound to beside token and tool: the arguments as the assistant sent them."""
    return hashlib.sha256(json.dumps(arguments, sort_keys=True, separators=(",", ":")).encode()).hexdigest()


def request_approval(
    *, call: Call, rule: ApprovalPolicy, digest: str, snapshot: Mapping[str, Any] | None, cause: str
) -> ApprovalRequest:
    """The request for exactly this call: the one that stands, decided or not, or else a new one, recorded.

    Raises TooManyRequestsError, and AuditUnavailableError where it cannot be recorded; then nobody is asked.
    """
    caller, now = call.caller, timezone.now()
    key = {"env": caller.env, "prefix": caller.prefix, "tool": call.tool, "digest": digest}
    with transaction.atomic():
        # Who counts those that wait is alone with it, so that two at once are not both the last that may.
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
    """Consent to the call, or do not; on every machine at once. The first decision counts.

    Consent stands for as long as the request did. Raises NotDecidableError, and AuditUnavailableError where the
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
    """Use the consent up; True for one caller alone, on all machines, and for nobody once it is out of time."""
    now = timezone.now()
    with transaction.atomic():
        standing = ApprovalRequest.objects.filter(
            pk=key, digest=digest, decision=Decision.APPROVED, used_at=None, closed_at=None, expires_at__gt=now
        )
        return bool(standing.update(used_at=now, closed_at=now, snapshot=None))


def expire_approval(request: ApprovalRequest) -> None:
    """Close a request that is out of time, and record it where nobody had answered. Raises AuditUnavailableError."""
    now = timezone.now()
    with transaction.atomic():
        overdue = ApprovalRequest.objects.filter(pk=request.pk, closed_at=None, expires_at__lte=now)
        if overdue.filter(decision="").update(decision=Decision.EXPIRED, decided_at=now, closed_at=now, snapshot=None):
            notify_restrictions_changed()
            _record(request, EXPIRED, actor="")
        else:
            overdue.update(closed_at=now, snapshot=None)


def expire_approvals() -> None:
    """Close every request that is out of time."""
    for request in ApprovalRequest.objects.filter(closed_at=None, expires_at__lte=timezone.now())[:200]:
        expire_approval(request)


def requester(request: ApprovalRequest) -> str:
    """Who asks, as the record names it."""
    name = request.client_name or "An assistant without a name"
    return f"{name} with {request.token_name or request.masked_token}"


def seconds_left(request: ApprovalRequest, now: datetime) -> float:
    """How long the request, or the consent, still stands."""
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
