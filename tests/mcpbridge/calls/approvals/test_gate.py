"""Calls that wait for a person in the console: on SQLite and PostgreSQL, nothing leaves without consent, and once."""

import asyncio
from datetime import timedelta
from functools import partial
from typing import Any

import pytest
from django.utils import timezone

from mcpbridge.app import Bridge
from mcpbridge.auth.restrictions.blocks import block_token
from mcpbridge.auth.restrictions.pauses import pause_destructive_tools
from mcpbridge.calls.approvals.policy import change_approval_rule
from mcpbridge.calls.approvals.requests import MAX_OPEN, NotDecidableError, decide_approval, expire_approvals
from mcpbridge.models import ApprovalRequest, AuditEvent, ToolCall
from tests.mcpbridge.calls.approvals.conftest import Rule, aside, heard
from tests.mcpbridge.fixtures import CLIENT_ID, ME, Talk, error_of, result_of
from tests.token_shapes import assembled_token
from tests.tool_results import error_in

DELETE = ("delete_client", {"id": CLIENT_ID})
OTHER_ID = "0b1c2d3e-5c0d-4f5e-9d6e-0a5f4b1c2d3e"


def code(response: Any) -> str:
    """The code of a call that was refused, empty for one that was made."""
    result = result_of(response)
    return str(error_in(result)["code"]) if result["isError"] else ""


def decide(request: ApprovalRequest, *, is_approved: bool = True, actor: str = "Ana") -> None:
    decide_approval(key=request.pk, org_id=request.org_id, is_approved=is_approved, actor=actor)


def told() -> list[tuple[str, str]]:
    """The rows about approvals: what, and by whom."""
    rows = AuditEvent.objects.filter(tool__startswith="approval.").order_by("sequence")
    return [(row.tool, row.actor) for row in rows]


async def asked_for(number: int = 1) -> ApprovalRequest:
    """The last request, once there are so many."""
    while await aside(ApprovalRequest.objects.count) < number:  # noqa: ASYNC110 - nobody tells this process
        await asyncio.sleep(0.02)
    return await aside(lambda: ApprovalRequest.objects.latest("pk"))


def test_a_call_that_nobody_answers_is_refused_and_says_where(
    bridge: Bridge, rule: Rule, runner: asyncio.Runner, sent: list[str]
) -> None:
    rule(tools=["delete_client"])
    error = error_in(result_of(runner.run(Talk(bridge).call(*DELETE, name="Claude Desktop"))))
    assert (error["status"], error["code"]) == (403, "approval_pending")
    assert "/approvals/" in error["hint"]
    assert code(runner.run(Talk(bridge).call("archive_project", {"id": CLIENT_ID}))) == ""
    assert "DELETE" not in sent
    request = ApprovalRequest.objects.get()
    assert (request.target_label, request.snapshot["name"], request.cause) == ("Globex", "Globex", "tool")
    assert told() == [("approval.requested", "Claude Desktop with Laptop")]
    ApprovalRequest.objects.update(expires_at=timezone.now())
    expire_approvals()
    expire_approvals()
    assert told()[1:] == [("approval.expired", "")]
    request.refresh_from_db()
    assert (request.decision, request.snapshot) == ("expired", None)
    runner.run(bridge.stop())
    assert ToolCall.objects.get(tool="delete_client").code == "approval_pending"


def test_a_call_that_waits_goes_on_when_a_person_approves(
    bridge: Bridge, rule: Rule, runner: asyncio.Runner, sent: list[str], record: dict[str, str]
) -> None:
    rule(tools=["delete_client"], holds_s=30)

    async def day() -> Any:
        waiting = asyncio.create_task(Talk(bridge).call(*DELETE))
        request = await asked_for()
        assert "DELETE" not in sent
        record["name"] = "Globex & Sons"
        await aside(partial(decide, request))
        return await waiting

    assert code(runner.run(day())) == ""
    assert sent.count("DELETE") == 1
    intent = AuditEvent.objects.get(phase="intent")
    assert (intent.target_label, intent.snapshot["name"]) == ("Globex & Sons", "Globex & Sons")
    phases = AuditEvent.objects.filter(org_id=ME["orgId"]).order_by("sequence").values_list("tool", "phase")
    assert list(phases)[1:] == [
        ("approval.requested", "event"),
        ("approval.approved", "event"),
        ("delete_client", "intent"),
        ("delete_client", "outcome"),
    ]
    # Consent was for that call alone.
    rule(tools=["delete_client"], holds_s=1)
    assert code(runner.run(Talk(bridge).call(*DELETE))) == "approval_pending"


