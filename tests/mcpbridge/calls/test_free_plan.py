"""On the free plan every tool says which plan it needs, through a served console whose workspace has that plan."""

from collections.abc import Iterator

import httpx
import pytest

from mcpbridge.tools import TOOLS
from tests.mcpbridge.factories import NOWHERE, Cast, cast_of, refusal
from tests.servers import Served

pytestmark = pytest.mark.usefixtures("quiet_log")

WITH_ID = [name for name, tool in TOOLS.items() if "id" in tool.required]


@pytest.fixture(scope="module")
def cast(console: Served, http: httpx.Client) -> Iterator[Cast]:
    """The cast, whose workspace has lost its plan. It gets it back, so that a call can show that all still serves."""
    made = cast_of(console, http)
    console.manage("sandbox_plan", "free")
    yield made
    console.manage("sandbox_plan", "agency")
    assert made.alice.data("get_me")["plan"] == "agency"


@pytest.mark.parametrize("tool", TOOLS)
def test_on_the_free_plan_every_tool_says_which_plan_it_needs(cast: Cast, tool: str) -> None:
    arguments = {"id": NOWHERE} if tool in WITH_ID else {}
    required = {"name": "New", "clientId": NOWHERE, "projectId": NOWHERE, "entryDate": "2026-11-02", "duration": "1h"}
    required |= {"description": "New", "amount": 1, "expenseDate": "2026-11-02"}
    needed = (*TOOLS[tool].required, *TOOLS[tool].either[1:])
    arguments |= {name: required[name] for name in needed if name != "id"}
    if tool.startswith("update_"):
        arguments |= {"note": "x"} if tool == "update_time_entry" else {"description": "x"}
        arguments = {"id": NOWHERE, "notes": "x"} if tool == "update_client" else arguments
    for wire in (cast.alice, cast.bob):
        error = refusal(wire, tool, arguments, 402, "forbidden_plan")
        assert error["requiredPlan"] == "studio"
        assert "Studio or Agency" in error["hint"]


def test_on_the_free_plan_a_token_never_seen_before_gets_the_same_answer(cast: Cast) -> None:
    assert refusal(cast.unused, "get_me", {}, 402, "forbidden_plan")["requiredPlan"] == "studio"
    assert len(cast.unused.send("tools/list").json()["result"]["tools"]) == 31
