import asyncio
import contextlib

import httpx
import pytest

from mcpbridge.auth.restrictions.blocks import block_token
from mcpbridge.auth.restrictions.notices import set_notice
from mcpbridge.core.json_parsing import MAX_BODY_BYTES, MAX_DEPTH
from mcpbridge.models import AuditEvent, ObservedClient, ObservedConnection, ObservedToken, RejectedCredential, ToolCall
from mcpbridge.tools import READ_TOOLS, TOOLS
from tests.mcpbridge.fixtures import CLIENT_ID, ME, TOKEN, Talk, bridge_to, envelope, error_of, hoursmith, result_of
from tests.tool_results import error_in

DELETE = ("delete_client", {"id": CLIENT_ID})


@pytest.fixture
def talking(sqlite_database, runner):
    """Runs a conversation with a bridge in front of a given Hoursmith, to the end of which all is written down."""

    def talk(conversation, handler=hoursmith):
        async def whole():
            bridge = bridge_to(handler)
            await bridge.start()
            try:
                return await conversation(Talk(bridge))
            finally:
                await bridge.stop()

        return runner.run(whole())

    return talk


def test_the_whole_list_and_the_read_tools_alone(talking):
    async def conversation(talk):
        everything = result_of(await talk.post("tools/list"))
        by_path = result_of(await talk.post("tools/list", path="/mcp/readonly"))
        by_connection = result_of(await talk.post("tools/list", path="/mcp/c/ana-laptop/readonly"))
        by_header = result_of(await talk.post("tools/list", headers={"X-MCP-Readonly": "true"}))
        return [
            [tool["name"] for tool in listing["tools"]] for listing in (everything, by_path, by_connection, by_header)
        ]

    everything, *read_only = talking(conversation)
    assert everything == list(TOOLS)
    assert read_only == [list(READ_TOOLS)] * 3


def test_a_read_only_address_refuses_to_write_and_sends_nothing(talking):
    sent = []

    def handler(request):
        sent.append(request.method)
        return hoursmith(request)

    result = talking(lambda talk: talk.call(*DELETE, path="/mcp/readonly"), handler)
    error = error_in(result_of(result))
    assert (error["status"], error["code"]) == (403, "read_only")
    assert set(sent) == {"GET"}
    assert AuditEvent.objects.count() == 0
    assert ToolCall.objects.get().code == "read_only"


def test_a_modern_client_is_known_by_the_name_in_each_request(talking):
    talking(lambda talk: talk.call("get_me", name="Claude Code", version="2.1", path="/mcp/c/ana-laptop"))
    call = ToolCall.objects.get()
    assert (call.client_name, call.client_version, call.protocol) == ("Claude Code", "2.1", "2026-07-28")
    assert (call.connection, call.address, call.role) == ("ana-laptop", "203.0.113.5", "OWNER")
    assert ObservedClient.objects.get().name == "Claude Code"


def test_an_older_client_names_itself_once_and_is_known_ever_after(talking):
    async def conversation(talk):
        hello = {
            "protocolVersion": "2025-11-25",
            "capabilities": {},
            "clientInfo": {"name": "Cursor", "version": "1.7"},
        }
        answer = await talk.post("initialize", hello)
        assert result_of(answer)["protocolVersion"] == "2025-11-25"
        session = {"Mcp-Session-Id": answer.headers["mcp-session-id"], "MCP-Protocol-Version": "2025-11-25"}
        # Another process would know it as well: nothing of it is kept here.
        other = Talk(bridge_to())
        await other.bridge.start()
        await other.post("tools/call", {"name": "get_me", "arguments": {}}, headers=session)
        await other.bridge.stop()
        forged = {**session, "Mcp-Session-Id": session["Mcp-Session-Id"][:-2] + "xx", "User-Agent": "curl/8.1"}
        await talk.post("tools/call", {"name": "get_me", "arguments": {}}, headers=forged)

    talking(conversation)
    calls = ToolCall.objects.order_by("at")
    assert [(call.client_name, call.client_version, call.protocol) for call in calls] == [
        ("Cursor", "1.7", "2025-11-25"),
        ("curl", "8.1", "2025-11-25"),
    ]


