"""A restored database is an event: nothing takes the place of what was lost, and an operator has to speak first."""

import io
import json
from pathlib import Path
from typing import Any

import pytest
from django.core.management import CommandError, call_command

from mcpbridge.audit.anchors.memory import AnchorFaultError, AnchorSettings, NodeAnchors, node_anchors
from mcpbridge.audit.anchors.watch import look
from mcpbridge.audit.export.jsonl import lines
from mcpbridge.audit.export.source import Selection
from mcpbridge.audit.hashchain import link
from mcpbridge.audit.heads import head_of
from mcpbridge.audit.keyring import published_keys
from mcpbridge.audit.signing import key_pair
from mcpbridge.audit.verification.announcements import fingerprint_of
from mcpbridge.db.bulk import insert
from mcpbridge.models import AuditEpoch, AuditEvent, AuditTile, SigningHead
from tests.audit_chains import columns
from tests.databases import RecordDatabase
from tests.mcpbridge.audit.anchors.conftest import (
    EVENTS,
    HEADS,
    KEYS,
    WORKSPACE,
    Restart,
    Sql,
    become,
    found,
    sign,
    write,
)
from tests.mcpbridge.audit.epochs.conftest import Backup
from tests.verifiers import verdict_on

EPOCHS, TILES = AuditEpoch._meta.db_table, AuditTile._meta.db_table
REASON = "restored the backup of 11:00"


def accept(reason: str = REASON) -> str:
    out = io.StringIO()
    call_command("audit_accept_restore", "--reason", reason, stdout=out)
    return out.getvalue()


def rows() -> list[tuple[int, int]]:
    """The sequence and epoch of all rows."""
    return list(AuditEvent.objects.order_by("sequence").values_list("sequence", "epoch"))


def verdict(key: str) -> Any:
    return verdict_on(
        list(lines(Selection())), json.dumps(published_keys()), fingerprint=fingerprint_of(key_pair(key).public_key)
    )


@pytest.fixture
def other(tmp_path: Path) -> NodeAnchors:
    """Another node, whose anchors lie elsewhere."""
    return NodeAnchors(AnchorSettings("file", tmp_path / "other", ""))


def test_a_restored_log_continues_in_a_new_epoch_once_an_operator_accepts_it(
    signed: RecordDatabase, backup: Backup, restart: Restart, settings: Any
) -> None:
    restore = backup()
    write(4)
    assert sign() == 12
    restore()
    restart()
    with pytest.raises(AnchorFaultError):
        sign()
    fault = found()
    assert fault is not None
    assert fault.kind == "behind"
    # Whatever is written before the operator speaks takes the place of no lost row.
    write(2)
    assert rows()[-3:] == [(8, 1), (9, 2), (10, 2)]
    said = accept()
    assert "epoch 2 begins after row 8" in said
    assert "rows up to 12 of epoch 1 were given up" in said
    assert found() is None
    row = AuditEvent.objects.get(tool="console.audit_restore")
    assert (row.sequence, row.epoch, row.note) == (11, 2, REASON)
    assert (row.arguments["kept"]["sequence"], row.arguments["given_up"]["sequence"]) == (8, 12)
    write(3)
    assert sign() == 14
    report = verdict(settings.AUDIT_SIGNING_KEY)
    assert report["ok"], report
    (log,) = report["workspaces"]
    assert (log["sequence"], log["vouched"], log["epoch"]) == (14, 14, 2)
    assert log["restores"][0]["reason"] == REASON
    restart()
    assert (found(), sign()) == (None, 14)