def test_a_refusal_ends_the_call_and_every_repetition_of_it(
    bridge: Bridge, rule: Rule, runner: asyncio.Runner, sent: list[str]
) -> None:
    rule(tools=["delete_client"], holds_s=30)

    async def day() -> Any:
        waiting = asyncio.create_task(Talk(bridge).call(*DELETE))
        request = await asked_for()
        await aside(partial(decide, request, is_approved=False))
        return await waiting

    assert code(runner.run(day())) == "approval_refused"
    assert code(runner.run(Talk(bridge).call(*DELETE))) == "approval_refused"
    assert ApprovalRequest.objects.count() == 1
    assert "DELETE" not in sent


def test_many_at_once_share_one_consent_and_one_of_them_is_made(
    bridge: Bridge, rule: Rule, runner: asyncio.Runner, sent: list[str]
) -> None:
    rule(tools=["delete_client"], holds_s=5)

    async def day() -> list[str]:
        waiting = [asyncio.create_task(Talk(bridge).call(*DELETE)) for _ in range(6)]
        request = await asked_for()
        await aside(partial(decide, request))
        return sorted(code(answer) for answer in await asyncio.gather(*waiting))

    answers = runner.run(day())
    assert (answers.count(""), sent.count("DELETE")) == (1, 1)
    # Whoever comes when the consent is used up asks anew, and nobody answers that here.
    assert set(answers) <= {"", "approval_used", "approval_pending"}
    assert ApprovalRequest.objects.exclude(used_at=None).count() == 1


def test_consent_given_later_serves_the_same_call_and_no_other(
    bridge: Bridge, rule: Rule, runner: asyncio.Runner, sent: list[str]
) -> None:
    rule(tools=["delete_client"])
    other = assembled_token(prefix="9a9a9a9a9a9a", secret="Jj1")
    assert code(runner.run(Talk(bridge).call(*DELETE))) == "approval_pending"
    decide(ApprovalRequest.objects.get())
    for answer in (
        runner.run(Talk(bridge).call("delete_client", {"id": OTHER_ID})),
        runner.run(Talk(bridge).call(*DELETE, token=other)),
    ):
        assert code(answer) == "approval_pending"
    assert "DELETE" not in sent
    assert code(runner.run(Talk(bridge).call(*DELETE))) == ""
    assert code(runner.run(Talk(bridge).call(*DELETE))) == "approval_pending"
    assert sent.count("DELETE") == 1


def test_the_first_decision_counts(bridge: Bridge, rule: Rule, runner: asyncio.Runner) -> None:
    rule(tools=["delete_client"])
    runner.run(Talk(bridge).call(*DELETE))
    request = ApprovalRequest.objects.get()

    async def both() -> list[Any]:
        return await asyncio.gather(
            *(aside(partial(decide, request, is_approved=choice, actor=str(choice))) for choice in (True, False)),
            return_exceptions=True,
        )

    found = runner.run(both())
    assert sorted(type(each) for each in found if each is not None) == [NotDecidableError]
    assert len(told()) == 2
    with pytest.raises(NotDecidableError):
        decide_approval(key=request.pk, org_id="org-2", is_approved=True, actor="Eve")


def test_consent_runs_out(bridge: Bridge, rule: Rule, runner: asyncio.Runner, sent: list[str]) -> None:
    rule(tools=["delete_client"])
    runner.run(Talk(bridge).call(*DELETE))
    decide(ApprovalRequest.objects.get())
    ApprovalRequest.objects.update(expires_at=timezone.now() - timedelta(seconds=1))
    assert code(runner.run(Talk(bridge).call(*DELETE))) == "approval_pending"
    assert "DELETE" not in sent
    assert ApprovalRequest.objects.count() == 2


@pytest.mark.parametrize("order", ["freeze", "block"])
def test_what_was_frozen_or_blocked_meanwhile_is_not_made(
    bridge: Bridge, rule: Rule, runner: asyncio.Runner, sent: list[str], order: str
) -> None:
    rule(tools=["delete_client"], holds_s=30)
    token = {"env": "live", "prefix": "4f8a2c1bdedf"}

    async def day() -> Any:
        waiting = asyncio.create_task(Talk(bridge).call(*DELETE))
        request = await asked_for()
        if order == "freeze":
            await aside(partial(pause_destructive_tools, org_id=ME["orgId"], actor="Ben", reason=""))
            await heard(bridge, lambda restrictions: bool(restrictions.freezes))
        else:
            await aside(partial(block_token, org_id=ME["orgId"], actor="Ben", reason="", **token))
            await heard(bridge, lambda restrictions: bool(restrictions.blocks))
        await aside(partial(decide, request))
        return await waiting

    answer = runner.run(day())
    assert "DELETE" not in sent
    if order == "freeze":
        assert code(answer) == "frozen"
    else:
        assert (answer.status_code, error_of(answer)["data"]["fault"]) == (401, "blocked")