@pytest.mark.parametrize(
    ("header", "fault"),
    [
        (None, "missing"),
        ("Bearer ${HOURSMITH_API_TOKEN}", "unexpanded_reference"),
        ("Bearer", "empty"),
        (f"Bearer Bearer {TOKEN}", "bearer_twice"),
        (f"Bearer '{TOKEN}'", "quoted"),
        (f"Bearer {TOKEN[:-3]}", "malformed"),
        ("Basic eDp5", "other_scheme"),
    ],
)
def test_a_faulty_credential_is_401_with_a_challenge_and_the_fault_by_name(talking, header, fault):
    asked = []

    def handler(request):
        asked.append(request)
        return hoursmith(request)

    async def conversation(talk):
        headers = {} if header is None else {"Authorization": header}
        return await talk._client.post("/mcp", json={}, headers=headers)

    answer = talking(conversation, handler)
    assert answer.status_code == 401
    assert answer.headers["www-authenticate"].startswith('Bearer realm="hoursmith"')
    assert ("invalid_token" in answer.headers["www-authenticate"]) is (fault != "missing")
    assert error_of(answer)["data"]["fault"] == fault
    assert TOKEN[-12:] not in answer.text
    assert asked == []
    assert RejectedCredential.objects.get().fault == fault


def test_a_token_that_hoursmith_refuses_is_401_and_leaves_no_token_row(talking):
    def handler(request):
        return httpx.Response(401, json={"error": {"code": "unauthenticated", "message": "no"}})

    async def conversation(talk):
        return [await talk.post("tools/list"), await talk.call("get_me"), await talk.call(*DELETE)]

    answers = talking(conversation, handler)
    assert [answer.status_code for answer in answers] == [401, 401, 401]
    assert {error_of(answer)["data"]["fault"] for answer in answers} == {"rejected"}
    assert ObservedToken.objects.count() == 0
    assert sum(row.attempts for row in RejectedCredential.objects.all()) == 3


def test_a_token_revoked_in_the_middle_gets_no_further_answer(talking):
    revoked = []

    def handler(request):
        if revoked:
            return httpx.Response(401, json={"error": {"code": "unauthenticated", "message": "no"}})
        return hoursmith(request)

    async def conversation(talk):
        before = await talk.call("get_me")
        revoked.append(True)
        return [before, await talk.post("tools/list"), await talk.call("list_clients"), await talk.call(*DELETE)]

    assert [answer.status_code for answer in talking(conversation, handler)] == [200, 401, 401, 401]


def test_a_blocked_token_is_refused_on_the_next_call_without_asking_hoursmith(talking):
    asked = []

    def handler(request):
        asked.append(request)
        return hoursmith(request)

    async def conversation(talk):
        assert (await talk.call("get_me")).status_code == 200
        await asyncio.to_thread(block_token, env="live", prefix=TOKEN[9:21], org_id="org-1", actor="Ana", reason="")
        asked.clear()
        return await talk.call("get_me")

    answer = talking(conversation, handler)
    assert answer.status_code == 401
    assert error_of(answer)["data"]["fault"] == "blocked"
    assert asked == []


def test_too_many_bad_tokens_from_one_address_are_429_with_a_time_to_wait(talking):
    def handler(request):
        return httpx.Response(401, json={"error": {"code": "unauthenticated", "message": "no"}})

    async def conversation(talk):
        return [await talk.call("get_me", token=TOKEN[:9] + f"{n:012x}" + TOKEN[21:]) for n in range(6)]

    answers = talking(conversation, handler)
    assert [answer.status_code for answer in answers] == [401] * 4 + [429] * 2
    assert 1 <= int(answers[-1].headers["retry-after"]) <= 60


