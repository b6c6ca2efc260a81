"""Nodes without a disk, anchored by witnesses; and what only a witness finds: an old anchor with an old database."""

import io
import time
from collections.abc import Iterator
from typing import Any

import pytest
from django.core.management import call_command

from mcpbridge.audit.anchors import memory
from mcpbridge.audit.anchors.memory import (
    AnchorFaultError,
    AnchorSettings,
    NodeAnchors,
    UnadoptedLogError,
    node_anchors,
)
from mcpbridge.audit.anchors.watch import look
from mcpbridge.audit.errors import SigningRefusedError
from mcpbridge.audit.keyring import announce_key
from mcpbridge.audit.signing import configured_key, key_pair
from mcpbridge.audit.tree.notes import key_named
from mcpbridge.audit.witnesses.submission import WitnessSubmitter
from mcpbridge.models import AuditEpoch, SigningHead
from tests.databases import RecordDatabase
from tests.mcpbridge.audit.anchors.conftest import (
    EVENTS,
    HEADS,
    WORKSPACE,
    Restart,
    Sql,
    anchor_file,
    become,
    found,
    sign,
    write,
)
from tests.witness_server import WitnessServer

TILES = "mcpbridge_audittile"


def origin() -> str:
    """The origin of the workspace's log."""
    found = SigningHead.objects.filter(org_id=WORKSPACE).values_list("origin", flat=True).first()
    return found or f"audit.example.com/{WORKSPACE}/1"


BOTH = pytest.mark.parametrize("database", ["sqlite", "postgres"], indirect=True)


@pytest.fixture
def database(request: pytest.FixtureRequest) -> RecordDatabase:
    """SQLite, and PostgreSQL as well where what a node reads of the database decides."""
    found: RecordDatabase = request.getfixturevalue(f"{getattr(request, 'param', 'sqlite')}_database")
    return found


@pytest.fixture
def witness(settings: Any) -> Iterator[WitnessServer]:
    """A witness that the console asks, and that trusts its log."""
    settings.LOG_DESTINATION_PRIVATE_NETWORKS = ["127.0.0.0/8"]
    settings.LOG_DESTINATION_TIMEOUT_S = 5.0
    settings.AUDIT_LOG_NAME = "audit.example.com"
    with WitnessServer(key_named(f"audit.example.com/{WORKSPACE}/1", configured_key())) as witness:
        settings.AUDIT_WITNESSES = witness.setting
        yield witness


@pytest.fixture
def diskless(witness: WitnessServer, settings: Any) -> WitnessServer:
    """The same, of a node without a disk."""
    settings.AUDIT_ANCHOR = "witness"
    return witness


def submit() -> None:
    WitnessSubmitter(lock_path=None).submit()


def diskless_node() -> NodeAnchors:
    """Another node without a disk, which has asked nobody yet."""
    return NodeAnchors(AnchorSettings.configured())


def put_back(sql: Sql, rows: int) -> None:
    """An old database: later rows, checkpoints and tiles are not in it, nor what was said of cosignatures."""
    sql(
        "DELETE FROM mcpbridge_cosignature",
        "DELETE FROM mcpbridge_witnessstatus",
        f"DELETE FROM {EVENTS} WHERE sequence > {rows}",
        f"DELETE FROM {HEADS} WHERE sequence > {rows}",
        f"DELETE FROM {TILES}",
    )


@BOTH
def test_a_node_without_a_disk_goes_on_where_the_witness_was(
    diskless: WitnessServer, signed: RecordDatabase, restart: Restart
) -> None:
    submit()
    write(2)
    restart()
    assert sign() == 10
    anchor = node_anchors().anchor(WORKSPACE)
    assert anchor is not None
    assert node_anchors().is_outside
    assert node_anchors().folder is None


@BOTH
def test_it_finds_a_database_that_was_put_back(diskless: WitnessServer, sql: Sql, restart: Restart) -> None:
    write(4)
    assert sign() == 12
    submit()
    put_back(sql, 8)
    restart()
    with pytest.raises(AnchorFaultError):
        sign()
    (fault,) = node_anchors().faults
    assert (fault.kind, fault.reason) == ("behind", "The log ends at entry 8, but a witness has cosigned entry 12.")


def test_it_finds_a_log_of_which_nothing_is_left(diskless: WitnessServer, sql: Sql, restart: Restart) -> None:
    submit()
    put_back(sql, 0)
    restart()
    write(1)
    with pytest.raises(AnchorFaultError):
        sign()
    assert node_anchors().faults[0].kind == "behind"


def test_it_finds_an_epoch_that_was_removed(diskless: WitnessServer, sql: Sql, restart: Restart) -> None:
    """The database as it was before a restore was accepted: what it has of the first epoch is what was cosigned."""
    submit()
    write(4)
    sign()
    put_back(sql, 8)
    assert found() is not None
    call_command("audit_accept_restore", "--reason", "restored", stdout=io.StringIO())
    second = f"audit.example.com/{WORKSPACE}/2"
    diskless.trusts[second] = key_named(second, configured_key())
    assert sign() == 9
    submit()
    put_back(sql, 8)
    sql(f"DELETE FROM {AuditEpoch._meta.db_table}")
    restart()
    with pytest.raises(AnchorFaultError):
        sign()
    (fault,) = node_anchors().faults
    assert (fault.kind, fault.reason) == ("behind", "The log is at epoch 1, but a witness has cosigned epoch 2.")


