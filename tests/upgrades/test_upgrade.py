"""A console of the release before is upgraded, on both databases, as docs/upgrading.md says; everything continues."""

import json
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import pytest

from tests.faults.mcp import Answer, call_tool
from tests.postgres import EMPTY, shared_cluster
from tests.prepared import empty_databases
from tests.servers import Served, served_console
from tests.upgrades.released import SETTINGS, SQLITE_FILES, TOTP_SECRET, Known, known, load_postgres, load_sqlite
from tests.upgrades.tables import Query, postgres_query, rows, schema, sqlite_query
from tests.upgrades.visitor import Visitor
from tests.verifiers import run_standalone
from tests.waiting import eventually

# Tables of Django's own, to which a migration adds rows.
GROWN = {"django_migrations", "django_content_type", "auth_permission"}


@dataclass
class Console:
    """A console of the release before, loaded and not started."""

    served: Served
    known: Known
    is_sqlite: bool
    queries: dict[str, Query]
    fresh: dict[str, Query]

    def call(self, token: str, tool: str, *, by: str = "", **arguments: Any) -> Answer:
        """Call a tool with a known token, `by` the assistant of a connection."""
        path = f"/mcp/c/{self.known.connections[by]}" if by else "/mcp"
        return call_tool(self.served, self.known.tokens[token], tool, arguments, path=path, client="claude-code")

    def delete(self, name: str) -> None:
        """Create a client and delete it."""
        made = self.call("staying", "create_client", by="staying", name=name, currency="EUR").result
        gone = self.call("staying", "delete_client", by="staying", id=made["structuredContent"]["data"]["id"]).result
        assert not gone.get("isError"), gone

    def read(self, table: str, *columns: str) -> list[tuple[Any, ...]]:
        """Return the columns of all rows of a table."""
        return self.queries["console"](f"SELECT {', '.join(columns)} FROM {table} ORDER BY 1")


def settings_of(kind: str) -> dict[str, str]:
    """Return the settings of the release before, and the one that a key asks for which it rotated."""
    return {**SETTINGS, "AUDIT_KEY_FINGERPRINT": known(kind).fingerprint}


@contextmanager
def on_sqlite(folder: Path) -> Iterator[Console]:
    with served_console(folder, env=settings_of("sqlite"), seed=False, start=False) as served:
        load_sqlite(folder)
        queries = {name: sqlite_query(folder / f"{name}.sqlite3") for name in SQLITE_FILES}
        fresh = {name: sqlite_query(empty_databases() / f"{name}.sqlite3") for name in SQLITE_FILES}
        yield Console(served, known("sqlite"), True, queries, fresh)


@contextmanager
def on_postgres(folder: Path, needs: Callable[[bool, str], None]) -> Iterator[Console]:
    cluster = shared_cluster(needs)
    url = cluster.create_database("upgrading")
    env = settings_of("postgres")
    with served_console(folder, env=env, database_url=url, seed=False, start=False) as served:
        load_postgres(cluster, "upgrading")
        queries, fresh = {"console": postgres_query(url)}, {"console": postgres_query(cluster.url(EMPTY))}
        yield Console(served, known("postgres"), False, queries, fresh)


@pytest.fixture(params=["sqlite", "postgres"])
def console(request: pytest.FixtureRequest, tmp_path: Path, needs: Callable[[bool, str], None]) -> Iterator[Console]:
    made = on_sqlite(tmp_path / "var") if request.param == "sqlite" else on_postgres(tmp_path / "var", needs)
    with made as loaded:
        yield loaded


def test_no_row_is_lost_and_the_tables_are_those_of_a_new_console(console: Console) -> None:
    before = {name: rows(query, is_sqlite=console.is_sqlite) for name, query in console.queries.items()}
    console.served.manage("migrate", "--verbosity", "0")
    if console.is_sqlite:
        console.served.manage("migrate", "--database", "sandbox", "--verbosity", "0")
    for name, query in console.queries.items():
        after = rows(query, is_sqlite=console.is_sqlite, of=before[name])
        for table, (_, kept) in before[name].items():
            assert set(map(repr, kept)) <= set(map(repr, after[table][1])), table
            assert table in GROWN or len(kept) == len(after[table][1]), table
        assert schema(query, is_sqlite=console.is_sqlite) == schema(console.fresh[name], is_sqlite=console.is_sqlite)


