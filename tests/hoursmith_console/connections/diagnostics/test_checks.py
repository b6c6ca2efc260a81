"""Which of the five usual problems it is, from every state that the bridge can see a connection in."""

from datetime import UTC, datetime, timedelta
from typing import Any

import pytest

from hoursmith_console.connections.catalogue import MCP_CLIENTS
from hoursmith_console.connections.diagnostics.causes import problem_for
from hoursmith_console.connections.diagnostics.checks import Evidence, run_checks
from mcpbridge.core.credential import CredentialErrorCode

NOW = datetime(2026, 11, 25, 12, 0, tzinfo=UTC)
EARLIER = NOW - timedelta(hours=1)
NODE, PLAIN = "mcp-remote", "cursor"

# What was seen → the result on token, plan, Node, file, restart, for a client that starts npx and for one that not.
CASES: dict[str, tuple[dict[str, Any], str, str]] = {
    "nothing arrived": (
        {},
        "later later possible possible possible",
        "later later clear possible possible",
    ),
    "a reference arrived unexpanded": (
        {"fault": "unexpanded_reference", "fault_at": NOW},
        "found later clear clear possible",
        "found later clear clear possible",
    ),
    "an unknown token": (
        {"fault": "rejected", "fault_at": NOW},
        "found later clear clear possible",
        "found later clear clear possible",
    ),
    "an old token, replaced since": (
        {
            "fault": "rejected",
            "fault_at": NOW,
            "called_at": EARLIER,
            "last_seen_at": EARLIER,
            "newer_token": "hsk_live_b",
        },
        "possible clear clear clear found",
        "possible clear clear clear found",
    ),
    "a plan without access": (
        {"fault": "forbidden_plan", "fault_at": NOW},
        "clear found clear clear possible",
        "clear found clear clear possible",
    ),
    "another workspace's token": (
        {"fault": "other_workspace", "fault_at": NOW},
        "found later clear clear possible",
        "found later clear clear possible",
    ),
    "only the list of tools": (
        {"last_seen_at": NOW},
        "clear later clear clear clear",
        "clear later clear clear clear",
    ),
    "it works": (
        {"last_seen_at": NOW, "called_at": NOW},
        "clear clear clear clear clear",
        "clear clear clear clear clear",
    ),
    "a fault that is over": (
        {"fault": "missing", "fault_at": EARLIER, "last_seen_at": NOW, "called_at": NOW},
        "clear clear clear clear clear",
        "clear clear clear clear clear",
    ),
    "it calls at the address without an id": (
        {"elsewhere_at": NOW},
        "later later possible found possible",
        "later later clear found possible",
    ),
    "it works here and another one calls elsewhere": (
        {"elsewhere_at": NOW, "last_seen_at": NOW, "called_at": NOW},
        "clear clear clear clear clear",
        "clear clear clear clear clear",
    ),
}


@pytest.mark.parametrize("case", CASES)
@pytest.mark.parametrize("client", [NODE, PLAIN])
def test_every_state_has_its_verdicts(case: str, client: str) -> None:
    seen, for_node, for_plain = CASES[case]
    findings = run_checks(client=MCP_CLIENTS[client], evidence=Evidence(**seen))
    assert [each.key for each in findings] == ["token", "plan", "node", "file", "restart"]
    assert " ".join(each.result for each in findings) == (for_node if client == NODE else for_plain)


@pytest.mark.parametrize("case", CASES)
@pytest.mark.parametrize("client", list(MCP_CLIENTS))
def test_whatever_may_be_it_comes_with_a_reason_and_a_mend(case: str, client: str) -> None:
    for each in run_checks(client=MCP_CLIENTS[client], evidence=Evidence(**CASES[case][0])):
        assert each.reason.endswith(".")
        if each.result == "found" or (each.result == "possible" and each.key != "file"):
            assert each.fixes, each


def test_the_wrong_file_is_told_with_the_right_ones() -> None:
    finding = run_checks(client=MCP_CLIENTS["claude-code"], evidence=Evidence())[3]
    assert any("~/.claude.json" in fix for fix in finding.fixes)
    assert any(".mcp.json" in fix for fix in finding.fixes)


@pytest.mark.parametrize("code", [*CredentialErrorCode, "forbidden_plan", "other_workspace", "too_many_attempts"])
def test_every_fault_has_a_title_and_a_mend(code: str) -> None:
    problem = problem_for(code, MCP_CLIENTS["cursor"])
    assert problem.title != code
    assert all(fix[-1] in ".:…" or "${" in fix or "hsk_" in fix for fix in problem.fixes)
    assert problem.fixes


def test_an_unexpanded_reference_is_told_as_the_client_spells_it() -> None:
    assert (
        "In Cursor, write ${env:HOURSMITH_API_TOKEN}"
        in problem_for("unexpanded_reference", MCP_CLIENTS["cursor"]).fixes
    )
    assert "does not expand" not in " ".join(problem_for("unexpanded_reference", MCP_CLIENTS["cursor"]).fixes)
    assert len(problem_for("unexpanded_reference", MCP_CLIENTS["windsurf"]).fixes) == 3


def test_a_fault_of_the_future_is_named_as_it_is() -> None:
    assert problem_for("quite_new", None).title == "Quite new"