@pytest.mark.parametrize("database", ["sqlite"], indirect=True)
@pytest.mark.parametrize(("first", "is_found"), [(9, True), (13, False)])
def test_unsigned_entries_of_a_backup_must_be_those_that_the_anchor_has_in_its_tree(
    first: int, is_found: bool, sql: Sql, backup: Backup, restart: Restart
) -> None:
    """The nodes of an anchor at 15 entries hold entries 1 to 8 and 9 to 12; they do not hold 13 alone."""
    write(5)
    restore = backup()
    write(2)
    assert sign() == 15
    restore()
    # The newest checkpoint of the backup is at 8: behind it somebody writes other entries, chained and hashed.
    sql(f"DELETE FROM {EVENTS} WHERE sequence >= {first}")
    for number in range(first, 14):
        row = columns(number, WORKSPACE, tool="delete_invoice")
        link(row, head_of("default", WORKSPACE).head, epoch=1)
        insert("default", AuditEvent, [row])
    restart()
    assert found() is not None
    if is_found:
        with pytest.raises(CommandError, match="entries 1 to 12 are not those that this node signed"):
            accept()
        assert not AuditEpoch.objects.exists()
    else:
        # What the anchor cannot tell; a receiver has the entry that was there.
        assert "epoch 2 begins after row 13" in accept()


def test_what_was_accepted_once_cannot_be_restored_again(
    signed: RecordDatabase, backup: Backup, restart: Restart
) -> None:
    restore = backup()
    write(4)
    sign()
    restore()
    restart()
    accept()
    again = backup()
    write(2)
    sign()
    # The statement, put back with the database, gains nothing: the anchor is in its epoch, and further.
    again()
    restart()
    fault = found()
    assert fault is not None
    assert fault.kind == "behind"
    assert "nothing to accept" not in accept("restored once more")
    assert rows()[-1] == (10, 3)
    assert (found(), sign()) == (None, 10)
    # Nor does a backup from before the statement.
    restore()
    restart()
    assert found() is not None
    accept("and again")
    assert AuditEpoch.objects.order_by("epoch").values_list("epoch", "kept").last() == (4, 8)
    assert (found(), sign()) == (None, 9)


def test_nothing_is_accepted_while_all_is_well_or_without_a_reason(signed: RecordDatabase) -> None:
    assert "nothing to accept" in accept()
    assert AuditEpoch.objects.count() == 0
    with pytest.raises(CommandError):
        call_command("audit_accept_restore")


@pytest.mark.parametrize(
    ("statement", "told"),
    [
        (f"UPDATE {EVENTS} SET role = 'MEMBER' WHERE sequence = 3", "edited"),
        (f"DELETE FROM {EVENTS} WHERE sequence = 3", "removed"),
    ],
)
def test_what_is_left_must_verify(statement: str, told: str, sql: Sql, restart: Restart) -> None:
    sql(statement, f"DELETE FROM {EVENTS} WHERE sequence > 6", f"DELETE FROM {HEADS} WHERE sequence > 6")
    restart()
    with pytest.raises(CommandError, match=told):
        accept()
    assert AuditEpoch.objects.count() == 0
    assert found() is not None


def test_a_log_that_lost_every_entry_continues_from_its_beginning(sql: Sql, restart: Restart, settings: Any) -> None:
    sql(f"DELETE FROM {EVENTS}", f"DELETE FROM {HEADS}")
    restart()
    assert found() is not None
    accept("the database was lost")
    assert rows() == [(1, 2)]
    assert (found(), sign()) == (None, 1)
    assert verdict(settings.AUDIT_SIGNING_KEY)["ok"]


def test_a_backup_from_before_the_first_signature_is_accepted(
    sql: Sql, restart: Restart, settings: Any, capsys: pytest.CaptureFixture[str]
) -> None:
    sql(f"DELETE FROM {EVENTS} WHERE sequence > 2", *(f"DELETE FROM {table}" for table in (HEADS, KEYS, TILES)))
    restart()
    fault = found()
    assert fault is not None
    assert (fault.kind, "is no longer in the database" in fault.reason) == ("changed", True)
    with pytest.raises(SystemExit):
        call_command("audit_anchor")
    assert "manage.py audit_accept_restore --reason" in capsys.readouterr().out
    accept()
    assert rows() == [(1, 1), (2, 1), (3, 2)]
    assert (found(), sign()) == (None, 3)
    assert verdict(settings.AUDIT_SIGNING_KEY)["ok"]


