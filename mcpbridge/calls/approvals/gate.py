"""Hold a destructive call until a person decides, without blocking anything else.

A held call waits on the event loop and polls the restrictions in memory, which every worker updates at once; it asks
the database only when something may have changed. A caller that disconnects ends the wait.
"""

import asyncio
import logging
import time
from collections.abc import Awaitable, Callable, Mapping
from concurrent.futures import ThreadPoolExecutor
from contextlib import AbstractContextManager
from dataclasses import dataclass, replace
from typing import Any, TypeVar

from django.conf import settings
from django.db import Error, router
from django.utils import timezone

from mcpbridge.audit.errors import AuditUnavailableError
from mcpbridge.audit.rows import intents_of_the_hour
from mcpbridge.auth.restrictions.store import ApprovalPolicy, RestrictionStore
from mcpbridge.calls import errors
from mcpbridge.calls.approvals import requests
from mcpbridge.calls.approvals.elicitation import approval_from, is_answer_to, question
from mcpbridge.calls.errors import ToolError
from mcpbridge.core.types import Call, ElicitationState
from mcpbridge.db.timeouts import bounded_read, bounded_transaction, drop_connection, use_own_connection
from mcpbridge.models import AnsweredIn, ApprovalRequest, Decision, Result

logger = logging.getLogger(__name__)

Found = TypeVar("Found")
Snapshot = Mapping[str, Any] | None
_LOOK_S = 0.1
# Check the database this often even if no change was announced.
_LOOK_ANYWAY_S = 2.0
_THREADS = 4


@dataclass(frozen=True, slots=True)
class ApprovalOutcome:
    """Outcome of the approval check: send the call (`request` is the approval used, if any), or return `error`.

    With an error, `question` is what to ask the client's user, if anything.
    """

    request: int | None = None
    error: ToolError | None = None
    question: dict[str, Any] | None = None