def test_everything_continues(console: Console, tmp_path: Path) -> None:
    served, known = console.served, console.known
    served.start(as_installed=True)
    with Visitor(served) as ben:
        ben.sign_in(*known.password_of("ben"), totp=TOTP_SECRET)
    with Visitor(served) as ana:
        ana.sign_in(*known.password_of("ana"))
        restrictions_hold(console)
        nothing_is_missing(console, ana)
        finish_the_rotation(console, ana)
        console.delete("Umbrella")
        served.stop()
        verified(console)
        served.manage("audit_upgrade", "--fingerprint", known.fingerprint)
        verified(console)
        served.start(as_installed=True)
        console.delete("Hooli")
        old_entries_are_the_same_and_proven(console, ana, tmp_path)
    served.stop()
    verified(console)


def restrictions_hold(console: Console) -> None:
    assert console.call("staying", "get_me", by="staying").status == 200
    assert console.call("blocked", "get_me").status == 401


def nothing_is_missing(console: Console, visitor: Visitor) -> None:
    """Look for what the release before stored on the pages that show it."""
    shown = {
        "/members/": console.read("workspaces_member", "name"),
        "/tokens/": console.read("mcpbridge_observedtoken", "token_name"),
        "/connections/": console.read("connections_connection", "label"),
        "/alerts/": console.read("alerts_alertrule", "name") + console.read("alerts_alertchannel", "name"),
        "/audit/destinations/": console.read("mcpbridge_logdestination", "name"),
        "/audit/": console.read("saved_views_savedview", "name"),
        "/rotations/campaigns/": console.read("campaigns_campaign", "title"),
    }
    for address, stored in shown.items():
        page = visitor.page(address)
        assert stored, address
        assert [name for (name,) in stored if name not in page] == [], address


def finish_the_rotation(console: Console, visitor: Visitor) -> None:
    """Let the assistant use the new token, revoke the old one, and finish."""
    assert console.call("new", "get_me", by="rotating").status == 200
    visitor.send("/accounts/reauthenticate/", password=console.known.password_of("ana")[1])
    rotation = console.known.rotation
    address = f"/rotations/{rotation}/"
    # A call is logged a moment after its answer, and a page counts what is logged.
    eventually(
        lambda: visitor.page(address) and dict(console.read("rotations_rotation", "id", "verified_at"))[rotation]
    )
    visitor.send(address, to=f"{address}revoke/")
    assert console.call("rotating", "get_me", by="rotating").status == 401
    visitor.send(address, to=f"{address}finish/")
    ended = dict(console.read("rotations_rotation", "id", "outcome"))
    assert ended[rotation] == "done"


def verified(console: Console) -> None:
    """Verify the log: it is valid up to its last row."""
    console.served.manage("audit_verify")


def old_entries_are_the_same_and_proven(console: Console, visitor: Visitor, folder: Path) -> None:
    """Compare the exports of both releases; verify the old one, and evidence of an old entry, without the console."""
    known, keys, export = console.known, folder / "keys.json", folder / "export.jsonl"
    keys.write_text(json.dumps(known.keys), encoding="utf-8")
    export.write_text(known.export, encoding="utf-8")
    done = run_standalone(str(export), str(keys), "--fingerprint", known.fingerprint)
    assert done.returncode == 0, done.stdout + done.stderr
    old, now = events(known.export), events(console.served.manage("audit_export", "--format", "jsonl"))
    assert {place: {name: now[place].get(name) for name in line} for place, line in old.items()} == old
    deleted = next(line for line in old.values() if line["tool"] == "delete_client")
    evidence = folder / "evidence.zip"
    evidence.write_bytes(visitor.send(f"/audit/{deleted['call_id']}/evidence/").content)
    done = run_standalone(str(evidence), "--fingerprint", known.fingerprint)
    assert done.returncode == 0, done.stdout + done.stderr


def events(export: str) -> dict[int, dict[str, Any]]:
    """Return the events of an export by their sequence."""
    lines = map(json.loads, export.splitlines())
    return {line["sequence"]: line for line in lines if line["type"] == "event"}
