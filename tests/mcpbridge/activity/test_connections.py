import httpx
import pytest

from mcpbridge.activity.connections import open_connection
from mcpbridge.models import ObservedConnection, ToolCall
from tests.mcpbridge.fixtures import ME, TOKEN, Talk, bridge_to, hoursmith
from tests.token_shapes import assembled_token


@pytest.fixture
def talking(database, runner):
    """Runs a conversation with a bridge, to the end of which all is written down."""

    def talk(conversation, handler=hoursmith):
        async def whole():
            bridge = bridge_to(handler)
            await bridge.start()
            try:
                await conversation(Talk(bridge))
            finally:
                await bridge.stop()

        runner.run(whole())

    return talk


def path_of(connection, more=""):
    return f"/mcp/c/{connection.slug}{more}"


def test_a_connection_knows_the_token_the_assistant_and_the_last_call(talking):
    mine = open_connection(org_id=ME["orgId"])

    async def conversation(talk):
        await talk.call("get_me", name="Claude Code", version="2.1", path=path_of(mine))
        await talk.call("list_clients", name="Claude Code", version="2.1", path=path_of(mine, "/readonly"))

    talking(conversation)
    mine.refresh_from_db()
    assert (mine.env, mine.prefix, mine.role) == ("live", "4f8a2c1bdedf", "OWNER")
    assert (mine.client_name, mine.client_version, mine.protocol) == ("Claude Code", "2.1", "2026-07-28")
    assert (mine.last_method, mine.last_status, mine.calls) == ("list_clients", 200, 2)
    assert mine.first_seen_at <= mine.called_at == mine.last_seen_at
    assert not mine.fault


def test_a_client_that_only_lists_the_tools_was_seen_but_has_not_called(talking):
    mine = open_connection(org_id=ME["orgId"])
    talking(lambda talk: talk.post("tools/list", path=path_of(mine), headers={"User-Agent": "Cursor/1.7"}))
    mine.refresh_from_db()
    assert (mine.client_name, mine.last_method, mine.calls, mine.called_at) == ("Cursor", "tools/list", 0, None)
    assert mine.first_seen_at == mine.last_seen_at is not None


def test_a_token_of_another_workspace_is_not_bound_to_the_connection(talking):
    theirs = open_connection(org_id="org-2")

    async def conversation(talk):
        await talk.call("get_me", path=path_of(theirs))
        await talk.post("tools/list", path=path_of(theirs))

    talking(conversation)
    theirs.refresh_from_db()
    assert (theirs.prefix, theirs.calls, theirs.last_seen_at) == ("", 0, None)
    assert (theirs.fault, theirs.fault_prefix, theirs.fault_client) == ("other_workspace", "", "")
    assert ToolCall.objects.get().org_id == ME["orgId"]


def test_an_id_that_nobody_opened_makes_no_row(talking):
    talking(lambda talk: talk.call("get_me", path="/mcp/c/made-up"))
    assert not ObservedConnection.objects.exists()


@pytest.mark.parametrize(
    ("token", "fault"),
    [("${HOURSMITH_API_TOKEN}", "unexpanded_reference"), (assembled_token(prefix="0123456789ab"), "rejected")],
)
def test_a_fault_of_the_configuration_is_named_on_its_connection(talking, token, fault):
    mine = open_connection(org_id=ME["orgId"])

    def handler(request):
        return hoursmith(request) if TOKEN in request.headers["authorization"] else httpx.Response(401, json={})

    talking(
        lambda talk: talk.call("get_me", path=path_of(mine), token=token, headers={"User-Agent": "Cursor/1.7"}), handler
    )
    mine.refresh_from_db()
    # The token is unknown: Hoursmith has never accepted one with this prefix.
    assert (mine.fault, mine.fault_prefix, mine.fault_client) == (fault, "", "Cursor")
    assert mine.fault_at is not None
    assert mine.last_seen_at is None


def test_a_plan_without_access_is_named_on_its_connection(talking):
    mine = open_connection(org_id=ME["orgId"])
    lapsed = {"error": {"code": "forbidden_plan", "message": "No.", "requiredPlan": "studio"}}
    talking(lambda talk: talk.call("get_me", path=path_of(mine)), lambda request: httpx.Response(402, json=lapsed))
    mine.refresh_from_db()
    assert (mine.fault, mine.fault_prefix) == ("forbidden_plan", "4f8a2c1bdedf")
