"""One tool call from the door to the record: who asks, one REST call, what to tell the caller, what to keep.

A destructive call has its intent committed before it leaves and its outcome after it. Calls that change
something run to their end even when the caller goes away in the middle, so that no outcome is lost.
"""

import asyncio
import time
from collections.abc import Coroutine
from dataclasses import dataclass
from datetime import UTC, datetime
from typing import Any

from mcpbridge.activity.recorder import ActivityRecorder
from mcpbridge.audit.writer import AuditUnavailableError, AuditWriter, HourlyLimitError
from mcpbridge.auth.identity import ME, Identities, IdentityUnavailableError
from mcpbridge.auth.restrictions.store import Consents, OrderBook
from mcpbridge.calls import errors
from mcpbridge.calls.approvals.gate import Approvals
from mcpbridge.calls.errors import Problem
from mcpbridge.core.credential import Credential, CredentialFaultError, Fault
from mcpbridge.core.ids import new_id
from mcpbridge.core.sanitize import recordable_arguments
from mcpbridge.core.types import Call, Caller, Dialogue, Ending, Identity
from mcpbridge.models import Kind, Result
from mcpbridge.observability.telemetry import spans
from mcpbridge.tools import RestRequest, Tool
from mcpbridge.upstream import Upstream, UpstreamError

NOBODY = Identity(org_id="", org_name="", plan="", role="", token_name="", scopes=())
NO_DIALOGUE = Dialogue()


@dataclass(frozen=True, slots=True)
class Answer:
    """What the caller gets: the REST payload, or the error in its place; or `question`, for its person, instead."""

    payload: dict[str, Any]
    status: int
    problem: Problem | None = None
    question: dict[str, Any] | None = None

    @classmethod
    def of(cls, problem: Problem, *, question: dict[str, Any] | None = None) -> "Answer":
        return cls(problem.payload(), problem.status, problem, question)

    @property
    def is_error(self) -> bool:
        return self.problem is not None


