"""Turns what went wrong into the one error that a caller sees: a code, plain words, and what to do.

Hoursmith's own words are passed on only for the codes its contract documents. Anything else, above all the
text of an unexpected answer, stays out: nobody can know what it holds.
"""

from dataclasses import dataclass, field, replace
from typing import Any

from mcpbridge.models import Result
from mcpbridge.redaction.masking import redact
from mcpbridge.tools import RestRequest
from mcpbridge.upstream import ApiResponse, UpstreamError

CODES = {
    400: "bad_request",
    401: "unauthenticated",
    402: "forbidden_plan",
    403: "forbidden_scope",
    404: "not_found",
    409: "conflict",
    422: "validation_error",
    429: "rate_limited",
}

MESSAGES = {
    "bad_request": "Hoursmith could not read the request.",
    "unauthenticated": "Hoursmith does not accept this token.",
    "forbidden_plan": "The workspace's plan has no API access.",
    "forbidden_scope": "This token may not do that.",
    "not_found": "There is no such record, or this token cannot see it.",
    "conflict": "The record is in a state that does not allow this.",
    "validation_error": "Some arguments are missing or wrong.",
    "rate_limited": "Too many calls in a short time.",
    "internal": "Hoursmith failed to answer.",
    "upstream_unreachable": "Hoursmith cannot be reached.",
    "upstream_timeout": "Hoursmith did not answer in time.",
    "upstream_dropped": "The connection to Hoursmith broke before the answer came.",
    "upstream_redirect": "Hoursmith's address answers with a redirect, which is not followed.",
    "upstream_too_large": "Hoursmith's answer is too large.",
    "upstream_malformed": "Hoursmith's answer could not be read.",
    "upstream_error": "Hoursmith gave no usable answer.",
    "audit_unavailable": "The call was not sent, because it could not be recorded first.",
    "restrictions_unknown": "The console does not know yet which tokens are blocked and which tools are paused.",
    "read_only": "This connection is read-only.",
    "frozen": "An admin of the workspace has frozen the tools that destroy.",
    "approval_asked": "The assistant's person was asked first.",
    "approval_pending": "The call waits for a person's approval.",
    "approval_refused": "A person did not approve the call.",
    "approval_expired": "Nobody approved the call in time.",
    "approval_used": "The approval was for one call, which has been made.",
    "approval_queue_full": "Too many calls of this token wait for approval.",
    "bridge_fault": "Something went wrong in the bridge.",
}

HINTS = {
    "bad_request": "Check the arguments and try again.",
    "unauthenticated": "Make a new token under Settings → API and put it into this client's configuration.",
    "forbidden_plan": "API access needs the Studio or Agency plan. An Owner can change the plan in Hoursmith.",
    "forbidden_scope": (
        "The token's role or scope does not allow it. Ask an Owner or Admin, or use a token of a member who may."
    ),
    "not_found": "Check the id: list the records first. Members see only what they are on.",
    "conflict": "Read the record first: its state does not allow this.",
    "validation_error": "Correct the fields named here and call again.",
    "rate_limited": "Wait the seconds given here, then call again.",
    "internal": "Try again later. If it stays, tell Hoursmith's support.",
    "upstream_unreachable": "Nothing was sent. Try again in a moment; an operator can look at /readyz.",
    "upstream_redirect": "An operator should check HOURSMITH_API_URL.",
    "upstream_too_large": "Ask for fewer records at once, with a smaller limit.",
    "audit_unavailable": "Nothing was changed. Try again in a moment; an operator should look at the database.",
    "restrictions_unknown": "Nothing was sent. Try again in a moment; an operator should look at the database.",
    "read_only": "Use the address without /readonly, and without the X-MCP-Readonly header, for tools that write.",
    "frozen": "Nothing was changed. Ask an Owner or Admin of the workspace, who can lift the freeze in the console.",
    "approval_asked": "Nothing was sent. Repeat the call with the person's answer and with the state of the question.",
    "approval_refused": "Nothing was sent. Do not repeat the call; ask your person what they want.",
    "approval_expired": "Nothing was sent. If your person still wants it, call again while somebody can approve it.",
    "approval_used": "Nothing was sent this time. Look whether the record is still there before you call again.",
    "approval_queue_full": "Nothing was sent. Wait until the calls that were asked for are decided.",
    "bridge_fault": "Try again. If it stays, give the request id to whoever runs this console.",
}
# What stands in the way, by the call; the contract's sections 6 (POST) and 9.
_IN_THE_WAY = {
    "/clients/{id}": (
        "The client still has active projects, or invoices. Archive its projects first; one with invoices stays."
    ),
    "/time-entries/{id}": "The entry is on an invoice, so it can no longer be changed or deleted.",
    "/expenses/{id}": "The expense is on an invoice, so it can no longer be changed or deleted.",
}
_KEY_IS_USED = (
    "This idempotencyKey belongs to another call, or to one that is still under way. Call again without it, or with a "
    "new one; look first whether the other call did what you want."
)
# Hoursmith gave no answer that can be used.
UNANSWERED = (
    *("upstream_unreachable", "upstream_timeout", "upstream_dropped", "upstream_redirect"),
    *("upstream_malformed", "upstream_error", "internal"),
)
_MAYBE_DONE = "Look before you repeat it: Hoursmith may have carried it out."
_READ_AGAIN = "Try again in a moment."


