"""No piece of a token stays anywhere: not in the databases, the logs, the output, nor on any page (guarantee G1)."""

from collections.abc import Callable, Iterator

import pytest

from tests.canary import (
    Canaries,
    files_of,
    pages_of,
    processes_of,
    push_as_credential,
    push_by_other_schemes,
    push_by_stdio,
    push_into_a_record,
    push_into_addresses,
    push_into_bodies,
    push_into_forms,
    push_into_headers,
    tables_of,
)
from tests.collector import Collector, collecting
from tests.postgres import shared_cluster
from tests.revoking import revoke_at_hoursmith
from tests.servers import Served, served_console

pytestmark = [pytest.mark.slow, pytest.mark.xdist_group("canary")]

# The embedded workspace stands for somebody else's service: what it is told to store, it stores.
UPSTREAM = ("console-sandbox.sqlite3", "table sandbox_")
PASTED = "a token pasted into a record"
# In the other faulty ones nothing tells which part is secret, so only the Authorization header is asked to keep them.
EVERYWHERE = ("cut short", "a dash for an underscore")


@pytest.fixture(scope="module")
def collector() -> Iterator[Collector]:
    with collecting() as running:
        yield running


@pytest.fixture(scope="module", params=["DEBUG off, SQLite", "DEBUG on, PostgreSQL"])
def served(
    request: pytest.FixtureRequest,
    tmp_path_factory: pytest.TempPathFactory,
    needs: Callable[[bool, str], None],
    collector: Collector,
) -> Iterator[Served]:
    debug, database = request.param.split(", ")
    url = shared_cluster(needs).create_database("canary") if database == "PostgreSQL" else None
    env = {"LOG_LEVEL": "DEBUG", "SANDBOX_RATE_LIMITS": "off", "DEBUG": debug.removeprefix("DEBUG ")}
    env["OTEL_EXPORTER_OTLP_ENDPOINT"] = collector.url
    folder = tmp_path_factory.mktemp("canary")
    with served_console(folder, env=env, database_url=url, workers=1, may_fork=False) as running:
        yield running


def push_through_every_path(served: Served, canaries: Canaries) -> list[tuple[str, bytes]]:
    """What the command over stdio wrote meanwhile."""
    good = canaries.token("a good token", served.mint_for("OWNER"))
    revoked = canaries.token("a revoked token", served.mint_for("ADMIN"))
    unknown = canaries.token("an unknown token")
    malformed = canaries.malformed()
    push_as_credential(served, good)
    push_as_credential(served, revoked)
    revoke_at_hoursmith(served, revoked)
    push_as_credential(served, revoked)
    push_as_credential(served, unknown)
    for credential in malformed.values():
        push_as_credential(served, credential, doors=["/mcp"])
    for token in (good, unknown, *(malformed[label] for label in EVERYWHERE)):
        push_by_other_schemes(served, token)
        push_into_headers(served, good, token)
        push_into_addresses(served, good, token)
        push_into_bodies(served, good, token)
    push_into_a_record(served, good, canaries.token(PASTED))
    push_into_forms(served, unknown)
    return [
        (f"stdio with a {label} token", push_by_stdio(served, token, unknown))
        for label, token in (("good", good), ("revoked", revoked), ("short", malformed["cut short"]))
    ]


def test_no_piece_of_a_token_stays_anywhere(served: Served, collector: Collector) -> None:
    canaries = Canaries()
    printed = push_through_every_path(served, canaries)
    pages = list(pages_of(served, at_most=50))
    processes = list(processes_of(served))
    served.stop()

    found: dict[str, set[str]] = {}
    for place, content in (*files_of(served), *tables_of(served), *processes, *printed, *pages, *collector.bodies):
        labels = canaries.traces(content) - ({PASTED} if place.startswith(UPSTREAM) else set())
        if labels:
            found[place] = labels
    assert found == {}, found
    assert_there_was_something_to_find(served, printed, pages)
    assert {"tools/call delete_client", "POST /mcp", "record intent"} <= {span.name for span in collector.spans()}


def assert_there_was_something_to_find(
    served: Served, printed: list[tuple[str, bytes]], pages: list[tuple[str, bytes]]
) -> None:
    """The search looked at the right places: what may be seen of the tokens is there."""
    log = served.output()
    assert " DEBUG " in log
    assert "••••" in log
    assert all(b"jsonrpc" in output or b"HOURSMITH_API_TOKEN" in output for _, output in printed)
    shown = b"".join(content for _, content in pages).decode()
    assert {address.split("/")[1] for address, _ in pages} >= {"", "tokens", "audit", "activity"}
    assert "Globex hsk_live_" in shown
    assert "••••" in shown


def test_the_search_finds_what_it_looks_for() -> None:
    canaries = Canaries()
    token = canaries.token("a token")
    secret = token.rsplit("_", 1)[1]
    assert canaries.traces(f"GET /mcp?token={token}".encode()) == {"a token"}
    assert canaries.traces(b"\x00\x17" + secret[11:19].lower().encode() + b"\xff") == {"a token"}
    assert canaries.traces(f"{token[:-32]} {secret[:7]}".encode()) == set()