def test_a_node_with_an_older_anchor_follows(
    signed: RecordDatabase, backup: Backup, other: NodeAnchors, monkeypatch: pytest.MonkeyPatch, restart: Restart
) -> None:
    restore = backup()
    look(other, "default")
    other.adopt(*_anchor(node_anchors()))
    write(4)
    sign()
    look(other, "default")
    write(2)
    sign()
    restore()
    look(other, "default")
    assert [fault.kind for fault in other.faults] == ["behind"]
    assert found() is not None
    accept()
    look(other, "default")
    assert other.faults == []
    become(other, monkeypatch)
    write(1)
    assert sign() == 10
    anchor = other.anchor(WORKSPACE)
    assert anchor is not None
    assert anchor.place == (2, 10)


def test_a_node_with_a_further_anchor_does_not_follow_and_names_it(
    signed: RecordDatabase, backup: Backup, other: NodeAnchors, monkeypatch: pytest.MonkeyPatch
) -> None:
    restore = backup()
    other.adopt(*_anchor(node_anchors()))
    write(2)
    look(other, "default")
    become_first = node_anchors()
    sign()
    become(other, monkeypatch)
    write(2)
    sign()
    become(become_first, monkeypatch)
    restore()
    assert found() is not None
    accept()
    assert found() is None
    look(other, "default")
    (fault,) = other.faults
    assert fault.kind == "behind"
    assert "at entry 12 of epoch 1" in fault.reason
    become(other, monkeypatch)
    with pytest.raises(CommandError, match=r"stated epoch 2 already.*entry 12"):
        accept()
    with pytest.raises(AnchorFaultError):
        sign()
    # An operator who has compared them lets this node begin again; the entry names what only it knew.
    call_command("audit_anchor", "--adopt", "--reason", "compared with node 1", stdout=io.StringIO())
    row = AuditEvent.objects.get(tool="console.audit_anchor")
    assert (row.arguments["given_up"]["sequence"], row.epoch) == (12, 2)
    look(other, "default")
    assert other.faults == []
    assert sign() == 10


@pytest.mark.parametrize(
    "column",
    [
        "signature = 'AAAA'",
        f"key_id = '{key_pair('strange').key_id}'",
        "message = replace(message, 'restored', 'stolen')",
        "message = '{}'",
    ],
)
def test_a_statement_that_is_not_ours_is_a_finding(
    column: str, sql: Sql, backup: Backup, other: NodeAnchors, restart: Restart
) -> None:
    restore = backup()
    write(4)
    sign()
    other.adopt(*_anchor(node_anchors()))
    restore()
    restart()
    accept()
    sql(f"UPDATE {EPOCHS} SET {column}")
    look(other, "default")
    assert [fault.kind for fault in other.faults] == ["changed"]


def test_another_history_is_accepted_in_a_new_epoch_only_by_adopting_it(
    signed: RecordDatabase, backup: Backup, other: NodeAnchors, monkeypatch: pytest.MonkeyPatch, settings: Any
) -> None:
    """Another node, which had not noticed the restore, wrote on."""
    first, restore = node_anchors(), backup()
    other.adopt(*_anchor(first))
    write(2)
    sign()
    restore()
    become(other, monkeypatch)
    write(4)
    assert sign() == 12
    become(first, monkeypatch)
    fault = found()
    assert fault is not None
    assert fault.kind == "changed"
    with pytest.raises(CommandError, match="does not lack its end"):
        accept()
    call_command("audit_anchor", "--adopt", "--reason", "failed over", stdout=io.StringIO())
    assert rows()[-1] == (13, 2)
    assert (found(), sign()) == (None, 13)
    assert verdict(settings.AUDIT_SIGNING_KEY)["ok"]
    look(other, "default")
    assert other.faults == []


def _anchor(node: NodeAnchors) -> tuple[Any]:
    anchor = node.anchor(WORKSPACE)
    assert anchor is not None
    return (anchor,)


def test_no_statement_can_be_changed_or_removed_through_the_database(
    signed: RecordDatabase, backup: Backup, restart: Restart
) -> None:
    restore = backup()
    write(1)
    sign()
    restore()
    restart()
    accept()
    for change in (lambda: AuditEpoch.objects.update(kept=1), lambda: AuditEpoch.objects.all().delete()):
        with pytest.raises(Exception, match="append-only"):
            change()
    assert SigningHead.objects.exclude(origin="").exists()
