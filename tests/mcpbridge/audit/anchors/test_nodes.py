"""Several nodes and ways to anchor: each node looks for itself, and one that notices is enough to be seen."""

import json
from pathlib import Path
from typing import Any

import pytest

from mcpbridge.audit.anchors.memory import (
    AnchorFaultError,
    AnchorSettings,
    NodeAnchors,
    UnadoptedLogError,
    node_anchors,
)
from mcpbridge.audit.anchors.watch import look
from mcpbridge.audit.checkpoints import checkpoint_line, make_checkpoints, store_checkpoint
from mcpbridge.audit.heads import head_of
from mcpbridge.audit.keyring import UnannouncedKeyError, announce_key, usable_key
from mcpbridge.audit.log_tree.signed_heads import sign_head
from mcpbridge.audit.signing import configured_key, key_pair
from mcpbridge.models import SigningHead
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


@pytest.fixture
def other(tmp_path: Path) -> NodeAnchors:
    """Another node, whose anchors lie elsewhere."""
    return NodeAnchors(AnchorSettings("file", tmp_path / "other", ""))


def test_a_log_that_begins_while_a_node_serves_is_anchored_there_too(
    database: RecordDatabase, other: NodeAnchors, monkeypatch: pytest.MonkeyPatch
) -> None:
    look(other, "default")
    write(3)
    sign()
    look(other, "default")
    anchor = other.anchor(WORKSPACE)
    assert anchor is not None
    assert anchor.sequence == 3
    write(1)
    become(other, monkeypatch)
    assert sign() == 4


def test_a_node_that_finds_a_log_does_not_sign_it_and_the_first_node_does(
    signed: RecordDatabase, other: NodeAnchors, monkeypatch: pytest.MonkeyPatch
) -> None:
    first = node_anchors()
    write(1)
    become(other, monkeypatch)
    assert make_checkpoints(reason="demand") == []
    with pytest.raises(UnadoptedLogError):
        sign()
    assert other.unadopted == {WORKSPACE}
    become(first, monkeypatch)
    assert sign() == 9


def test_nodes_follow_each_other_s_checkpoints(
    database: RecordDatabase, other: NodeAnchors, monkeypatch: pytest.MonkeyPatch
) -> None:
    first = node_anchors()
    look(other, "default")
    for node in (first, other, first, other):
        write(3)
        become(node, monkeypatch)
        sign()
    for node in (first, other):
        look(node, "default")
        assert node.faults == []
    assert SigningHead.objects.count() == 4


def test_a_node_whose_anchor_is_older_signs_a_shortened_log_and_the_other_one_sees_it(
    sql: Sql, other: NodeAnchors, monkeypatch: pytest.MonkeyPatch
) -> None:
    first = node_anchors()
    anchor = first.anchor(WORKSPACE)
    assert anchor is not None
    other.move(anchor)
    write(4)
    sign()
    sql(f"DELETE FROM {EVENTS} WHERE sequence > 8", f"DELETE FROM {HEADS} WHERE sequence > 8")
    become(other, monkeypatch)
    assert sign() == 8
    look(first, "default")
    assert [fault.kind for fault in first.faults] == ["behind"]


@pytest.mark.parametrize(
    "column", [f"key_id = '{key_pair('strange').key_id}'", "signature = 'AAAA'", "hash = '" + "0" * 64 + "'"]
)
def test_a_checkpoint_that_this_node_does_not_know_must_be_ours(
    column: str, sql: Sql, restart: Restart, monkeypatch: pytest.MonkeyPatch, other: NodeAnchors
) -> None:
    anchor = node_anchors().anchor(WORKSPACE)
    assert anchor is not None
    other.move(anchor)
    write(2)
    sign()
    sql(f"UPDATE {HEADS} SET {column} WHERE sequence = 10")
    become(other, monkeypatch)
    fault = found()
    assert fault is not None
    assert fault.kind == "changed"