@dataclass(frozen=True, slots=True)
class ToolError:
    """One error, as records and callers see it."""

    status: int
    code: str
    message: str
    hint: str
    result: Result
    more: dict[str, Any] = field(default_factory=dict)

    def payload(self) -> dict[str, Any]:
        """Return the JSON in the text block of a failed tool call."""
        return {
            "error": {
                "status": self.status,
                "code": self.code,
                "message": self.message,
                **self.more,
                "hint": self.hint,
            }
        }


def tool_error(code: str, status: int, result: Result, **more: Any) -> ToolError:
    """The error with the words that belong to `code`."""
    return ToolError(status, code, MESSAGES[code], HINTS.get(code, _READ_AGAIN), result, more)


def unauthenticated(explanation: str) -> ToolError:
    """A refused token, where no HTTP status can say so."""
    return ToolError(401, "unauthenticated", MESSAGES["unauthenticated"], explanation, Result.REFUSED)


def from_invalid_arguments(fields: dict[str, str]) -> ToolError:
    """Arguments that do not fit the tool's schema; nothing was sent."""
    return tool_error("validation_error", 422, Result.REFUSED, fields=fields)


def from_upstream_error(error: UpstreamError, *, is_read: bool) -> ToolError:
    """No usable answer."""
    made = tool_error(error.code, error.status, Result.FAILED)
    return replace(made, hint=_MAYBE_DONE) if error.may_be_done and not is_read else made


def _conflict_hint(request: RestRequest) -> str:
    """Return what a 409 to `request` means, and what to do about it."""
    if request.method == "POST":
        return _KEY_IS_USED
    return _IN_THE_WAY.get(request.route, HINTS["conflict"])


def from_response(reply: ApiResponse, request: RestRequest) -> ToolError:
    """Return the error that Hoursmith's answer to `request`, one with an error status, stands for."""
    is_read = request.method == "GET"
    code = CODES.get(reply.status, "internal")
    if reply.status >= 500 or code == "internal":
        hint = HINTS["internal"] if is_read else _MAYBE_DONE
        return ToolError(reply.status, "internal", MESSAGES["internal"], hint, Result.FAILED)
    error = reply.error
    more: dict[str, Any] = {}
    if isinstance(fields := error.get("fields"), dict):
        more["fields"] = {redact(str(name))[:80]: redact(str(why))[:200] for name, why in list(fields.items())[:50]}
    if isinstance(plan := error.get("requiredPlan"), str):
        more["requiredPlan"] = plan[:40]
    if reply.retry_after is not None:
        more["retryAfter"] = reply.retry_after
    message = error.get("message")
    words = redact(message)[:300] if isinstance(message, str) and error.get("code") == code else MESSAGES[code]
    hint = _conflict_hint(request) if code == "conflict" else HINTS[code]
    if code == "rate_limited" and reply.retry_after is not None:
        hint = f"Wait {reply.retry_after} seconds, then call again."
    return ToolError(reply.status, code, words, hint, Result.REFUSED, more)