class ApprovalGate:
    """Requests approval for calls, and waits for the decision. One per process."""

    def __init__(self, restrictions: RestrictionStore, *, limit_s: float) -> None:
        """Limit each database query to `limit_s` seconds."""
        self._restrictions = restrictions
        self._limit_s = limit_s
        self._alias = router.db_for_write(ApprovalRequest)
        # Threads of their own: held calls must not use up the threads of others.
        self._threads = ThreadPoolExecutor(_THREADS, "approvals")

    def close(self) -> None:
        """Stop the threads."""
        self._threads.shutdown(wait=False)

    async def check(
        self,
        rule: ApprovalPolicy,
        call: Call,
        arguments: Mapping[str, Any],
        elicitation: ElicitationState,
        *,
        title: str,
        look: Callable[[], Awaitable[Snapshot]],
        is_over_limit: bool = False,
    ) -> ApprovalOutcome:
        """Decide whether `call` may be sent. `look` reads the record that it would destroy, and names it in `call`.

        `is_over_limit` says that the audit log refused the call for its token's hourly limit. A call that is sent
        without a request may still be refused for it, since calls are counted where intents are committed. A call
        whose request cannot be written to the audit log is not sent.
        """
        try:
            cause = "rate" if is_over_limit else await self._cause(rule, call)
            if not cause:
                return ApprovalOutcome()
            digest = requests.arguments_digest(arguments)
            snapshot = await look()
            request = await self._work(
                lambda: requests.request_approval(call=call, rule=rule, digest=digest, snapshot=snapshot, cause=cause)
            )
            if rule.answered_in == AnsweredIn.CLIENT and elicitation.can_ask and not request.decision:
                request = await self._answered(request, call, elicitation, digest)
                if not request.decision:
                    return _not_now("approval_asked", question=question(request, title=title))
            return await self._held(request, rule)
        except requests.TooManyRequestsError:
            return _not_now("approval_queue_full", 429)
        except (AuditUnavailableError, Error) as error:
            logger.warning("Approval for a call of %s could not be requested: %s", call.tool, type(error).__name__)
            return _not_now("audit_unavailable", 503)

    async def consume(self, key: int, arguments: Mapping[str, Any]) -> ToolError | None:
        """Consume the approval just before the call is sent; return an error if it is no longer valid."""
        digest = requests.arguments_digest(arguments)
        try:
            is_ours = await self._work(lambda: requests.consume_approval(key=key, digest=digest))
        except Error:
            return _not_now("audit_unavailable", 503).error
        return None if is_ours else _not_now("approval_used", 409).error

    async def _cause(self, rule: ApprovalPolicy, call: Call) -> str:
        token = call.caller.token_ref
        if call.tool in rule.tools:
            return "tool"
        if "_".join(token) in rule.tokens:
            return "token"
        if rule.hourly_limit is None:
            return ""
        limit, org_id = rule.hourly_limit, call.identity.org_id
        made = await self._look(lambda: intents_of_the_hour(self._alias, org_id, *token, most=limit))
        return "rate" if made >= limit else ""

    async def _answered(
        self, request: ApprovalRequest, call: Call, elicitation: ElicitationState, digest: str
    ) -> ApprovalRequest:
        """Apply the client's answer to `request`; return it unchanged if the client sent no valid answer."""
        consent = approval_from(elicitation.answers)
        if consent is None or not is_answer_to(request, elicitation, call, digest=digest):
            return request
        actor = f"The user of {requests.requester(request)}"
        try:
            return await self._work(
                lambda: requests.decide_approval(
                    key=request.pk, org_id=request.org_id, is_approved=consent, actor=actor
                )
            )
        except requests.NotDecidableError:
            return await self._look(lambda: ApprovalRequest.objects.get(pk=request.pk))

    async def _held(self, request: ApprovalRequest, rule: ApprovalPolicy) -> ApprovalOutcome:
        """Wait for a decision, for as long as the rule holds a call, and return the outcome."""
        key = request.pk

        def look() -> ApprovalRequest:
            return ApprovalRequest.objects.get(pk=key)

        until = time.monotonic() + min(rule.holds_s, requests.seconds_left(request, timezone.now()))
        look_at = 0.0
        while True:
            if key not in self._restrictions.now().undecided or time.monotonic() >= look_at:
                request = await self._look(look)
                look_at = time.monotonic() + _LOOK_ANYWAY_S
            if request.decision or time.monotonic() >= until:
                break
            await asyncio.sleep(_LOOK_S)
        if not request.decision and request.expires_at <= timezone.now():
            await self._work(lambda: requests.expire_approval(request))
            return _not_now("approval_expired")
        return _outcome_of(request)

    async def _look(self, work: Callable[[], Found]) -> Found:
        """Run `work`, which only reads, on a thread."""
        return await self._on_thread(work, bounded_read)

    async def _work(self, work: Callable[[], Found]) -> Found:
        """Run `work` in a transaction, on a thread."""
        return await self._on_thread(work, bounded_transaction)

    async def _on_thread(
        self, work: Callable[[], Found], limited: Callable[..., AbstractContextManager[None]]
    ) -> Found:
        def done() -> Found:
            # A connection of its own: not from the pages' pool, and with a shorter time limit.
            use_own_connection(self._alias, limit_s=self._limit_s)
            try:
                with limited(self._alias, limit_s=self._limit_s):
                    return work()
            finally:
                drop_connection(self._alias)

        return await asyncio.get_running_loop().run_in_executor(self._threads, done)


def _outcome_of(request: ApprovalRequest) -> ApprovalOutcome:
    if request.used_at is not None:
        return _not_now("approval_used", 409)
    match request.decision:
        case Decision.APPROVED:
            return ApprovalOutcome(request=request.pk)
        case Decision.REFUSED:
            return _not_now("approval_refused")
        case Decision.EXPIRED:
            return _not_now("approval_expired")
    minutes = max(1, round(requests.seconds_left(request, timezone.now()) / 60))
    pending = errors.tool_error("approval_pending", 403, Result.REFUSED)
    hint = (
        f"Nothing was sent. An Owner or Admin can approve it under {settings.PUBLIC_URL}/approvals/. "
        f"Then make exactly the same call again, within {minutes} min."
    )
    return ApprovalOutcome(error=replace(pending, hint=hint))


def _not_now(code: str, status: int = 403, *, question: dict[str, Any] | None = None) -> ApprovalOutcome:
    return ApprovalOutcome(error=errors.tool_error(code, status, Result.REFUSED), question=question)