class Calls:
    """Carries out tool calls. One for a process."""

    def __init__(
        self,
        *,
        upstream: Upstream,
        identities: Identities,
        audit: AuditWriter,
        activity: ActivityRecorder,
        orders: OrderBook,
        approvals: Approvals,
        snapshots: bool,
        arguments: str,
    ) -> None:
        self._upstream = upstream
        self._identities = identities
        self._audit = audit
        self._activity = activity
        self._orders = orders
        self._approvals = approvals
        self._snapshots = snapshots
        self._arguments = arguments
        self._under_way: set[asyncio.Task[Any]] = set()

    async def drain(self) -> None:
        """Wait for the calls that are still under way."""
        while self._under_way:
            await asyncio.wait(self._under_way)

    async def run(
        self,
        tool: Tool,
        arguments: dict[str, Any],
        *,
        credential: Credential,
        caller: Caller,
        read_only: bool = False,
        dialogue: Dialogue = NO_DIALOGUE,
    ) -> Answer:
        """The answer to one call of `tool`.

        Raises CredentialFaultError where the token is refused and TooManyAttemptsError where too many were;
        every other fault is an answer.
        """
        started = time.perf_counter()
        call = Call(
            call_id=new_id(),
            at=datetime.now(UTC),
            caller=caller,
            identity=NOBODY,
            tool=tool.name,
            kind=tool.kind,
            target_type=tool.target_type,
            arguments=recordable_arguments(arguments, self._arguments),
        )
        try:
            identity = await self._identities.of(credential, address=caller.address)
        except IdentityUnavailableError as error:
            answer = Answer.of(errors.from_reply(error.reply, ME))
            # Hoursmith looks at the token before the plan: only this refusal says that the token is a real one.
            return self._end(call, answer, started, is_accepted=answer.status == 402)
        except UpstreamError as error:
            answer = Answer.of(errors.from_upstream_error(error, is_read=True))
            return self._end(call, answer, started, is_accepted=False)
        call.identity, caller.is_accepted = identity, True
        if read_only and tool.kind is not Kind.READ:
            return self._end(call, Answer.of(errors.problem("read_only", 403, Result.REFUSED)), started)
        if faults := tool.faults(arguments):
            return self._end(call, Answer.of(errors.from_faults(faults)), started)
        call.target_id = tool.target_id(arguments)
        if tool.kind is Kind.DESTRUCTIVE and self._is_frozen(call):
            return self._end(call, Answer.of(errors.problem("frozen", 403, Result.REFUSED)), started)
        match tool.kind:
            case Kind.READ:
                return await self._carry_out(tool, arguments, credential, call, started)
            case Kind.WRITE:
                return await self._to_the_end(self._carry_out(tool, arguments, credential, call, started))
        if (rule := self._orders.now().consent_rule(identity.org_id)) is not None:
            return await self._with_consent(rule, dialogue, tool, arguments, credential, call, started)
        return await self._to_the_end(self._destroy(tool, arguments, credential, call, started))

    async def _with_consent(
        self,
        rule: Consents,
        dialogue: Dialogue,
        tool: Tool,
        arguments: dict[str, Any],
        credential: Credential,
        call: Call,
        started: float,
    ) -> Answer:
        """Destroy something once a person let it happen, where the workspace wants one asked.

        Until then the call is nobody's but the caller's: one who goes away is held no longer, and nothing is sent.
        """

        async def look() -> dict[str, Any] | None:
            snapshot, _ = await self._snapshot(tool, arguments, credential, org_id=call.identity.org_id)
            call.target_label = tool.target_label(snapshot)
            return snapshot

        async def attempt(*, is_over_limit: bool) -> Answer:
            with spans.step("ask for approval"):
                verdict = await self._approvals.verdict(
                    rule, call, arguments, dialogue, title=tool.title, look=look, is_over_limit=is_over_limit
                )
            if verdict.problem is not None:
                return self._end(call, Answer.of(verdict.problem, question=verdict.question), started)
            consent = verdict.request
            limit = rule.hourly_limit if consent is None else None
            work = self._destroy(tool, arguments, credential, call, started, consent=consent, hourly_limit=limit)
            return await self._to_the_end(work)

        try:
            return await attempt(is_over_limit=False)
        except HourlyLimitError:
            # Others came in between, on any worker. A person is asked now, so this does not happen twice.
            return await attempt(is_over_limit=True)

    def _is_frozen(self, call: Call) -> bool:
        caller = call.caller
        return self._orders.now().freezes_destruction(call.identity.org_id, caller.env, caller.prefix)

    async def _to_the_end(self, work: Coroutine[Any, Any, Answer]) -> Answer:
        task = asyncio.create_task(work)
        self._under_way.add(task)
        task.add_done_callback(self._under_way.discard)
        return await asyncio.shield(task)

    async def _carry_out(
        self, tool: Tool, arguments: dict[str, Any], credential: Credential, call: Call, started: float
    ) -> Answer:
        answer = await self._ask(tool.request(arguments), credential, is_read=tool.kind is Kind.READ)
        record = answer.payload.get("data")
        if not answer.is_error and isinstance(record, dict):
            call.target_label = tool.target_label(record)
            call.target_id = call.target_id or str(record.get("id") or "")
        return self._end(call, answer, started, credential)

    async def _destroy(
        self,
        tool: Tool,
        arguments: dict[str, Any],
        credential: Credential,
        call: Call,
        started: float,
        *,
        consent: int | None = None,
        hourly_limit: int | None = None,
    ) -> Answer:
        if consent is not None and (problem := await self._too_late(consent, arguments, call)):
            return self._end(call, Answer.of(problem), started)
        # A record that was renamed while the call waited is recorded under the name that it has now.
        call.stored = None
        snapshot, fault = await self._snapshot(tool, arguments, credential, org_id=call.identity.org_id)
        call.target_label = tool.target_label(snapshot)
        try:
            with spans.step("record intent"):
                await self._audit.intent(call, snapshot=snapshot, snapshot_fault=fault, hourly_limit=hourly_limit)
        except AuditUnavailableError:
            return self._end(call, Answer.of(errors.problem("audit_unavailable", 503, Result.REFUSED)), started)
        answer = await self._ask(tool.request(arguments), credential, is_read=False)
        with spans.step("record outcome"):
            await self._audit.outcome(call, _ending(answer, started))
        return self._end(call, answer, started, credential)

    async def _too_late(self, consent: int, arguments: dict[str, Any], call: Call) -> Problem | None:
        """Use consent up; the problem where it is gone, or where the token may not destroy any more."""
        caller = call.caller
        if self._orders.now().holds(caller.env, caller.prefix):
            raise CredentialFaultError(Fault.BLOCKED, env=caller.env, prefix=caller.prefix)
        if self._is_frozen(call):
            return errors.problem("frozen", 403, Result.REFUSED)
        return await self._approvals.used(consent, arguments)

    async def _snapshot(
        self, tool: Tool, arguments: dict[str, Any], credential: Credential, *, org_id: str
    ) -> tuple[dict[str, Any] | None, str]:
        """The record as it is, and otherwise why there is none. A missing snapshot never stops the call."""
        request = tool.snapshot_request(arguments)
        if not self._snapshots or request is None or self._orders.now().stops_snapshots(org_id):
            return None, "switched_off"
        answer = await self._ask(request, credential, is_read=True)
        if answer.problem is not None:
            return None, answer.problem.code
        record = answer.payload.get("data")
        return (record, "") if isinstance(record, dict) else (None, "upstream_malformed")

    async def _ask(self, request: RestRequest, credential: Credential, *, is_read: bool) -> Answer:
        try:
            reply = await self._upstream.send(request, credential)
        except UpstreamError as error:
            return Answer.of(errors.from_upstream_error(error, is_read=is_read))
        if reply.is_success:
            return Answer(reply.payload, reply.status)
        return Answer.of(errors.from_reply(reply, request))

    def _end(
        self,
        call: Call,
        answer: Answer,
        started: float,
        credential: Credential | None = None,
        *,
        is_accepted: bool = True,
    ) -> Answer:
        """Keep the activity row; a token that Hoursmith has just refused gets no answer but that.

        Where it is not known that Hoursmith accepts the token, the row joins nobody's history.
        """
        ending = _ending(answer, started)
        self._activity.call(call, ending, recorded_in_token=is_accepted)
        spans.call_ended(call, ending)
        if credential is not None and answer.status == 401:
            self._identities.forget_refused(credential, address=call.caller.address)
            raise CredentialFaultError(Fault.REJECTED, env=credential.env, prefix=credential.prefix)
        return answer


def _ending(answer: Answer, started: float) -> Ending:
    duration_ms = round((time.perf_counter() - started) * 1000, 3)
    if answer.problem is None:
        return Ending(Result.SUCCEEDED, answer.status, "", duration_ms)
    return Ending(answer.problem.result, answer.problem.status, answer.problem.code, duration_ms)
