"""Every error of the catalogue of problems, as the TypeScript SDK 1.x hands it on: most clients stand on that one."""

from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path
from typing import Any
from uuid import NAMESPACE_URL, uuid5

import pytest

from mcpbridge.calls.errors import HINTS, MESSAGES
from mcpbridge.tools import TOOLS
from mcpbridge.upstream import MAX_RESPONSE_BYTES
from tests.faults.upstream import Fault, Hoursmith, Line, Seen, answering, drop_at_once, pause, refusing, serving
from tests.interop.clients import typescript
from tests.interop.node import Node
from tests.interop.problem_tools import PROBLEM
from tests.interop.walk import Step
from tests.servers import Served, served_console
from tests.tool_results import error_in

UPSTREAM_TIMEOUT_S = 0.5


def say_nothing_readable(line: Line, request: Seen) -> None:
    """Answer with a page in place of JSON."""
    line.head(200, {"Content-Type": "text/html", "Content-Length": "6"})
    line.raw(b"<html>")


# What Hoursmith does, and the status that the client is shown for it.
PROVOKED: dict[str, tuple[Fault, int]] = {
    "bad_request": (refusing(400, "bad_request"), 400),
    "forbidden_plan": (refusing(402, "forbidden_plan"), 402),
    "forbidden_scope": (refusing(403, "forbidden_scope"), 403),
    "not_found": (refusing(404, "not_found"), 404),
    "conflict": (refusing(409, "conflict"), 409),
    "validation_error": (refusing(422, "validation_error"), 422),
    "rate_limited": (refusing(429, "rate_limited"), 429),
    "internal": (answering(500), 500),
    "upstream_timeout": (pause(2 * UPSTREAM_TIMEOUT_S), 504),
    "upstream_dropped": (drop_at_once, 502),
    "upstream_redirect": (answering(302, Location="https://elsewhere.example/"), 502),
    "upstream_too_large": (answering(200, b" " * (MAX_RESPONSE_BYTES + 1)), 502),
    "upstream_malformed": (say_nothing_readable, 502),
}
# These come from the console's own state, which other tests bring about; here the catalogue makes them.
MADE = {
    "unauthenticated",
    "upstream_unreachable",
    "upstream_error",
    "audit_unavailable",
    "audit_changed",
    "audit_behind",
    "restrictions_unknown",
    "read_only",
    "frozen",
    "approval_asked",
    "approval_pending",
    "approval_refused",
    "approval_expired",
    "approval_used",
    "approval_queue_full",
    "bridge_fault",
}


def id_for(code: str) -> str:
    return str(uuid5(NAMESPACE_URL, code))


def fail_as_asked(line: Line, request: Seen) -> None:
    """Fail in the way that the id asked for stands for."""
    faults = {id_for(code): fault for code, (fault, _) in PROVOKED.items()}
    faults[request.path.rpartition("/")[2]](line, request)


@dataclass(frozen=True, slots=True)
class Bench:
    served: Served
    hoursmith: Hoursmith
    node: Node

    def results(self, steps: tuple[Step, ...], home: Path) -> list[dict[str, Any]]:
        """What the SDK hands to the client of each call; it raises on a result that it refuses itself."""
        client = {"name": "Reads problems", "version": "1.2.3"}
        job = {"url": self.served.mcp_url, "token": self.hoursmith.mint(), "client": client, "sdk": 1}
        return typescript(self.node, job, steps=steps, home=home).results


@pytest.fixture(scope="module")
def bench(node: Node, tmp_path_factory: pytest.TempPathFactory) -> Iterator[Bench]:
    with serving() as hoursmith:
        env = {
            "HOURSMITH_API_URL": hoursmith.url,
            "UPSTREAM_TIMEOUT_S": str(UPSTREAM_TIMEOUT_S),
            "DJANGO_SETTINGS_MODULE": "tests.interop.problem_settings",
        }
        with served_console(tmp_path_factory.mktemp("problems"), env=env, static=False) as served:
            yield Bench(served, hoursmith, node)


def test_the_walk_knows_every_problem() -> None:
    assert PROVOKED.keys() | MADE == MESSAGES.keys()
    assert not PROVOKED.keys() & MADE
    assert HINTS.keys() <= MESSAGES.keys()


def test_the_sdk_hands_on_what_hoursmith_refuses_or_fails_to_do(bench: Bench, home: Path) -> None:
    steps = tuple(("get_client", {"id": id_for(code)}) for code in PROVOKED)

    with bench.hoursmith.failing("GET", fail_as_asked):
        results = bench.results(steps, home)

    for (code, (_, status)), result in zip(PROVOKED.items(), results, strict=True):
        error = error_in(result)
        assert (error["code"], error["status"]) == (code, status)
        assert error["message"]
        assert error["hint"]


def test_the_sdk_hands_on_every_problem_of_every_tool(bench: Bench, home: Path) -> None:
    steps = tuple((tool, {PROBLEM: code}) for code in MESSAGES for tool in TOOLS)

    results = bench.results(steps, home)

    for (_, arguments), result in zip(steps, results, strict=True):
        code = arguments[PROBLEM]
        error = error_in(result)
        assert error == {
            "status": 400,
            "code": code,
            "message": MESSAGES[code],
            "retryAfter": 7,
            "hint": HINTS.get(code, "Try again in a moment."),
        }
