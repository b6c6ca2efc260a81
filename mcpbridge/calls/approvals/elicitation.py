"""The question that goes to an assistant's person, and the state that comes back with the answer.

MCP 2026-07-28, client features, elicitation, and `InputRequiredResult`. The state is signed with `SECRET_KEY`, so
that every worker can read it; that it is used once is the database's to see to.
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
    """The `InputRequiredResult` that asks about `request`; `title` is the tool's."""
    what = f"“{request.target_label}” ({request.target_id})" if request.target_label else request.target_id
    token = f"{request.token_name or 'a token without a name'}, {request.masked_token}"
    message = (
        f"{title}: {request.target_type.replace('_', ' ')} {what}? "
        f"The workspace wants a person to approve this first. The call would be made with {token}."
    )
    schema = {
        "type": "object",
        "properties": {
            _FIELD: {
                "type": "boolean",
                "title": title,
                "description": "Yes lets this one call through. Anything else refuses it.",
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
    """What the client has to bring back, signed: which request, which token, tool and arguments."""
    return signing.dumps(_bound(request.pk, request.env, request.prefix, request.tool, request.digest), salt=_SALT)


def is_answer_to(request: ApprovalRequest, elicitation: ElicitationState, call: Call, *, digest: str) -> bool:
    """Whether what the client brought back was sealed by us for this request, and this very call."""
    if not elicitation.state or len(elicitation.state) > MAX_STATE:
        return False
    try:
        sealed = signing.loads(elicitation.state, salt=_SALT, max_age=request_lifetime(request))
    except (signing.BadSignature, ValueError, TypeError):
        return False
    bound: bool = sealed == _bound(request.pk, call.caller.env, call.caller.prefix, call.tool, digest)
    return bound


def request_lifetime(request: ApprovalRequest) -> timedelta:
    """How long after it was asked the question may be answered."""
    return request.expires_at - request.asked_at


def approval_from(answers: Mapping[str, Any]) -> bool | None:
    """Yes or no, as the person answered; None where they left the question open."""
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