def test_a_plan_without_api_access_lists_the_tools_and_explains_itself_on_the_first_call(talking):
    def handler(request):
        return httpx.Response(
            402, json={"error": {"code": "forbidden_plan", "message": "No API.", "requiredPlan": "studio"}}
        )

    async def conversation(talk):
        return await talk.post("tools/list"), await talk.call("get_me")

    listing, call = talking(conversation, handler)
    assert len(result_of(listing)["tools"]) == 31
    result = result_of(call)
    assert result["isError"] is True
    assert error_in(result)["requiredPlan"] == "studio"
    assert "Studio or Agency" in error_in(result)["hint"]


def test_a_fault_behind_the_envelope_is_answered_under_its_own_id(talking):
    async def conversation(talk):
        talk.bridge.http._server = None
        return await talk.post("tools/list")

    body = talking(conversation, hoursmith).json()
    assert (body["id"], body["error"]["code"]) == (1, -32603)
    assert len(body["error"]["data"]["requestId"]) == 32


def test_a_fault_of_ours_is_a_request_id_and_nothing_else(talking):
    def handler(request):
        if request.url.path.endswith("/me"):
            return hoursmith(request)
        raise AssertionError("a bug in the bridge")

    async def conversation(talk):
        talk.bridge.calls._upstream = None
        return await talk.call("list_clients")

    error = error_in(result_of(talking(conversation, handler)))
    assert error["code"] == "bridge_fault"
    assert len(error["requestId"]) == 32
    assert "Traceback" not in repr(error)


def test_a_caller_who_hangs_up_in_the_middle_of_a_deletion_does_not_take_its_outcome_along(talking):
    started, go_on = asyncio.Event(), asyncio.Event()

    async def handler(request):
        if request.method == "DELETE":
            started.set()
            await go_on.wait()
        return hoursmith(request)

    async def conversation(talk):
        call = asyncio.create_task(talk.call(*DELETE))
        await started.wait()
        call.cancel()
        with contextlib.suppress(asyncio.CancelledError):
            await call
        go_on.set()

    talking(conversation, handler)
    assert list(AuditEvent.objects.order_by("recorded_at").values_list("phase", "result", "status")) == [
        ("intent", "", None),
        ("outcome", "succeeded", 204),
    ]


def test_both_rows_of_a_deletion_tell_who_what_and_what_was_lost(talking):
    talking(lambda talk: talk.call(*DELETE, name="Claude Desktop", version="1.0", path="/mcp/c/desk"))
    intent, outcome = AuditEvent.objects.order_by("recorded_at")
    for row in (intent, outcome):
        assert (row.org_id, row.tool, row.target_type, row.target_id) == ("org-1", "delete_client", "client", CLIENT_ID)
        assert (row.target_label, row.token_name, row.role) == ("Globex", ME["tokenName"], "OWNER")
        assert (row.client_name, row.connection, row.address) == ("Claude Desktop", "desk", "203.0.113.5")
    assert intent.snapshot == {"id": CLIENT_ID, "name": "Globex"}
    assert outcome.duration_ms > 0


