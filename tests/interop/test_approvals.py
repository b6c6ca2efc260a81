"""Approvals with the official client, over two workers, on SQLite and PostgreSQL."""

import asyncio
import json
import time
from collections.abc import AsyncIterator, Callable, Iterator
from contextlib import asynccontextmanager
from typing import Any

import httpx2
import mcp_types as types
import pytest
from django.db import connections
from mcp import Client
from mcp.client.streamable_http import streamable_http_client
from pytest_django.plugin import DjangoDbBlocker

from hoursmith_console.workspaces.models import Workspace
from mcpbridge.calls.approvals.policy import change_approval_rule
from mcpbridge.calls.approvals.requests import decide_approval
from mcpbridge.models import ApprovalRequest
from tests.databases import as_default
from tests.postgres import shared_cluster
from tests.servers import Served, served_console

pytestmark = pytest.mark.usefixtures("inside")

CALLERS = 4


@pytest.fixture(scope="module", params=["sqlite", "postgres"])
def served(
    request: pytest.FixtureRequest, tmp_path_factory: pytest.TempPathFactory, needs: Callable[[bool, str], None]
) -> Iterator[Served]:
    url = shared_cluster(needs).create_database("approvals") if request.param == "postgres" else None
    folder = tmp_path_factory.mktemp("approvals")
    with served_console(folder, env={"SANDBOX_RATE_LIMITS": "off"}, database_url=url, workers=2, static=False) as made:
        yield made


@pytest.fixture(scope="module")
def token(served: Served) -> str:
    return served.mint_for("OWNER", "owner of a test")


@pytest.fixture(scope="module")
def inside(served: Served, django_db_blocker: DjangoDbBlocker) -> Iterator[None]:
    """The served console's database is this process's own, so that the test can do what a page does."""
    with django_db_blocker.unblock(), as_default(served.environment["DATABASE_URL"]):
        yield


def put_rule(answered_in: str, *, holds_s: int = 0) -> None:
    change_approval_rule(
        org_id=Workspace.objects.get().org_id,
        tools=["delete_client"],
        tokens=[],
        hourly_limit=None,
        answered_in=answered_in,
        holds_s=holds_s,
        lasts_s=900,
        actor="Ana",
    )


def approve(label: str) -> None:
    """Approve the call about `label`, once it waits."""
    try:
        waiting = ApprovalRequest.objects.filter(decision="", target_label=label)
        until = time.monotonic() + 30
        while not waiting.exists():
            assert time.monotonic() < until
            time.sleep(0.05)
        found = waiting.get()
        decide_approval(key=found.pk, org_id=found.org_id, is_approved=True, actor="Ana")
    finally:
        connections["default"].close()


@asynccontextmanager
async def client(served: Served, token: str, *, answers: Any = None, mode: str = "auto") -> AsyncIterator[Client]:
    """The official client; with `answers` it can ask its person, who gives them one after the other."""

    async def ask(_: Any, params: types.ElicitRequestParams) -> types.ElicitResult:
        answers.asked.append(params.message)
        given: types.ElicitResult = answers.pop(0)
        return given

    headers = {"Authorization": f"Bearer {token}"}
    async with httpx2.AsyncClient(headers=headers, timeout=60) as http:
        target = streamable_http_client(served.mcp_url, http_client=http)
        info = types.Implementation(name="Interop approvals", version="1")
        callback = None if answers is None else ask
        async with Client(target, mode=mode, client_info=info, elicitation_callback=callback) as made:
            yield made


class Answers(list[types.ElicitResult]):
    """What the person will say; `asked` is what they were asked."""

    def __init__(self, *given: types.ElicitResult) -> None:
        super().__init__(given)
        self.asked: list[str] = []


YES = types.ElicitResult(action="accept", content={"approve": True})
NO = types.ElicitResult(action="decline")


async def made_client(talk: Client, name: str) -> str:
    created = await talk.call_tool("create_client", {"name": name})
    assert created.structured_content is not None
    return str(created.structured_content["data"]["id"])


def code(result: types.CallToolResult) -> str:
    return json.loads(result.content[0].text)["error"]["code"] if result.is_error else ""  # type: ignore[union-attr]


def test_the_person_at_the_assistant_says_yes_and_no(served: Served, token: str) -> None:
    put_rule("client")
    answers = Answers(YES, NO)

    async def day() -> None:
        async with client(served, token, answers=answers) as talk:
            wanted, kept = await made_client(talk, "Gone Ltd"), await made_client(talk, "Kept Ltd")
            assert code(await talk.call_tool("delete_client", {"id": wanted})) == ""
            assert code(await talk.call_tool("delete_client", {"id": kept})) == "approval_refused"
            assert (await talk.call_tool("get_client", {"id": wanted})).is_error
            assert not (await talk.call_tool("get_client", {"id": kept})).is_error
        # A client of the older era cannot be asked a question, so that it is the console's to decide.
        async with client(served, token, answers=answers, mode="legacy") as talk:
            other = await made_client(talk, "Older Ltd")
            assert code(await talk.call_tool("delete_client", {"id": other})) == "approval_pending"

    asyncio.run(day())
    assert ["Gone Ltd" in message for message in answers.asked] == [True, False]


def test_one_answer_sent_by_many_at_once_is_one_call(served: Served, token: str) -> None:
    put_rule("client")

    async def send(given: types.InputRequiredResult, id: str) -> bool:
        async with client(served, token, answers=Answers()) as talk:
            result = await talk.session.call_tool(
                "delete_client",
                {"id": id},
                input_responses={"approval": YES},
                request_state=given.request_state,
                allow_input_required=True,
            )
            return isinstance(result, types.CallToolResult) and not result.is_error

    async def day() -> list[bool]:
        async with client(served, token, answers=Answers()) as talk:
            wanted = await made_client(talk, "Raced Ltd")
            asked = await talk.session.call_tool("delete_client", {"id": wanted}, allow_input_required=True)
            assert isinstance(asked, types.InputRequiredResult)
        return await asyncio.gather(*(send(asked, wanted) for _ in range(CALLERS)))

    assert sum(asyncio.run(day())) == 1


def test_the_console_approves_what_several_workers_hold_and_it_is_made_once(served: Served, token: str) -> None:
    put_rule("console", holds_s=15)

    async def call(id: str) -> str:
        async with client(served, token) as talk:
            return code(await talk.call_tool("delete_client", {"id": id}))

    async def day() -> list[str]:
        async with client(served, token) as talk:
            wanted = await made_client(talk, "Held Ltd")
        calls = [asyncio.create_task(call(wanted)) for _ in range(CALLERS)]
        await asyncio.to_thread(approve, "Held Ltd")
        return await asyncio.gather(*calls)

    answers = asyncio.run(day())
    assert answers.count("") == 1
    # Whoever comes when the consent is used up asks anew, and nobody answers that.
    assert set(answers) <= {"", "approval_used", "approval_pending"}