@pytest.mark.parametrize("named", ["'org-0'", "'org-1'"])
def test_the_database_does_not_say_which_log_the_witness_is_asked_for(
    named: str, diskless: WitnessServer, sql: Sql, restart: Restart
) -> None:
    submit()
    sql(
        f"DELETE FROM {HEADS} WHERE sequence = 0",
        f"UPDATE {HEADS} SET origin = 'elsewhere.example/org-1/1', org_id = {named}, sequence = 0 WHERE sequence = 8",
    )
    put_back(sql, 0)
    restart()
    write(1)
    with pytest.raises(SigningRefusedError):
        sign()
    assert [fault.kind for fault in node_anchors().faults if fault.workspace == WORKSPACE] == ["behind"]


@BOTH
def test_it_finds_checkpoints_that_were_removed(diskless: WitnessServer, sql: Sql, restart: Restart) -> None:
    submit()
    sql("DELETE FROM mcpbridge_cosignature", f"DELETE FROM {HEADS} WHERE sequence > 4")
    restart()
    with pytest.raises(AnchorFaultError):
        sign()
    assert node_anchors().faults[0].kind == "changed"


def test_it_finds_a_row_that_was_changed(diskless: WitnessServer, sql: Sql, restart: Restart) -> None:
    submit()
    sql(f"UPDATE {EVENTS} SET hash = '{'0' * 64}' WHERE sequence = 8")
    restart()
    with pytest.raises(AnchorFaultError):
        sign()


def test_it_signs_nothing_while_no_witness_answers(
    diskless: WitnessServer, signed: RecordDatabase, restart: Restart, monkeypatch: pytest.MonkeyPatch
) -> None:
    submit()
    restart()
    diskless.answers = [(500, b"")]
    for _ in range(2):
        with pytest.raises(UnadoptedLogError):
            sign()
    assert node_anchors().unadopted == {WORKSPACE}
    real = time.monotonic
    monkeypatch.setattr(time, "monotonic", lambda: real() + 31)
    assert sign() == 8
    assert node_anchors().unadopted == set()


def test_the_largest_of_several_witnesses_counts(
    diskless: WitnessServer, sql: Sql, restart: Restart, settings: Any
) -> None:
    submit()
    with WitnessServer(key_named(origin(), configured_key()), name="second.example.net") as second:
        settings.AUDIT_WITNESSES = second.setting
        write(4)
        sign()
        submit()
        settings.AUDIT_WITNESSES = f"{diskless.setting}, {second.setting}"
        put_back(sql, 8)
        restart()
        assert found() is not None


@BOTH
def test_of_two_nodes_without_a_disk_each_finds_a_database_that_was_put_back(
    diskless: WitnessServer, sql: Sql, monkeypatch: pytest.MonkeyPatch
) -> None:
    submit()
    first, late, begins = node_anchors(), diskless_node(), diskless_node()
    look(late, "default")
    write(4)
    assert sign() == 12
    submit()
    put_back(sql, 8)
    look(first, "default")
    assert [fault.reason for fault in first.faults] == ["The log ends at entry 8, but it had entry 12."]
    look(begins, "default")
    assert [fault.reason for fault in begins.faults] == [
        "The log ends at entry 8, but a witness has cosigned entry 12."
    ]
    # One that asked the witness before, and has seen no later entry, signs on; the witness refuses that, and it stops.
    become(late, monkeypatch)
    write(2)
    assert sign() == 10
    submit()
    (fault,) = late.faults
    assert (fault.kind, "has cosigned 12 entries, but the log has 10" in fault.reason) == ("behind", True)
    with pytest.raises(AnchorFaultError):
        sign()


@BOTH
def test_two_nodes_without_a_disk_sign_in_turn(
    diskless: WitnessServer, signed: RecordDatabase, monkeypatch: pytest.MonkeyPatch
) -> None:
    submit()
    nodes = [node_anchors(), diskless_node()]
    for number in range(4):
        become(nodes[number % 2], monkeypatch)
        write(1)
        assert sign() == 9 + number
        submit()
    for node in (*nodes, diskless_node()):
        look(node, "default")
        assert node.faults == []
    assert diskless.latest[origin()][0].size == 12


@BOTH
def test_a_log_that_no_witness_knows_begins_in_the_database(
    diskless: WitnessServer, signed: RecordDatabase, restart: Restart
) -> None:
    restart()
    write(1)
    assert sign() == 9


def test_a_checkpoint_by_the_key_before_counts(
    diskless: WitnessServer, signed: RecordDatabase, restart: Restart, settings: Any
) -> None:
    submit()
    announce_key(text="the next key", actor="Ana")
    settings.AUDIT_SIGNING_KEY = "the next key"
    restart()
    assert sign() == 9


def test_another_key_s_checkpoint_at_the_witness_is_none_of_ours(
    diskless: WitnessServer, signed: RecordDatabase, restart: Restart
) -> None:
    submit()
    head, _ = diskless.latest[origin()]
    diskless.latest[origin()] = head, head.signed(key_pair("a thief"))
    restart()
    with pytest.raises(UnadoptedLogError):
        sign()


def test_an_old_anchor_with_an_old_database_is_found_by_the_witness_alone(
    witness: WitnessServer, sql: Sql, restart: Restart
) -> None:
    old_anchor = anchor_file().read_bytes()
    write(4)
    assert sign() == 12
    submit()
    put_back(sql, 8)
    anchor_file().write_bytes(old_anchor)
    restart()
    # The node notices nothing, and its real key signs another history.
    assert found() is None
    write(2)
    assert sign() == 10
    assert memory.node_anchors().faults == []
    submit()
    (fault,) = node_anchors().faults
    assert fault.kind == "behind"
    assert "has cosigned 12 entries, but the log has 10" in fault.reason
    with pytest.raises(AnchorFaultError):
        sign()
