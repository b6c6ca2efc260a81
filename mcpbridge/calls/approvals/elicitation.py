"""Ask the assistant's user for approval through the MCP client, and read the answer.

MCP 2026-07-28, client features, elicitation, and `InputRequiredResult`. The state is signed with `SECRET_KEY`, so
that every worker can read it; the database ensures that it is used once.
"""

from collections.abc import Mapping
from datetime import timedelta
from typing import Any

from django.core import signing

from mcpbridge.core.types import Call, ElicitationState
from mcpbridge.models import ApprovalRequest

QUESTION = "approval"
_SALT = "mcpbridge.calls.approvals"
_FIELD = "approve"
MAX_STATE = 600


def question(request: ApprovalRequest, *, title: str) -> dict[str, Any]:
    """Return the `InputRequiredResult` that asks about `request`; `title` is the tool's."""
    what = f"“{request.target_label}” ({request.target_id})" if request.target_label else request.target_id
    token = f"{request.token_name or 'unnamed token'}, {request.masked_token}"
    message = (
        f"{title}: {request.target_type.replace('_', ' ')} {what}? "
        f"Your workspace requires approval for this. The call will use the token {token}."
    )
    schema = {
        "type": "object",
        "properties": {
            _FIELD: {
                "type": "boolean",
                "title": title,
                "description": "Yes approves this one call. Anything else denies it.",
                "default": False,
            }
        },
        "required": [_FIELD],
    }
    params = {"mode": "form", "message": message, "requestedSchema": schema}
    return {
        "resultType": "input_required",
        "inputRequests": {QUESTION: {"method": "elicitation/create", "params": params}},
        "requestState": sign_state(request),
    }


def sign_state(request: ApprovalRequest) -> str:
    """Return the signed state that the client must send back: the request, token, tool and arguments."""
    return signing.dumps(_bound(request.pk, request.env, request.prefix, request.tool, request.digest), salt=_SALT)


def is_answer_to(request: ApprovalRequest, elicitation: ElicitationState, call: Call, *, digest: str) -> bool:
    """Return whether the client's state was signed here for this request and this very call."""
    if not elicitation.state or len(elicitation.state) > MAX_STATE:
        return False
    try:
        sealed = signing.loads(elicitation.state, salt=_SALT, max_age=request_lifetime(request))
    except (signing.BadSignature, ValueError, TypeError):
        return False
    bound: bool = sealed == _bound(request.pk, call.caller.env, call.caller.prefix, call.tool, digest)
    return bound


def request_lifetime(request: ApprovalRequest) -> timedelta:
    """Return how long after the request the question may be answered."""
    return request.expires_at - request.asked_at


def approval_from(answers: Mapping[str, Any]) -> bool | None:
    """Return True if the user approved, False if they denied, None if they did not answer."""
    answer = answers.get(QUESTION)
    if not isinstance(answer, Mapping):
        return None
    content = answer.get("content")
    match answer.get("action"):
        case "accept":
            return isinstance(content, Mapping) and content.get(_FIELD) is True
        case "decline":
            return False
    return None


def _bound(key: int, env: str, prefix: str, tool: str, digest: str) -> list[Any]:
    return [key, env, prefix, tool, digest]
