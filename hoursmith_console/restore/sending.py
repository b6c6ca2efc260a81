"""Send the one REST call of a restore, and put Hoursmith's answer into words."""

from dataclasses import dataclass

from asgiref.sync import async_to_sync
from django.core.handlers.asgi import ASGIHandler

from hoursmith_console.core.record_fields import label_of
from hoursmith_console.restore.plan import RestorePlan
from mcpbridge.calls.errors import HINTS, ToolError, from_response, from_upstream_error
from mcpbridge.core.credential import Credential
from mcpbridge.models import Result
from mcpbridge.tools import RestRequest
from mcpbridge.upstream import ApiResponse, UpstreamError
from mcpbridge.upstream.config import upstream_from_settings

_CHECK = "Check in Hoursmith whether it is there, then say so here."
# What to do, where the words for assistants do not fit a person.
_ADVICE = {
    "unauthenticated": "Paste a token that is still valid.",
    "forbidden_scope": (
        "Your role in Hoursmith, or the scope of the token, does not allow it. Ask an Owner or Admin to restore it."
    ),
    "conflict": "The state of the record, or of one that it names, does not allow it. Look at it in Hoursmith.",
    "not_found": "A record that is needed no longer exists.",
    "validation_error": "A record that it names is gone, or a rule has changed. Restore that record first.",
    "rate_limited": "Wait a minute, then restore it again.",
}


@dataclass(frozen=True, slots=True)
class RestoreOutcome:
    """How a restore ended. `problem` is what went wrong and what to do; `is_void`: it surely changed nothing."""

    result: Result
    problem: str = ""
    record_id: str = ""
    status: int = 200
    code: str = ""

    @property
    def is_void(self) -> bool:
        return self.result in (Result.REFUSED, Result.FAILED)


def send_restore(plan: RestorePlan, credential: Credential) -> RestoreOutcome:
    """Send the call once, as the owner of `credential`."""
    request = plan.tool.request(plan.arguments)
    try:
        reply = async_to_sync(_send)(request, credential)
    except UpstreamError as error:
        found = from_upstream_error(error, is_read=False)
        result = Result.UNKNOWN if error.may_be_done else Result.FAILED
        advice = _CHECK if error.may_be_done else "Nothing was sent. Restore it again in a moment."
        return RestoreOutcome(result, f"{found.message} {advice}", status=found.status, code=found.code)
    if reply.is_success:
        return _success(plan, reply)
    return _refusal(plan, from_response(reply, request))


async def _send(request: RestRequest, credential: Credential) -> ApiResponse:
    upstream = upstream_from_settings(ASGIHandler())
    try:
        return await upstream.send(request, credential)
    finally:
        await upstream.aclose()


def _success(plan: RestorePlan, reply: ApiResponse) -> RestoreOutcome:
    found = reply.payload.get("data")
    record = found if isinstance(found, dict) else {}
    if not plan.undo.creates:
        if record.get("deletedAt") or record.get("status") == "ARCHIVED":
            problem = f"Hoursmith took the change, but the {plan.noun} is still archived. Unarchive it in Hoursmith."
            return RestoreOutcome(Result.REFUSED, problem, status=reply.status, code="still_archived")
        return RestoreOutcome(Result.SUCCEEDED, record_id=plan.intent.target_id, status=reply.status)
    new = record.get("id")
    return RestoreOutcome(Result.SUCCEEDED, record_id=new if isinstance(new, str) else "", status=reply.status)


def _refusal(plan: RestorePlan, error: ToolError) -> RestoreOutcome:
    if error.result is Result.FAILED:
        return RestoreOutcome(Result.UNKNOWN, f"{error.message} {_CHECK}", status=error.status, code=error.code)
    fields = error.more.get("fields", {})
    named = "; ".join(f"{label_of(name)}: {why}" for name, why in fields.items())
    advice = next((plan.undo.advice[name] for name in (*fields, error.code) if name in plan.undo.advice), "")
    advice = advice or _ADVICE.get(error.code) or HINTS.get(error.code, "")
    parts = (error.message, f"{named}." if named else "", advice)
    problem = " ".join(part for part in parts if part)
    return RestoreOutcome(Result.REFUSED, problem, status=error.status, code=error.code)
