"""Run one tool call: identify the caller, check the call, send one REST request, and record what happened.

The intent of a destructive call is committed before the request is sent, and its outcome after it. Calls that write
run to completion even if the caller disconnects, so that no outcome is lost.
"""

import asyncio
import time
from collections.abc import Coroutine
from typing import Any, NamedTuple

from django.utils import timezone

from mcpbridge.activity.recorder import ActivityRecorder
from mcpbridge.audit.anchors.memory import node_anchors
from mcpbridge.audit.errors import AuditUnavailableError, HourlyLimitError
from mcpbridge.audit.writer import AuditWriter
from mcpbridge.auth.identity import ME, IdentityCache, IdentityUnavailableError
from mcpbridge.auth.restrictions.store import ApprovalPolicy, RestrictionStore
from mcpbridge.calls import errors
from mcpbridge.calls.approvals.gate import ApprovalGate
from mcpbridge.calls.errors import ToolError
from mcpbridge.core.credential import Credential, CredentialError, CredentialErrorCode
from mcpbridge.core.ids import new_id
from mcpbridge.core.sanitize import sanitize_arguments
from mcpbridge.core.types import Call, Caller, CallResult, ElicitationState, Identity
from mcpbridge.models import CallKind, Result
from mcpbridge.observability.telemetry import spans
from mcpbridge.tools import RestRequest, Tool
from mcpbridge.upstream import Upstream, UpstreamError

ANONYMOUS = Identity(org_id="", org_name="", plan="", role="", token_name="", scopes=())
NO_ELICITATION = ElicitationState()


class ToolResult(NamedTuple):
    """What the caller gets: the REST payload, an error, or a `question` for the user."""

    payload: dict[str, Any]
    status: int
    error: ToolError | None = None
    question: dict[str, Any] | None = None

    @classmethod
    def of(cls, error: ToolError, *, question: dict[str, Any] | None = None) -> "ToolResult":
        return cls(error.payload(), error.status, error, question)

    @property
    def is_error(self) -> bool:
        return self.error is not None


