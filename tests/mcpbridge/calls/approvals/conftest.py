"""A bridge over a Hoursmith that counts what is deleted, and rules of its workspace."""

import asyncio
from collections.abc import Callable, Iterator
from typing import Any, TypeVar

import httpx
import pytest
from django.db import connections

from mcpbridge.app import Bridge
from mcpbridge.auth.restrictions.store import ApprovalPolicy
from mcpbridge.calls.approvals.policy import change_approval_rule
from tests.databases import RecordDatabase
from tests.mcpbridge.fixtures import CLIENT_ID, ME, bridge_to, hoursmith

Rule = Callable[..., None]
Found = TypeVar("Found")


@pytest.fixture
def sent() -> list[str]:
    """What reached Hoursmith, by method."""
    return []


@pytest.fixture
def record() -> dict[str, str]:
    """The one client that Hoursmith has; a test may rename it."""
    return {"id": CLIENT_ID, "name": "Globex"}


@pytest.fixture
def bridge(
    database: RecordDatabase, runner: asyncio.Runner, sent: list[str], record: dict[str, str]
) -> Iterator[Bridge]:
    def handler(request: httpx.Request) -> httpx.Response:
        sent.append(request.method)
        is_about_it = request.method == "GET" and "/clients/" in request.url.path
        return httpx.Response(200, json={"data": record}) if is_about_it else hoursmith(request)

    made = bridge_to(handler)
    runner.run(made.start())
    yield made
    runner.run(made.stop())


@pytest.fixture
def rule(bridge: Bridge, runner: asyncio.Runner) -> Rule:
    """Puts a rule in force, and returns when the bridge knows it."""

    def put(**more: Any) -> None:
        given: dict[str, Any] = {
            "tools": (),
            "tokens": (),
            "hourly_limit": None,
            "answered_in": "console",
            "holds_s": 0,
            "lasts_s": 900,
        }
        given |= more
        change_approval_rule(org_id=str(ME["orgId"]), actor="Ana", **given)
        wanted = ApprovalPolicy(**{**given, "tools": frozenset(given["tools"]), "tokens": frozenset(given["tokens"])})
        # The one that was in force before may be known still.
        runner.run(heard(bridge, lambda restrictions: restrictions.approval_policy(ME["orgId"]) == wanted))

    return put


async def heard(bridge: Bridge, is_known: Callable[[Any], bool]) -> None:
    """Wait until the restrictions are such."""
    while not is_known(bridge.restrictions.now()):  # noqa: ASYNC110 - the restrictions have no event to wait for
        await asyncio.sleep(0.01)


async def aside(work: Callable[[], Found]) -> Found:
    """Do `work` with the database on a thread, as a page would, with a connection of its own."""

    def done() -> Found:
        try:
            return work()
        finally:
            connections["default"].close()

    return await asyncio.to_thread(done)