def test_a_floor_holds_where_the_anchor_was_lost(sql: Sql, restart: Restart, settings: Any, tmp_path: Path) -> None:
    settings.AUDIT_ANCHOR_FLOOR = checkpoint_line(SigningHead.objects.get(sequence=8))
    settings.AUDIT_ANCHOR_DIR = str(tmp_path / "empty")
    write(1)
    assert sign() == 9
    sql(f"DELETE FROM {EVENTS} WHERE sequence > 6", f"DELETE FROM {HEADS}")
    settings.AUDIT_ANCHOR_DIR = str(tmp_path / "emptied again")
    with pytest.raises(AnchorFaultError):
        sign()


def test_without_anchors_the_newest_checkpoint_in_the_database_is_believed(
    sql: Sql, restart: Restart, settings: Any
) -> None:
    settings.AUDIT_ANCHOR = "none"
    assert not node_anchors().is_outside
    write(1)
    assert sign() == 9
    sql(f"DELETE FROM {EVENTS} WHERE sequence > 6")
    with pytest.raises(AnchorFaultError):
        sign()
    # What nothing outside the database can show: after a restart the shortened log is signed.
    sql(f"DELETE FROM {HEADS} WHERE sequence > 6")
    restart()
    assert sign() == 6


def test_a_retired_key_signs_no_more_once_its_successor_has_signed(signed: RecordDatabase, settings: Any) -> None:
    old = settings.AUDIT_SIGNING_KEY
    announce_key(text="the second", actor="Ana")
    write(1)
    assert sign() > 8
    settings.AUDIT_SIGNING_KEY = "the second"
    write(1)
    last = sign()
    settings.AUDIT_SIGNING_KEY = old
    write(1)
    with pytest.raises(UnannouncedKeyError, match="retired"):
        sign()
    assert usable_key("default") is None
    settings.AUDIT_SIGNING_KEY = "the second"
    assert sign() == last + 1
    assert found() is None


def test_a_checkpoint_by_a_retired_key_is_a_finding(sql: Sql, settings: Any) -> None:
    old = configured_key()
    announce_key(text="the second", actor="Ana")
    settings.AUDIT_SIGNING_KEY = "the second"
    write(1)
    sign()
    write(1)
    head = sign_head(old, WORKSPACE, head_of("default", WORKSPACE).head, reason="demand")
    store_checkpoint("default", head)
    fault = found()
    assert fault is not None
    assert "retired key" in fault.reason


def test_a_key_has_one_successor(signed: RecordDatabase) -> None:
    announce_key(text="the second", actor="Ana")
    with pytest.raises(ValueError, match="one only"):
        announce_key(text="another second", actor="Ana")


def test_a_key_that_was_put_into_the_table_signs_nothing_and_is_believed_nothing(sql: Sql) -> None:
    strange, ours = key_pair("strange"), configured_key()
    sql(
        f"UPDATE {KEYS} SET announced_by = '{strange.key_id}'",
        f"INSERT INTO {KEYS} (key_id, public_key, since, announced_by, signature, countersignature, use)"
        f" VALUES ('{strange.key_id}', '{strange.public_key}', '2026-01-01 00:00:00', '', 'AAAA', '', '')",
    )
    assert usable_key("default") is None or usable_key("default") == ours
    write(1)
    sign()
    assert {head.key_id for head in SigningHead.objects.all()} == {ours.key_id}


def test_an_anchor_that_cannot_be_written_is_written_later(
    database: RecordDatabase, settings: Any, tmp_path: Path
) -> None:
    blocked = tmp_path / "blocked"
    blocked.write_text("no folder")
    settings.AUDIT_ANCHOR_DIR = str(blocked)
    write(2)
    blocked.unlink()
    assert sign() == 2
    (file,) = blocked.glob("*.anchor")
    assert json.loads(file.read_text().splitlines()[0])["sequence"] == 2