class ToolCallService:
    """Runs tool calls. One per process."""

    def __init__(
        self,
        *,
        upstream: Upstream,
        identities: IdentityCache,
        audit: AuditWriter,
        activity: ActivityRecorder,
        restrictions: RestrictionStore,
        approvals: ApprovalGate,
        snapshots: bool,
        arguments: str,
    ) -> None:
        self._upstream = upstream
        self._identities = identities
        self._audit = audit
        self._activity = activity
        self._restrictions = restrictions
        self._approvals = approvals
        self._snapshots = snapshots
        self._arguments = arguments
        self._in_flight: set[asyncio.Task[Any]] = set()

    async def drain(self) -> None:
        """Wait for the calls in flight."""
        while self._in_flight:
            await asyncio.wait(self._in_flight)

    async def run(
        self,
        tool: Tool,
        arguments: dict[str, Any],
        *,
        credential: Credential,
        caller: Caller,
        read_only: bool = False,
        elicitation: ElicitationState = NO_ELICITATION,
    ) -> ToolResult:
        """Return the result of one call of `tool`.

        Raises CredentialError if the token is rejected and TooManyAttemptsError if too many unknown tokens were
        tried; every other problem is a result.
        """
        started = time.perf_counter()
        call = Call(
            call_id=new_id(),
            at=timezone.now(),
            caller=caller,
            identity=ANONYMOUS,
            tool=tool.name,
            kind=tool.kind,
            target_type=tool.target_type,
            arguments=sanitize_arguments(arguments, self._arguments),
        )
        try:
            identity = await self._identities.of(credential, address=caller.address)
        except IdentityUnavailableError as error:
            answer = ToolResult.of(errors.from_response(error.reply, ME))
            # Hoursmith checks the token before the plan: among errors only 402 proves that the token is valid.
            return self._finish(call, answer, started, is_accepted=answer.status == 402)
        except UpstreamError as error:
            answer = ToolResult.of(errors.from_upstream_error(error, is_read=True))
            return self._finish(call, answer, started, is_accepted=False)
        call.identity, caller.is_accepted = identity, True
        if read_only and tool.kind is not CallKind.READ:
            return self._finish(call, ToolResult.of(errors.tool_error("read_only", 403, Result.REFUSED)), started)
        if faults := tool.faults(arguments):
            return self._finish(call, ToolResult.of(errors.from_invalid_arguments(faults)), started)
        call.target_id = tool.target_id(arguments)
        if tool.kind is CallKind.DESTRUCTIVE and (refusal := self._refusal(call)) is not None:
            return self._finish(call, ToolResult.of(refusal), started)
        match tool.kind:
            case CallKind.READ:
                return await self._run_call(tool, arguments, credential, call, started)
            case CallKind.WRITE:
                return await self._run_uncancelled(self._run_call(tool, arguments, credential, call, started))
        if (rule := self._restrictions.now().approval_policy(identity.org_id)) is not None:
            return await self._run_with_approval(rule, elicitation, tool, arguments, credential, call, started)
        return await self._run_uncancelled(self._run_destructive(tool, arguments, credential, call, started))

    async def _run_with_approval(
        self,
        rule: ApprovalPolicy,
        elicitation: ElicitationState,
        tool: Tool,
        arguments: dict[str, Any],
        credential: Credential,
        call: Call,
        started: float,
    ) -> ToolResult:
        """Run a destructive call once it is approved, in a workspace that requires approval.

        Until then nothing is sent, and a caller that disconnects ends the wait.
        """

        async def look() -> dict[str, Any] | None:
            snapshot, _ = await self._snapshot(tool, arguments, credential, org_id=call.identity.org_id)
            call.target_label = tool.target_label(snapshot)
            return snapshot

        async def attempt(*, is_over_limit: bool) -> ToolResult:
            with spans.step("ask for approval"):
                outcome = await self._approvals.check(
                    rule, call, arguments, elicitation, title=tool.title, look=look, is_over_limit=is_over_limit
                )
            if outcome.error is not None:
                return self._finish(call, ToolResult.of(outcome.error, question=outcome.question), started)
            approval = outcome.request
            limit = rule.hourly_limit if approval is None else None
            work = self._run_destructive(
                tool, arguments, credential, call, started, approval=approval, hourly_limit=limit
            )
            return await self._run_uncancelled(work)

        try:
            return await attempt(is_over_limit=False)
        except HourlyLimitError:
            # Other calls were committed meanwhile. This one now needs approval, so it cannot happen twice.
            return await attempt(is_over_limit=True)

    def _refusal(self, call: Call) -> ToolError | None:
        """Return why no destructive call may be sent now: tools are paused, or the audit log was tampered with."""
        caller = call.caller
        if self._restrictions.now().pauses_destructive_tools(call.identity.org_id, caller.token_ref):
            return errors.tool_error("frozen", 403, Result.REFUSED)
        if fault := next(iter(node_anchors().faults), None):
            return errors.tool_error(f"audit_{fault.kind}", 503, Result.REFUSED)
        return None

    async def _run_uncancelled(self, work: Coroutine[Any, Any, ToolResult]) -> ToolResult:
        task = asyncio.create_task(work)
        self._in_flight.add(task)
        task.add_done_callback(self._in_flight.discard)
        return await asyncio.shield(task)

    async def _run_call(
        self, tool: Tool, arguments: dict[str, Any], credential: Credential, call: Call, started: float
    ) -> ToolResult:
        answer = await self._send(tool.request(arguments), credential, is_read=tool.kind is CallKind.READ)
        record = answer.payload.get("data")
        if not answer.is_error and isinstance(record, dict):
            call.target_label = tool.target_label(record)
            call.target_id = call.target_id or str(record.get("id") or "")
        return self._finish(call, answer, started, credential)

    async def _run_destructive(
        self,
        tool: Tool,
        arguments: dict[str, Any],
        credential: Credential,
        call: Call,
        started: float,
        *,
        approval: int | None = None,
        hourly_limit: int | None = None,
    ) -> ToolResult:
        if approval is not None and (error := await self._consume_approval(approval, arguments, call)):
            return self._finish(call, ToolResult.of(error), started)
        # The record may have been renamed while the call waited: record its current name.
        call.stored = None
        snapshot, fault = await self._snapshot(tool, arguments, credential, org_id=call.identity.org_id)
        call.target_label = tool.target_label(snapshot)
        try:
            with spans.step("record intent"):
                await self._audit.intent(call, snapshot=snapshot, snapshot_fault=fault, hourly_limit=hourly_limit)
        except AuditUnavailableError:
            return self._finish(
                call, ToolResult.of(errors.tool_error("audit_unavailable", 503, Result.REFUSED)), started
            )
        answer = await self._send(tool.request(arguments), credential, is_read=False)
        with spans.step("record outcome"):
            await self._audit.outcome(call, _call_result(answer, started))
        return self._finish(call, answer, started, credential)

    async def _consume_approval(self, approval: int, arguments: dict[str, Any], call: Call) -> ToolError | None:
        """Consume the approval. Return an error if it is gone, or if destructive calls are refused meanwhile."""
        caller = call.caller
        if self._restrictions.now().is_blocked(caller.token_ref):
            raise CredentialError(CredentialErrorCode.BLOCKED, token=caller.token_ref)
        if (error := self._refusal(call)) is not None:
            return error
        return await self._approvals.consume(approval, arguments)

    async def _snapshot(
        self, tool: Tool, arguments: dict[str, Any], credential: Credential, *, org_id: str
    ) -> tuple[dict[str, Any] | None, str]:
        """Return the record and "", or None and why it was not read. A missing snapshot never stops the call."""
        request = tool.snapshot_request(arguments)
        if not self._snapshots or request is None or self._restrictions.now().turns_off_snapshots(org_id):
            return None, "switched_off"
        answer = await self._send(request, credential, is_read=True)
        if answer.error is not None:
            return None, answer.error.code
        record = answer.payload.get("data")
        return (record, "") if isinstance(record, dict) else (None, "upstream_malformed")

    async def _send(self, request: RestRequest, credential: Credential, *, is_read: bool) -> ToolResult:
        try:
            reply = await self._upstream.send(request, credential)
        except UpstreamError as error:
            return ToolResult.of(errors.from_upstream_error(error, is_read=is_read))
        if reply.is_success:
            return ToolResult(reply.payload, reply.status)
        return ToolResult.of(errors.from_response(reply, request))

    def _finish(
        self,
        call: Call,
        answer: ToolResult,
        started: float,
        credential: Credential | None = None,
        *,
        is_accepted: bool = True,
    ) -> ToolResult:
        """Record the activity row and return `answer`; raise CredentialError if Hoursmith rejected the token.

        Unless Hoursmith `is_accepted` the token, the row is not added to the token's history.
        """
        call_result = _call_result(answer, started)
        self._activity.call(call, call_result, recorded_in_token=is_accepted)
        spans.call_ended(call, call_result)
        if credential is not None and answer.status == 401:
            self._identities.forget_refused(credential, address=call.caller.address)
            raise CredentialError(CredentialErrorCode.REJECTED, token=credential.token_ref)
        return answer


def _call_result(answer: ToolResult, started: float) -> CallResult:
    duration_ms = round((time.perf_counter() - started) * 1000, 3)
    if answer.error is None:
        return CallResult(Result.SUCCEEDED, answer.status, "", duration_ms)
    return CallResult(answer.error.result, answer.error.status, answer.error.code, duration_ms)