def test_whoever_goes_away_is_held_no_longer(
    bridge: Bridge, rule: Rule, runner: asyncio.Runner, sent: list[str]
) -> None:
    rule(tools=["delete_client"], holds_s=30)

    async def day() -> None:
        waiting = asyncio.create_task(Talk(bridge).call(*DELETE))
        request = await asked_for()
        waiting.cancel()
        await asyncio.wait([waiting])
        await aside(partial(decide, request))
        await bridge.calls.drain()

    runner.run(day())
    assert "DELETE" not in sent
    assert code(runner.run(Talk(bridge).call(*DELETE))) == ""


@pytest.mark.parametrize("at_once", [False, True])
def test_past_so_many_calls_an_hour_the_next_one_waits(
    bridge: Bridge, rule: Rule, runner: asyncio.Runner, sent: list[str], at_once: bool
) -> None:
    rule(hourly_limit=2)

    async def day() -> list[str]:
        calls = [Talk(bridge).call("delete_client", {"id": CLIENT_ID[:-1] + str(number)}) for number in range(5)]
        answers = await asyncio.gather(*calls) if at_once else [await call for call in calls]
        return [code(answer) for answer in answers]

    answers = runner.run(day())
    assert sent.count("DELETE") == answers.count("") == 2
    assert answers.count("approval_pending") == 3
    assert {request.cause for request in ApprovalRequest.objects.all()} == {"rate"}
    if not at_once:
        assert answers[:2] == ["", ""]


def test_one_token_waits_and_the_others_do_not(bridge: Bridge, rule: Rule, runner: asyncio.Runner) -> None:
    rule(tokens=["live_4f8a2c1bdedf"])
    assert code(runner.run(Talk(bridge).call(*DELETE))) == "approval_pending"
    assert code(runner.run(Talk(bridge).call("archive_task", {"id": CLIENT_ID}))) == "approval_pending"
    assert code(runner.run(Talk(bridge).call(*DELETE, token=assembled_token(prefix="9a9a9a9a9a9a")))) == ""


def test_a_request_that_cannot_be_recorded_is_none(
    bridge: Bridge, rule: Rule, runner: asyncio.Runner, sent: list[str], request: pytest.FixtureRequest
) -> None:
    rule(tools=["delete_client"])
    request.getfixturevalue("audit_unavailable")
    assert code(runner.run(Talk(bridge).call(*DELETE))) == "audit_unavailable"
    assert not ApprovalRequest.objects.exists()
    assert "DELETE" not in sent


def test_nobody_is_asked_about_more_than_a_person_can_look_at(
    bridge: Bridge, rule: Rule, runner: asyncio.Runner
) -> None:
    rule(tools=["delete_client"])
    ids = [f"{number:08x}{CLIENT_ID[8:]}" for number in range(MAX_OPEN + 1)]
    answers = [code(runner.run(Talk(bridge).call("delete_client", {"id": each}))) for each in ids]
    assert answers[-2:] == ["approval_pending", "approval_queue_full"]
    assert ApprovalRequest.objects.count() == MAX_OPEN


def test_without_a_rule_or_with_an_empty_one_nobody_is_asked(
    bridge: Bridge, rule: Rule, runner: asyncio.Runner, sent: list[str]
) -> None:
    assert code(runner.run(Talk(bridge).call(*DELETE))) == ""
    rule(tools=["delete_client"])
    empty = {"tools": (), "tokens": (), "hourly_limit": None, "answered_in": "console", "holds_s": 0, "lasts_s": 900}
    change_approval_rule(org_id=ME["orgId"], actor="Ana", **empty)
    runner.run(heard(bridge, lambda restrictions: restrictions.approval_policy(ME["orgId"]) is None))
    assert code(runner.run(Talk(bridge).call(*DELETE))) == ""
    assert sent.count("DELETE") == 2
    assert not ApprovalRequest.objects.exists()
