import pytest

from mcpbridge.auth.restrictions.notices import clear_notice, set_notice
from mcpbridge.auth.restrictions.pauses import pause_destructive_tools
from mcpbridge.auth.restrictions.snapshots import turn_off_snapshots, turn_on_snapshots
from mcpbridge.models import AuditEvent, ToolCall
from mcpbridge.protocol.server import NOTICE_META_KEY
from tests.mcpbridge.fixtures import CLIENT_ID, ME, Talk, bridge_to, hoursmith, result_of
from tests.tool_results import error_in

TOKEN = {"env": "live", "prefix": "4f8a2c1bdedf"}
DELETE = ("delete_client", {"id": CLIENT_ID})
NOTICE = "This token is to be replaced by Friday."


@pytest.fixture
def bridge(sqlite_database, runner):
    sent = []

    def handler(request):
        sent.append(request.method)
        return hoursmith(request)

    made = bridge_to(handler)
    made.sent = sent
    runner.run(made.start())
    yield made
    runner.run(made.stop())


def test_a_frozen_workspace_deletes_nothing_and_reads_on(bridge, runner):
    pause_destructive_tools(org_id=ME["orgId"], actor="Ana", reason="something is odd")
    error = error_in(result_of(runner.run(Talk(bridge).call(*DELETE))))
    assert (error["status"], error["code"]) == (403, "frozen")
    assert "resume destructive tools" in error["hint"]
    assert not result_of(runner.run(Talk(bridge).call("get_client", {"id": CLIENT_ID})))["isError"]
    assert "DELETE" not in bridge.sent
    runner.run(bridge.stop())
    assert not AuditEvent.objects.exclude(tool__startswith="console.").exists()
    assert ToolCall.objects.get(tool="delete_client").code == "frozen"


def test_a_frozen_token_of_another_workspace_stops_nobody_here(bridge, runner):
    pause_destructive_tools(org_id="org-2", actor="Eve", reason="", **TOKEN)
    assert not result_of(runner.run(Talk(bridge).call(*DELETE)))["isError"]


def test_a_notice_goes_out_with_each_result_until_it_ends(bridge, runner):
    set_notice(**TOKEN, org_id=ME["orgId"], text=NOTICE)
    modern = result_of(runner.run(Talk(bridge).call("get_me")))
    older = result_of(
        runner.run(Talk(bridge).post("tools/call", {"name": "get_me"}, headers={"MCP-Protocol-Version": "2025-11-25"}))
    )
    for result in (modern, older):
        assert result["_meta"][NOTICE_META_KEY] == NOTICE
        assert len(result["content"]) == 1
        assert "error" not in result["structuredContent"]
    assert modern["resultType"] == "complete"
    clear_notice(**TOKEN, org_id=ME["orgId"])
    assert NOTICE_META_KEY not in result_of(runner.run(Talk(bridge).call("get_me")))["_meta"]


def test_a_notice_stands_in_the_text_where_the_workspace_wants_it(bridge, runner):
    set_notice(**TOKEN, org_id=ME["orgId"], text=NOTICE, is_in_text=True)
    texts = [block["text"] for block in result_of(runner.run(Talk(bridge).call("get_me")))["content"]]
    assert len(texts) == 2
    assert texts[1].endswith(NOTICE)


def test_a_workspace_without_snapshots_deletes_without_reading_first(bridge, runner):
    turn_off_snapshots(org_id=ME["orgId"], actor="Ana")
    turn_off_snapshots(org_id=ME["orgId"], actor="Ben")
    turn_off_snapshots(org_id="org-2", actor="Eve")
    assert not result_of(runner.run(Talk(bridge).call(*DELETE)))["isError"]
    turn_on_snapshots(org_id=ME["orgId"], actor="Ana")
    assert not result_of(runner.run(Talk(bridge).call(*DELETE)))["isError"]
    runner.run(bridge.stop())
    without, with_one = AuditEvent.objects.filter(phase="intent").order_by("sequence")
    assert (without.snapshot, without.snapshot_fault) == (None, "switched_off")
    assert with_one.snapshot["name"] == "Globex"
    assert bridge.sent.count("DELETE") == 2
    told = AuditEvent.objects.filter(org_id=ME["orgId"], tool="console.setting_change").order_by("sequence")
    assert [(row.actor, row.arguments) for row in told] == [
        ("Ana", {"before": "on", "after": "off"}),
        ("Ana", {"before": "off", "after": "on"}),
    ]
