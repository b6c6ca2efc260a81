"""The tree of a log is signed from what this node verified: tiles, nodes and rows that were changed are found."""

import json
from pathlib import Path
from typing import Any

import pytest
from django.db import transaction

from mcpbridge.audit import checkpoints
from mcpbridge.audit.anchors.memory import node_anchors
from mcpbridge.audit.checkpoints import make_checkpoints
from mcpbridge.audit.export.source import checkpoint_of
from mcpbridge.audit.hashchain import Head, link
from mcpbridge.audit.heads import head_of
from mcpbridge.audit.log_tree.growing import rebuild_tiles
from mcpbridge.audit.log_tree.origins import RenamedLogError
from mcpbridge.audit.log_tree.tiles import stored_leaves, stored_range
from mcpbridge.audit.retention import prune_audit_log
from mcpbridge.audit.tree.merkle import CompactRange
from mcpbridge.db.bulk import insert
from mcpbridge.models import AuditEvent, AuditTile, SigningHead
from tests.audit_chains import columns
from tests.databases import RecordDatabase
from tests.mcpbridge.audit.anchors.conftest import (
    EVENTS,
    HEADS,
    WORKSPACE,
    Restart,
    Sql,
    anchor_file,
    found,
    sign,
    write,
)


@pytest.fixture
def database(sqlite_database: RecordDatabase) -> RecordDatabase:
    """SQLite alone: nothing here depends on the kind of database."""
    return sqlite_database


def newest() -> SigningHead:
    head = SigningHead.objects.filter(org_id=WORKSPACE).order_by("-id").first()
    assert head is not None
    return head


def has_right_tiles() -> bool:
    head = checkpoint_of(newest()).statement.head
    return stored_range("default", WORKSPACE, head.size, head.root) is not None


def test_each_anchor_keeps_the_nodes_of_the_tree_that_it_signs(signed: RecordDatabase, restart: Restart) -> None:
    first, second = anchor_file().read_text().splitlines()
    tree = CompactRange()
    tree.extend(stored_leaves("default", WORKSPACE, 1, 9))
    assert json.loads(first)["root"] == tree.root().hex() == newest().root
    assert json.loads(second) == {"type": "compact", "nodes": [node.hex() for node in tree.nodes]}
    restart()
    write(3)
    # From the nodes alone: the rows and tiles before are not read.
    AuditTile.objects.all().delete()
    assert found() is None
    assert sign() == 11
    assert has_right_tiles()


@pytest.mark.parametrize(
    "line", ['{"type": "compact", "nodes": []}', '{"type": "compact"}', "{", '{"type":"compact","nodes":["%s"]}']
)
def test_other_nodes_in_an_anchor_file_are_a_finding(signed: RecordDatabase, restart: Restart, line: str) -> None:
    first = anchor_file().read_text().splitlines()[0]
    anchor_file().write_text(f"{first}\n{line.replace('%s', 'ab' * 32)}\n")
    restart()
    fault = found()
    assert fault is not None
    assert "does not have the nodes" in fault.reason


def test_an_anchor_without_nodes_takes_them_from_tiles_or_rows_that_lead_to_its_root(
    signed: RecordDatabase, restart: Restart
) -> None:
    for change in ({}, {"hashes": bytes(64)}):
        anchor_file().write_text(anchor_file().read_text().splitlines()[0] + "\n")
        if change:
            AuditTile.objects.update(**change)
        restart()
        write(1)
        assert found() is None
        sign()
        assert has_right_tiles()


def test_wrong_tiles_are_made_again_before_anything_is_signed(signed: RecordDatabase) -> None:
    AuditTile.objects.update(hashes=bytes(8 * 32))
    write(1)
    assert sign() == 9
    assert has_right_tiles()
    assert found() is None


def test_tiles_that_stay_wrong_are_a_finding(signed: RecordDatabase, monkeypatch: pytest.MonkeyPatch) -> None:
    AuditTile.objects.update(hashes=bytes(8 * 32))

    def changed_meanwhile(alias: str, tree: Any) -> bool:
        tree.range.append(bytes(32))
        return rebuild_tiles(alias, tree)

    monkeypatch.setattr(checkpoints, "rebuild_tiles", changed_meanwhile)
    write(1)
    with pytest.raises(Exception, match="does not agree"):
        sign()
    fault = found()
    assert fault is not None
    assert "tree" in fault.reason


