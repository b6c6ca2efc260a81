"""Somebody who writes the database behind the console never gets a signature over a changed history."""

import sqlite3
from collections.abc import Callable
from datetime import datetime, timedelta
from pathlib import Path
from typing import Any

import psycopg
import pytest
from django.db import connections, transaction

from mcpbridge.audit.anchors import memory
from mcpbridge.audit.anchors.faults import AnchorFault
from mcpbridge.audit.anchors.memory import AnchorFaultError, UnadoptedLogError, node_anchors
from mcpbridge.audit.anchors.watch import look
from mcpbridge.audit.checkpoints import make_checkpoints
from mcpbridge.audit.errors import SigningRefusedError
from mcpbridge.audit.rows import append_rows, outcome_row
from mcpbridge.models import AuditCut, AuditEvent, SigningHead, SigningKey
from tests.call_records import SUCCEEDED, a_call
from tests.databases import RecordDatabase

EVENTS, HEADS, CUTS, KEYS = (model._meta.db_table for model in (AuditEvent, SigningHead, AuditCut, SigningKey))
WORKSPACE = "org-1"
Sql = Callable[..., None]


def write(rows: int) -> None:
    with transaction.atomic():
        append_rows("default", [outcome_row(a_call(), SUCCEEDED) for _ in range(rows)])


def sign() -> int:
    (head,) = make_checkpoints(reason="demand", org_id=WORKSPACE)
    return head.sequence


def restart(monkeypatch: pytest.MonkeyPatch) -> None:
    """Forget what the process had in memory, as a restart does."""
    monkeypatch.setattr(memory, "_current", None)


def found() -> AnchorFault | None:
    look(node_anchors(), "default")
    return next(iter(node_anchors().faults), None)


@pytest.fixture
def signed(database: RecordDatabase) -> RecordDatabase:
    """Eight rows, checkpoints at 4 and 8."""
    for _ in range(2):
        write(4)
        sign()
    return database


@pytest.fixture
def sql(signed: RecordDatabase) -> Sql:
    """Run statements as the owner of the database, with the triggers disabled."""

    def run(*statements: str) -> None:
        if signed.path is not None:
            with sqlite3.connect(signed.path) as raw:
                for (name,) in raw.execute("SELECT name FROM sqlite_master WHERE type = 'trigger'").fetchall():
                    raw.execute(f"DROP TRIGGER {name}")
                for statement in statements:
                    raw.execute(statement)
            raw.close()
            return
        with psycopg.connect(signed.url) as raw_postgres:
            raw_postgres.execute("SET session_replication_role = replica")
            for statement in statements:
                raw_postgres.execute(statement)

    return run


ATTACKS = {
    "newest rows deleted": ([f"DELETE FROM {EVENTS} WHERE sequence > 6"], "behind"),
    "newest rows and checkpoints deleted": (
        [f"DELETE FROM {EVENTS} WHERE sequence > 6", f"DELETE FROM {HEADS} WHERE sequence > 6"],
        "behind",
    ),
    "newest rows and all checkpoints deleted": (
        [f"DELETE FROM {EVENTS} WHERE sequence > 6", f"DELETE FROM {HEADS}"],
        "behind",
    ),
    "newest rows and every key and checkpoint deleted": (
        [f"DELETE FROM {EVENTS} WHERE sequence > 6", f"DELETE FROM {HEADS}", f"DELETE FROM {KEYS}"],
        "changed",
    ),
    "all rows deleted": ([f"DELETE FROM {EVENTS}"], "changed"),
    "everything deleted": ([f"DELETE FROM {table}" for table in (EVENTS, HEADS, CUTS, KEYS)], "changed"),
    "key table emptied": ([f"DELETE FROM {KEYS}"], "changed"),
    "newest row changed with its hash": ([f"UPDATE {EVENTS} SET hash = '{'0' * 64}' WHERE sequence = 8"], "changed"),
    "newest row moved": ([f"UPDATE {EVENTS} SET sequence = 9 WHERE sequence = 8"], "changed"),
    "workspace renamed": (
        [f"UPDATE {table} SET org_id = 'org-2' WHERE org_id = 'org-1'" for table in (EVENTS, HEADS)],
        "changed",
    ),
    "a cut that nobody signed": (
        [
            f"INSERT INTO {CUTS} (org_id, sequence, hash, at, key_id, signature, rows)"
            f" SELECT org_id, sequence, hash, at, key_id, signature, 8 FROM {HEADS} WHERE sequence = 8",
            f"DELETE FROM {EVENTS}",
        ],
        "changed",
    ),
}


@pytest.mark.parametrize("is_restarted", [False, True], ids=["while serving", "at rest"])
@pytest.mark.parametrize("name", ATTACKS)
def test_a_changed_history_is_found_and_never_signed(
    name: str, is_restarted: bool, sql: Sql, monkeypatch: pytest.MonkeyPatch
) -> None:
    statements, kind = ATTACKS[name]
    sql(*statements)
    if is_restarted:
        restart(monkeypatch)
    before = SigningHead.objects.count()
    with pytest.raises(AnchorFaultError):
        sign()
    fault = found()
    assert fault is not None
    assert (fault.kind, fault.workspace) == (kind, WORKSPACE)
    assert SigningHead.objects.count() == before
    # The finding outlasts the process, and a database that is put right again.
    restart(monkeypatch)
    assert found() == fault
    with pytest.raises(AnchorFaultError):
        make_checkpoints(reason="demand")


