"""While the audit log contradicts its anchor nothing is deleted, and everything else goes on."""

import asyncio
from collections.abc import Iterator

import httpx
import pytest

from mcpbridge.app import Bridge
from mcpbridge.audit.anchors.faults import FaultKind
from mcpbridge.audit.anchors.memory import node_anchors
from mcpbridge.models import AuditEvent
from tests.databases import RecordDatabase
from tests.mcpbridge.fixtures import CLIENT_ID, Talk, bridge_to, hoursmith, result_of
from tests.tool_results import error_in


@pytest.fixture
def sent() -> list[str]:
    """What reached Hoursmith, by method."""
    return []


@pytest.fixture
def bridge(sqlite_database: RecordDatabase, runner: asyncio.Runner, sent: list[str]) -> Iterator[Bridge]:
    def handler(request: httpx.Request) -> httpx.Response:
        sent.append(request.method)
        return hoursmith(request)

    made = bridge_to(handler)
    runner.run(made.start())
    yield made
    runner.run(made.stop())


@pytest.mark.parametrize("kind", FaultKind)
def test_destructive_calls_are_refused_unsent_and_reads_go_on(
    kind: FaultKind, bridge: Bridge, runner: asyncio.Runner, sent: list[str]
) -> None:
    node_anchors().report(kind, "another-workspace", "Entry 4 is missing.")
    error = error_in(result_of(runner.run(Talk(bridge).call("delete_client", {"id": CLIENT_ID}))))
    assert (error["status"], error["code"]) == (503, f"audit_{kind}")
    assert ("audit_accept_restore" if kind is FaultKind.BEHIND else "audit_anchor") in error["hint"]
    assert "another-workspace" not in str(error)
    assert "DELETE" not in sent
    assert not AuditEvent.objects.filter(phase="intent").exists()
    assert not result_of(runner.run(Talk(bridge).call("get_me", {})))["isError"]