SEALED = {
    "a sealed value": f"UPDATE {EVENTS} SET note = 'other' WHERE sequence = 9",
    "a seal": f"UPDATE {EVENTS} SET seal = x'{'00' * 32}' WHERE sequence = 9",
    "a short seal": f"UPDATE {EVENTS} SET seal = x'00' WHERE sequence = 9",
    "no seal": f"UPDATE {EVENTS} SET seal = NULL WHERE sequence = 9",
    "the epoch": f"UPDATE {EVENTS} SET epoch = 2 WHERE sequence = 9",
    "the format": f"UPDATE {EVENTS} SET epoch = 0 WHERE sequence = 9",
}


@pytest.mark.parametrize("name", SEALED)
def test_a_row_that_nobody_signed_yet_cannot_be_changed_behind_its_hash(sql: Sql, name: str) -> None:
    write(2)
    sql(SEALED[name])
    fault = found()
    assert fault is not None
    assert (fault.kind, fault.workspace) == ("changed", WORKSPACE)


@pytest.mark.parametrize("epoch", [0, 2])
def test_a_row_of_another_format_or_epoch_is_a_finding_although_it_is_chained(
    signed: RecordDatabase, epoch: int
) -> None:
    row = columns(9, WORKSPACE)
    link(row, head_of("default", WORKSPACE).head, epoch=epoch)
    insert("default", AuditEvent, [row])
    fault = found()
    assert fault is not None
    assert "another epoch or format" in fault.reason


@pytest.mark.parametrize("change", ["root = 'ab'", "origin = 'other/org-1/1'", "origin = ''", "signature = 'x'"])
def test_a_checkpoint_of_another_node_that_was_changed_is_a_finding(sql: Sql, restart: Restart, change: str) -> None:
    kept = anchor_file().read_text()
    write(1)
    sign()
    anchor_file().write_text(kept)
    restart()
    sql(f"UPDATE {HEADS} SET {change} WHERE sequence = 9")
    fault = found()
    assert fault is not None
    assert "not ours" in fault.reason


def test_a_node_that_was_away_while_rows_were_pruned_continues_by_the_tiles(
    signed: RecordDatabase, restart: Restart, tmp_path: Path
) -> None:
    kept = anchor_file().read_text()
    write(5)
    write(1)
    before = AuditEvent.objects.get(sequence=14).recorded_at
    prune_audit_log(org_id=WORKSPACE, before=before, export_to=tmp_path, actor="Ana")
    assert AuditEvent.objects.earliest("sequence").sequence == 14
    anchor_file().write_text(kept)
    restart()
    write(1)
    assert found() is None
    sign()
    assert has_right_tiles()


def test_without_tiles_such_a_node_signs_nothing(signed: RecordDatabase, restart: Restart, tmp_path: Path) -> None:
    kept = anchor_file().read_text()
    write(5)
    write(1)
    before = AuditEvent.objects.get(sequence=14).recorded_at
    prune_audit_log(org_id=WORKSPACE, before=before, export_to=tmp_path, actor="Ana")
    anchor_file().write_text(kept)
    restart()
    AuditTile.objects.update(hashes=bytes(32))
    fault = found()
    assert fault is not None
    assert "tree" in fault.reason


def test_the_name_of_a_log_is_fixed_by_its_first_signature(signed: RecordDatabase, settings: Any) -> None:
    name = newest().origin.removesuffix(f"/{WORKSPACE}/1")
    settings.AUDIT_LOG_NAME = "audit.example.com"
    write(1)
    with pytest.raises(RenamedLogError, match="cannot be changed"):
        sign()
    # A log that begins now gets the former name, too.
    write(1, "org-2")
    settings.AUDIT_LOG_NAME = name
    assert sign() == 9
    sign("org-2")
    assert SigningHead.objects.get(org_id="org-2").origin == f"{name}/org-2/1"


def test_a_configured_name_is_that_of_the_first_signature(database: RecordDatabase, settings: Any) -> None:
    settings.AUDIT_LOG_NAME = "audit.example.com"
    write(1)
    sign()
    assert newest().origin == f"audit.example.com/{WORKSPACE}/1"
    settings.AUDIT_LOG_NAME = ""
    write(1)
    sign()
    assert newest().origin == f"audit.example.com/{WORKSPACE}/1"


def test_a_commit_that_fails_after_signing_moves_no_anchor(signed: RecordDatabase) -> None:
    write(1)
    before = anchor_file().read_text()
    with transaction.atomic():
        make_checkpoints(reason="demand", org_id=WORKSPACE)
        transaction.set_rollback(True)
    assert anchor_file().read_text() == before
    anchor = node_anchors().anchor(WORKSPACE)
    assert anchor is not None
    assert Head(anchor.sequence, anchor.hash) == Head(8, AuditEvent.objects.get(sequence=8).hash)
    assert sign() == 9
    assert has_right_tiles()
