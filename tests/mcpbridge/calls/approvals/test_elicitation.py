"""Consent given in the assistant: what the client brings back counts once, for this call, and only where it may."""

import asyncio
from typing import Any

from django.utils import timezone

from mcpbridge.app import Bridge
from mcpbridge.models import ApprovalRequest, AuditEvent
from tests.mcpbridge.calls.approvals.conftest import Rule, heard
from tests.mcpbridge.fixtures import CLIENT_ID, MODERN, TOKEN, Talk, envelope, result_of
from tests.token_shapes import assembled_token
from tests.tool_results import error_in

OTHER_ID = "0b1c2d3e-5c0d-4f5e-9d6e-0a5f4b1c2d3e"
YES = {"approval": {"action": "accept", "content": {"approve": True}}}
FORMS: dict[str, Any] = {"elicitation": {"form": {}}}


def delete(
    bridge: Bridge,
    runner: asyncio.Runner,
    *,
    id: str = CLIENT_ID,
    token: str = TOKEN,
    can: dict[str, Any] | None = None,
    **brought: Any,
) -> dict[str, Any]:
    """The result of one `delete_client` of a client that `can` so much, and brought back what it says."""
    meta = envelope("Claude Desktop", "1.0")
    meta["io.modelcontextprotocol/clientCapabilities"] = FORMS if can is None else can
    params = {"name": "delete_client", "arguments": {"id": id}, "_meta": meta, **brought}
    headers = {"MCP-Protocol-Version": MODERN, "Mcp-Method": "tools/call", "Mcp-Name": "delete_client"}
    return result_of(runner.run(Talk(bridge).post("tools/call", params, headers=headers, token=token)))


def answered(asked: dict[str, Any], answers: dict[str, Any] | None = None) -> dict[str, Any]:
    return {"inputResponses": answers or YES, "requestState": asked["requestState"]}


def code(result: dict[str, Any]) -> str:
    assert result["resultType"] == "complete"
    return str(error_in(result)["code"]) if result["isError"] else ""


def is_question(result: dict[str, Any]) -> bool:
    return result["resultType"] == "input_required"


def test_the_person_is_asked_in_plain_words_and_yes_lets_the_call_through(
    bridge: Bridge, rule: Rule, runner: asyncio.Runner, sent: list[str]
) -> None:
    rule(tools=["delete_client"], answered_in="client")
    asked = delete(bridge, runner)
    question = asked["inputRequests"]["approval"]
    assert question["method"] == "elicitation/create"
    for words in ("Globex", CLIENT_ID, "Laptop", "hsk_live_4f8a2c1bdedf_••••"):
        assert words in question["params"]["message"]
    assert question["params"]["requestedSchema"]["properties"]["approve"]["type"] == "boolean"
    assert "DELETE" not in sent
    assert code(delete(bridge, runner, **answered(asked))) == ""
    rows = AuditEvent.objects.filter(tool__startswith="approval.").order_by("sequence").values_list("tool", "actor")
    assert list(rows) == [
        ("approval.requested", "Claude Desktop with Laptop"),
        ("approval.approved", "The user of Claude Desktop with Laptop"),
    ]
    # The very same answer, once more, is no answer: the person is asked anew.
    assert is_question(delete(bridge, runner, **answered(asked)))
    assert sent.count("DELETE") == 1


def test_no_is_no_and_a_closed_form_is_neither(
    bridge: Bridge, rule: Rule, runner: asyncio.Runner, sent: list[str]
) -> None:
    rule(tools=["delete_client"], answered_in="client")
    asked = delete(bridge, runner)
    for undecided in ({"approval": {"action": "cancel"}}, {"another": {"action": "accept", "content": {}}}):
        assert is_question(delete(bridge, runner, **answered(asked, undecided)))
    assert ApprovalRequest.objects.get().decision == ""
    unticked = {"approval": {"action": "accept", "content": {"approve": False}}}
    assert code(delete(bridge, runner, **answered(asked, unticked))) == "approval_refused"
    assert code(delete(bridge, runner, **answered(asked))) == "approval_refused"
    other = delete(bridge, runner, id=OTHER_ID)
    assert code(delete(bridge, runner, id=OTHER_ID, **answered(other, {"approval": {"action": "decline"}}))) != ""
    assert "DELETE" not in sent


def test_an_answer_counts_for_nothing_but_its_own_call(
    bridge: Bridge, rule: Rule, runner: asyncio.Runner, sent: list[str]
) -> None:
    rule(tools=["delete_client"], answered_in="client")
    asked = delete(bridge, runner)
    state = asked["requestState"]
    stranger = assembled_token(prefix="9a9a9a9a9a9a", secret="Jj1")
    assert is_question(delete(bridge, runner, id=OTHER_ID, **answered(asked)))
    assert is_question(delete(bridge, runner, token=stranger, **answered(asked)))
    for forged in (state[:-1] + ("A" if state[-1] != "A" else "B"), "", "x" * 5000):
        assert is_question(delete(bridge, runner, inputResponses=YES, requestState=forged))
    ApprovalRequest.objects.update(expires_at=timezone.now())
    assert is_question(delete(bridge, runner, **answered(asked)))
    assert "DELETE" not in sent


def test_where_the_console_decides_an_answer_from_the_assistant_is_no_consent(
    bridge: Bridge, rule: Rule, runner: asyncio.Runner, sent: list[str]
) -> None:
    rule(tools=["delete_client"], answered_in="client")
    asked = delete(bridge, runner)
    rule(tools=["delete_client"], answered_in="console", holds_s=1)
    runner.run(heard(bridge, lambda restrictions: restrictions.approval_policy("org-1").answered_in == "console"))
    assert code(delete(bridge, runner, **answered(asked))) == "approval_pending"
    assert ApprovalRequest.objects.get().decision == ""
    assert "DELETE" not in sent


def test_a_client_that_cannot_ask_waits_for_the_console(
    bridge: Bridge, rule: Rule, runner: asyncio.Runner, sent: list[str]
) -> None:
    rule(tools=["delete_client"], answered_in="client")
    assert code(delete(bridge, runner, can={})) == "approval_pending"
    assert code(delete(bridge, runner, can={"elicitation": {"url": {}}})) == "approval_pending"
    params = {"name": "delete_client", "arguments": {"id": CLIENT_ID}, "inputResponses": YES, "requestState": "x"}
    older = result_of(
        runner.run(Talk(bridge).post("tools/call", params, headers={"MCP-Protocol-Version": "2025-11-25"}))
    )
    assert error_in(older)["code"] == "approval_pending"
    assert "DELETE" not in sent
    assert is_question(delete(bridge, runner, can={"elicitation": {}}))
