"""Somebody who writes the database behind the console never gets a signature over a changed history."""

import sqlite3
from datetime import datetime, timedelta
from pathlib import Path

import pytest
from django.db import connections

from mcpbridge.audit.anchors.memory import AnchorFaultError, NodeAnchors, UnadoptedLogError, node_anchors
from mcpbridge.audit.checkpoints import make_checkpoints
from mcpbridge.audit.errors import SigningRefusedError
from mcpbridge.models import SigningHead
from tests.databases import RecordDatabase
from tests.mcpbridge.audit.anchors.conftest import (
    CUTS,
    EVENTS,
    HEADS,
    KEYS,
    WORKSPACE,
    Restart,
    Sql,
    anchor_file,
    become,
    found,
    sign,
    write,
)

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
    name: str, is_restarted: bool, sql: Sql, restart: Restart, second: NodeAnchors, monkeypatch: pytest.MonkeyPatch
) -> None:
    statements, kind = ATTACKS[name]
    sql(*statements)
    if is_restarted:
        restart()
    before = SigningHead.objects.count()
    with pytest.raises(AnchorFaultError):
        sign()
    fault = found()
    assert fault is not None
    assert (fault.kind, fault.workspace) == (kind, WORKSPACE)
    assert SigningHead.objects.count() == before
    # A second node finds it, too, and signs nothing either.
    become(second, monkeypatch)
    with pytest.raises(AnchorFaultError):
        sign()
    assert WORKSPACE in {fault.workspace for fault in second.faults}
    assert SigningHead.objects.count() == before
    # The finding outlasts the process, and a database that is put right again.
    restart()
    assert found() == fault
    with pytest.raises(AnchorFaultError):
        make_checkpoints(reason="demand")


@pytest.mark.parametrize("is_restarted", [False, True], ids=["while serving", "at rest"])
@pytest.mark.parametrize(("number", "is_replaced"), [("-1", False), ("1000", False), ("1000", True)])
def test_a_checkpoint_that_is_inserted_at_the_last_verified_row_is_found(
    number: str, is_replaced: bool, is_restarted: bool, sql: Sql, restart: Restart
) -> None:
    columns = "org_id, sequence, hash, at, key_id, reason, origin, root, signed_note"
    # As many idle ones as come without new entries are no finding.
    for _ in range(3):
        assert (sign(), found()) == (8, None)
    if is_restarted:
        restart()
    sql(
        f"INSERT INTO {HEADS} (id, signature, {columns})"
        f" SELECT {number}, 'AAAA', {columns} FROM {HEADS} WHERE sequence = 8 LIMIT 1"
    )
    if is_replaced:
        sql(f"DELETE FROM {HEADS} WHERE id = (SELECT MIN(id) FROM {HEADS} WHERE sequence = 8)")
    fault = found()
    assert fault is not None
    assert (fault.kind, "A checkpoint in the database is not ours" in fault.reason) == ("changed", True)
    with pytest.raises(AnchorFaultError):
        sign()


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


def test_the_anchor_moves_on_behind_unsigned_rows(sql: Sql, restart: Restart, monkeypatch: pytest.MonkeyPatch) -> None:
    write(2)
    assert found() is None
    later = datetime.now().astimezone() + timedelta(seconds=11)
    monkeypatch.setattr("django.utils.timezone.now", lambda: later)
    assert found() is None
    restart()
    sql(f"DELETE FROM {EVENTS} WHERE sequence > 8")
    fault = found()
    assert fault is not None
    assert fault.kind == "behind"


def test_a_log_that_was_only_written_to_is_signed(signed: RecordDatabase, restart: Restart) -> None:
    write(3)
    assert sign() == 11
    restart()
    write(1)
    assert found() is None
    assert sign() == 12


@pytest.mark.parametrize(
    "statement",
    [
        f"UPDATE {KEYS} SET since = 'garbage'",
        f"UPDATE {HEADS} SET at = 'garbage', sequence = 9 WHERE sequence = 8",
        f"UPDATE {EVENTS} SET at = 'garbage' WHERE sequence = 9",
        f"UPDATE {EVENTS} SET arguments = '{{' WHERE sequence = 9",
    ],
)
@pytest.mark.parametrize("database", ["sqlite"], indirect=True)
def test_a_value_that_no_column_should_hold_is_a_finding(statement: str, sql: Sql) -> None:
    write(1)
    sql("PRAGMA ignore_check_constraints = ON", statement)
    fault = found()
    assert fault is not None
    assert fault.kind == "changed"
    with pytest.raises(AnchorFaultError):
        sign()


def test_a_replayed_old_database_is_found(sqlite_database: RecordDatabase, restart: Restart) -> None:
    write(4)
    sign()
    assert sqlite_database.path is not None
    old = _contents(sqlite_database.path)
    write(4)
    sign()
    connections["default"].close()
    _restore(sqlite_database.path, old)
    restart()
    with pytest.raises(AnchorFaultError):
        sign()
    fault = found()
    assert fault is not None
    assert fault.kind == "behind"


def test_an_anchor_that_is_put_back_alone_is_found_in_memory(signed: RecordDatabase) -> None:
    file = anchor_file()
    old = file.read_bytes()
    write(4)
    sign()
    file.write_bytes(old)
    fault = found()
    assert fault is not None
    assert "went back from entry 12 to 8" in fault.reason


def test_an_anchor_that_is_removed_is_found_in_memory(signed: RecordDatabase) -> None:
    file = anchor_file()
    file.unlink()
    fault = found()
    assert fault is not None
    assert "removed" in fault.reason


def test_without_its_anchor_a_node_signs_nothing_after_a_restart(signed: RecordDatabase, restart: Restart) -> None:
    file = anchor_file()
    file.unlink()
    restart()
    write(1)
    with pytest.raises(UnadoptedLogError, match="--adopt"):
        sign()
    assert make_checkpoints(reason="demand") == []
    assert found() is None
    assert node_anchors().unadopted == {WORKSPACE}


def test_an_anchor_of_another_workspace_or_another_key_is_none(signed: RecordDatabase, restart: Restart) -> None:
    file = anchor_file()
    good = file.read_bytes()
    for bad in (good.replace(b'"org-1"', b'"org-2"'), good.replace(b'"sequence":8', b'"sequence":4'), b"[]", b""):
        file.write_bytes(bad)
        for kept in file.parent.glob("*.fault"):
            kept.unlink()
        restart()
        assert found() is not None, bad
        with pytest.raises(SigningRefusedError):
            make_checkpoints(reason="demand")


def test_what_is_not_found_an_anchor_and_a_database_put_back_together(
    sqlite_database: RecordDatabase, restart: Restart
) -> None:
    """Only a witness, another node, a receiver or a watcher finds it: this node alone then signs the old history."""
    write(4)
    sign()
    assert sqlite_database.path is not None
    file = anchor_file()
    old, anchor = _contents(sqlite_database.path), file.read_bytes()
    write(4)
    sign()
    connections["default"].close()
    _restore(sqlite_database.path, old)
    file.write_bytes(anchor)
    restart()
    assert found() is None
    assert sign() == 4


def _contents(path: Path) -> dict[str, bytes]:
    with sqlite3.connect(path) as raw:
        raw.execute("PRAGMA wal_checkpoint(TRUNCATE)")
    raw.close()
    return {each.name: each.read_bytes() for each in path.parent.glob(f"{path.name}*") if "lock" not in each.name}


def _restore(path: Path, contents: dict[str, bytes]) -> None:
    for each in path.parent.glob(f"{path.name}-*"):
        each.unlink()
    for name, content in contents.items():
        (path.parent / name).write_bytes(content)