@pytest.mark.parametrize(
    ("change", "status"),
    [
        ({"path": "/mcp/elsewhere"}, 404),
        ({"path": "/mcp/c/"}, 404),
        ({"path": "/mcp/c/" + "x" * 41}, 404),
        ({"path": "/mcp/c/a%2Fb"}, 404),
        ({"headers": {"Host": "evil.example"}}, 421),
        ({"headers": {"Origin": "https://evil.example"}}, 403),
        ({"headers": {"Origin": "null"}}, 403),
        ({"headers": {"Content-Type": "text/plain"}}, 415),
        ({"headers": {"Accept": "text/html"}}, 406),
        ({"content": b"x" * (MAX_BODY_BYTES + 1)}, 413),
        ({"content": b"{"}, 400),
        ({"content": b'{"jsonrpc":"2.0","id":1,"method":"\xff"}'}, 400),
        ({"content": b"[" * (MAX_DEPTH + 1) + b"]" * (MAX_DEPTH + 1)}, 400),
        ({"content": b"[]"}, 400),
        (
            {
                "content": b'[{"jsonrpc":"2.0","id":1,"method":"ping"}]',
                "headers": {"MCP-Protocol-Version": "2025-11-25"},
            },
            400,
        ),
        ({"content": b'{"jsonrpc":"1.0","id":1,"method":"ping"}'}, 400),
        ({"content": b'{"jsonrpc":"2.0","id":{},"method":"ping"}'}, 400),
        ({"content": b'{"jsonrpc":"2.0","id":1,"method":7}'}, 400),
        ({"content": b'{"jsonrpc":"2.0","id":1,"method":"ping","params":[]}'}, 400),
        ({"content": b"3"}, 400),
        ({"method": "GET"}, 405),
        ({"method": "DELETE"}, 405),
        ({"method": "PUT"}, 405),
    ],
)
def test_what_does_not_fit_the_door_is_turned_away_with_one_json_rpc_error(talking, change, status):
    async def conversation(talk):
        headers = {"Authorization": f"Bearer {TOKEN}", "Content-Type": "application/json"}
        content = change.get("content", b'{"jsonrpc":"2.0","id":1,"method":"ping"}')
        return await talk._client.request(
            change.get("method", "POST"),
            change.get("path", "/mcp"),
            content=content,
            headers={**headers, **change.get("headers", {})},
        )

    answer = talking(conversation)
    assert answer.status_code == status
    assert set(answer.json()) == {"jsonrpc", "id", "error"}
    assert answer.headers["cache-control"] == "no-store"
    assert len(answer.headers["x-request-id"]) == 32


def test_brackets_in_text_are_not_nesting(talking):
    async def conversation(talk):
        return await talk.call("list_clients", {"search": "[" * 100 + '\\"{' * 20})

    assert result_of(talking(conversation))["isError"] is False


@pytest.mark.parametrize("status", [401, 429, 500])
@pytest.mark.parametrize("tool", [("get_me", {}), DELETE])
def test_a_stranger_who_knows_a_prefix_cannot_write_into_its_workspaces_history(talking, status, tool):
    answers = []

    def handler(request):
        return httpx.Response(status, json={"error": {"code": "x"}}) if answers else hoursmith(request)

    async def conversation(talk):
        answers.append(await talk.call("get_me"))
        await asyncio.to_thread(
            set_notice, env="live", prefix=TOKEN[9:21], org_id=ME["orgId"], text="Please rotate me", is_in_text=True
        )
        answers.append(await talk.call(*tool, token=TOKEN[:-4] + "xxxx", path="/mcp/c/desk"))

    ObservedConnection.objects.create(slug="desk", org_id=ME["orgId"])
    talking(conversation, handler)
    assert "rotate" not in answers[1].text
    assert ToolCall.objects.count() == 1
    token = ObservedToken.objects.get()
    assert (token.calls, token.calls_refused, token.last_status) == (1, 0, 200)
    assert (token.clients.count(), token.networks.count(), AuditEvent.objects.count()) == (1, 1, 0)
    assert ObservedConnection.objects.values_list("env", "prefix", "last_seen_at").get() == ("", "", None)
    assert not RejectedCredential.objects.filter(matches_token=True).exists()


@pytest.mark.parametrize("version", ["2026-07-28", "2025-11-25", "2025-06-18"])
@pytest.mark.parametrize(("tool", "arguments"), [("get_me", {}), DELETE, ("get_client", {"id": "no"}), ("none", {})])
def test_the_short_way_of_a_tool_call_answers_as_the_sdk_does(talking, version, tool, arguments):
    async def conversation(talk):
        answers = []
        # A progress token needs the SDK's closer look.
        for more in ({}, {"progressToken": 1}):
            meta = {**(envelope("Claude Code", "2.1") if version == "2026-07-28" else {}), **more}
            headers = {"MCP-Protocol-Version": version, "Mcp-Method": "tools/call", "Mcp-Name": tool}
            params = {"name": tool, "arguments": arguments, "_meta": meta}
            answers.append(await talk.post("tools/call", params, headers=headers))
        return answers

    short, long = talking(conversation)
    assert short.status_code == long.status_code
    assert short.json() == long.json()