def test_facts_of_a_row_that_nobody_signed_yet_are_checked_before_they_are_signed(sql: Sql) -> None:
    write(2)
    sql(f"UPDATE {EVENTS} SET role = 'MEMBER' WHERE sequence = 9")
    with pytest.raises(AnchorFaultError):
        sign()
    fault = found()
    assert fault is not None
    assert "Entry 9" in fault.reason


def test_rows_that_this_process_wrote_are_missed_before_anybody_signed_them(sql: Sql) -> None:
    write(2)
    sql(f"DELETE FROM {EVENTS} WHERE sequence > 8")
    fault = found()
    assert fault is not None
    assert (fault.kind, "entry 10" in fault.reason) == ("behind", True)


def test_the_anchor_moves_on_behind_unsigned_rows(sql: Sql, monkeypatch: pytest.MonkeyPatch) -> None:
    write(2)
    assert found() is None
    later = datetime.now().astimezone() + timedelta(seconds=11)
    monkeypatch.setattr("django.utils.timezone.now", lambda: later)
    assert found() is None
    restart(monkeypatch)
    sql(f"DELETE FROM {EVENTS} WHERE sequence > 8")
    fault = found()
    assert fault is not None
    assert fault.kind == "behind"


def test_a_log_that_was_only_written_to_is_signed(signed: RecordDatabase, monkeypatch: pytest.MonkeyPatch) -> None:
    write(3)
    assert sign() == 11
    restart(monkeypatch)
    write(1)
    assert found() is None
    assert sign() == 12


def test_a_replayed_old_database_is_found(sqlite_database: RecordDatabase, monkeypatch: pytest.MonkeyPatch) -> None:
    write(4)
    sign()
    assert sqlite_database.path is not None
    old = _contents(sqlite_database.path)
    write(4)
    sign()
    connections["default"].close()
    _restore(sqlite_database.path, old)
    restart(monkeypatch)
    with pytest.raises(AnchorFaultError):
        sign()
    fault = found()
    assert fault is not None
    assert fault.kind == "behind"


def test_an_anchor_that_is_put_back_alone_is_found_in_memory(signed: RecordDatabase) -> None:
    folder = node_anchors().folder
    assert folder is not None
    (file,) = folder.path.glob("*.anchor")
    old = file.read_bytes()
    write(4)
    sign()
    file.write_bytes(old)
    fault = found()
    assert fault is not None
    assert "went back from entry 12 to 8" in fault.reason


def test_an_anchor_that_is_removed_is_found_in_memory(signed: RecordDatabase) -> None:
    folder = node_anchors().folder
    assert folder is not None
    (file,) = folder.path.glob("*.anchor")
    file.unlink()
    fault = found()
    assert fault is not None
    assert "removed" in fault.reason


def test_without_its_anchor_a_node_signs_nothing_after_a_restart(
    signed: RecordDatabase, monkeypatch: pytest.MonkeyPatch
) -> None:
    folder = node_anchors().folder
    assert folder is not None
    (file,) = folder.path.glob("*.anchor")
    file.unlink()
    restart(monkeypatch)
    write(1)
    with pytest.raises(UnadoptedLogError, match="--adopt"):
        sign()
    assert make_checkpoints(reason="demand") == []
    assert found() is None
    assert node_anchors().unadopted == {WORKSPACE}


def test_an_anchor_of_another_workspace_or_another_key_is_none(
    signed: RecordDatabase, monkeypatch: pytest.MonkeyPatch
) -> None:
    folder = node_anchors().folder
    assert folder is not None
    (file,) = folder.path.glob("*.anchor")
    good = file.read_bytes()
    for bad in (good.replace(b'"org-1"', b'"org-2"'), good.replace(b'"sequence":8', b'"sequence":4'), b"[]", b""):
        file.write_bytes(bad)
        for kept in folder.path.glob("*.fault"):
            kept.unlink()
        restart(monkeypatch)
        assert found() is not None, bad
        with pytest.raises(SigningRefusedError):
            make_checkpoints(reason="demand")


def test_what_is_not_found_an_anchor_and_a_database_put_back_together(
    sqlite_database: RecordDatabase, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Only a witness, another node, a receiver or a watcher finds it: this node alone then signs the old history."""
    write(4)
    sign()
    folder = node_anchors().folder
    assert sqlite_database.path is not None
    assert folder is not None
    (file,) = folder.path.glob("*.anchor")
    old, anchor = _contents(sqlite_database.path), file.read_bytes()
    write(4)
    sign()
    connections["default"].close()
    _restore(sqlite_database.path, old)
    file.write_bytes(anchor)
    restart(monkeypatch)
    assert found() is None
    assert sign() == 4


def _contents(path: Path) -> dict[str, Any]:
    with sqlite3.connect(path) as raw:
        raw.execute("PRAGMA wal_checkpoint(TRUNCATE)")
    raw.close()
    return {each.name: each.read_bytes() for each in path.parent.glob(f"{path.name}*") if "lock" not in each.name}


def _restore(path: Path, contents: dict[str, Any]) -> None:
    for each in path.parent.glob(f"{path.name}-*"):
        each.unlink()
    for name, content in contents.items():
        (path.parent / name).write_bytes(content)
