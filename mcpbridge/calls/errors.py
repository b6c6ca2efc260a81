"""Build the error that a caller sees from what went wrong: a code, a message, and a hint what to do.

Hoursmith's own messages are passed on only for the codes that its contract documents. The text of any other response
is dropped, since it could hold a secret.
"""

from dataclasses import dataclass, field, replace
from typing import Any

from django.conf import settings

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
    "forbidden_scope": "This token does not have permission to do that.",
    "not_found": "The record does not exist, or this token cannot see it.",
    "conflict": "The record's state does not allow this.",
    "validation_error": "Some arguments are missing or invalid.",
    "rate_limited": "Too many calls in a short time.",
    "internal": "Hoursmith failed to respond.",
    "upstream_unreachable": "Hoursmith cannot be reached.",
    "upstream_timeout": "Hoursmith did not respond in time.",
    "upstream_dropped": "The connection to Hoursmith was lost before the response arrived.",
    "upstream_redirect": "Hoursmith responded with a redirect, which is not followed.",
    "upstream_too_large": "Hoursmith's response is too large.",
    "upstream_malformed": "Hoursmith's response could not be read.",
    "upstream_error": "Hoursmith gave no usable response.",
    "audit_unavailable": "The call was not sent, because it could not be written to the audit log first.",
    "audit_changed": "The audit log was changed in the database, so destructive calls are refused.",
    "audit_behind": "The end of the audit log is missing in the database, so destructive calls are refused.",
    "restrictions_unknown": "The console does not know yet which tokens are blocked and which tools are paused.",
    "read_only": "This connection is read-only.",
    "frozen": "An admin of the workspace has paused destructive tools.",
    "approval_asked": "The user was asked to approve the call.",
    "approval_pending": "The call is waiting for approval.",
    "approval_refused": "The call was denied.",
    "approval_expired": "The call was not approved in time.",
    "approval_used": "The approval was for one call, which has already been made.",
    "approval_queue_full": "Too many calls with this token are waiting for approval.",
    "bridge_fault": "Something went wrong in the bridge.",
}

HINTS = {
    "bad_request": "Check the arguments and try again.",
    "unauthenticated": "Create a new token under Settings → API and put it into this client's configuration.",
    "forbidden_plan": "API access needs the Studio or Agency plan. An Owner can change the plan in Hoursmith.",
    "forbidden_scope": (
        "The token's role or scope does not allow it. Ask an Owner or Admin, or use the token of a member who has "
        "permission."
    ),
    "not_found": "Check the id: list the records first. Members see only the projects that they are assigned to.",
    "conflict": "Read the record first: its current state does not allow this.",
    "validation_error": "Correct the fields listed here and call again.",
    "rate_limited": "Wait for the number of seconds in retryAfter, then call again.",
    "internal": "Try again later. If the problem persists, contact Hoursmith support.",
    "upstream_unreachable": "Nothing was sent. Try again in a moment; an operator can look at /readyz.",
    "upstream_redirect": "An operator should check HOURSMITH_API_URL.",
    "upstream_too_large": "Request fewer records at once, with a smaller limit.",
    "audit_unavailable": "Nothing was changed. Try again in a moment; an operator should look at the database.",
    "audit_changed": (
        f"Nothing was sent. An operator should run `{settings.MANAGE_COMMAND} audit_anchor`; reading still works."
    ),
    "audit_behind": (
        f"Nothing was sent. An operator should run `{settings.MANAGE_COMMAND} audit_accept_restore`;"
        " reading still works."
    ),
    "restrictions_unknown": "Nothing was sent. Try again in a moment; an operator should look at the database.",
    "read_only": "For tools that write, use the address without /readonly and without the X-MCP-Readonly header.",
    "frozen": "Nothing was changed. Ask an Owner or Admin of the workspace to resume destructive tools in the console.",
    "approval_asked": "Nothing was sent. Retry with the user's answer and the request state.",
    "approval_refused": "Nothing was sent. Do not repeat the call; ask the user how to proceed.",
    "approval_expired": (
        "Nothing was sent. If the user still wants it, call again when an admin is available to approve it."
    ),
    "approval_used": "Nothing was sent this time. Check whether the record still exists before you call again.",
    "approval_queue_full": "Nothing was sent. Wait until the pending requests are decided.",
    "bridge_fault": "Try again. If the problem persists, give the request id to the operator of this console.",
}
# What causes a conflict, by route; the contract's sections 6 (POST) and 9.
_CONFLICT_HINTS = {
    "/clients/{id}": (
        "The client still has active projects or invoices. Archive its projects first; a client with invoices cannot "
        "be deleted."
    ),
    "/time-entries/{id}": "The entry is on an invoice, so it can no longer be changed or deleted.",
    "/expenses/{id}": "The expense is on an invoice, so it can no longer be changed or deleted.",
}
_KEY_IS_USED = (
    "This idempotencyKey belongs to another call, or to one that is still running. Call again without it or with a new "
    "one; check first whether the other call already did what you want."
)
# Codes for calls to which Hoursmith gave no usable response.
UNANSWERED = (
    *("upstream_unreachable", "upstream_timeout", "upstream_dropped", "upstream_redirect"),
    *("upstream_malformed", "upstream_error", "internal"),
)
_MAYBE_DONE = "Check before you repeat the call: Hoursmith may have carried it out."
_READ_AGAIN = "Try again in a moment."


@dataclass(frozen=True, slots=True)
class ToolError:
    """One error, as audit rows, activity rows and callers see it."""

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
    """Build the error for `code`, with its message and hint."""
    return ToolError(status, code, MESSAGES[code], HINTS.get(code, _READ_AGAIN), result, more)


def unauthenticated(explanation: str) -> ToolError:
    """Build the error for a rejected token, for transports without HTTP status codes."""
    return ToolError(401, "unauthenticated", MESSAGES["unauthenticated"], explanation, Result.REFUSED)


def from_invalid_arguments(fields: dict[str, str]) -> ToolError:
    """Build the error for arguments that do not fit the tool's schema; nothing was sent."""
    return tool_error("validation_error", 422, Result.REFUSED, fields=fields)


def from_upstream_error(error: UpstreamError, *, is_read: bool) -> ToolError:
    """Build the error for a request to which Hoursmith gave no usable response."""
    made = tool_error(error.code, error.status, Result.FAILED)
    return replace(made, hint=_MAYBE_DONE) if error.may_be_done and not is_read else made


def _conflict_hint(request: RestRequest) -> str:
    """Return the hint for a 409 response to `request`."""
    if request.method == "POST":
        return _KEY_IS_USED
    return _CONFLICT_HINTS.get(request.route, HINTS["conflict"])


def from_response(reply: ApiResponse, request: RestRequest) -> ToolError:
    """Build the error for Hoursmith's response to `request`, which has an error status."""
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
