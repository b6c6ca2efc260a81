"""One process of a node reads and verifies new rows for all; the others take over its anchors and findings."""

import fcntl
import os
import time

from mcpbridge.audit.anchors.memory import AnchorSettings, NodeAnchors, node_anchors
from mcpbridge.audit.anchors.turns import is_mine_to_look
from mcpbridge.audit.anchors.watch import look
from tests.databases import RecordDatabase
from tests.mcpbridge.audit.anchors.conftest import EVENTS, WORKSPACE, Sql, found, sign, write

EVERY_S = 2.0


def is_mine(anchors: NodeAnchors) -> bool:
    assert anchors.folder is not None
    return is_mine_to_look(anchors.folder, every_s=EVERY_S)


def another_looked(anchors: NodeAnchors, *, ago_s: float) -> None:
    assert anchors.folder is not None
    file = anchors.folder.path / ".look"
    file.write_text("another")
    os.utime(file, (time.time() - ago_s,) * 2)


def test_the_process_that_looked_last_looks_again_and_another_only_when_it_has_stopped(signed: RecordDatabase) -> None:
    anchors = node_anchors()
    assert is_mine(anchors)
    assert is_mine(anchors)
    another_looked(anchors, ago_s=2 * EVERY_S)
    assert not is_mine(anchors)
    another_looked(anchors, ago_s=3 * EVERY_S)
    assert is_mine(anchors)


def test_a_process_waits_for_none_that_is_just_taking_its_turn(signed: RecordDatabase) -> None:
    anchors = node_anchors()
    assert is_mine(anchors)
    assert anchors.folder is not None
    with (anchors.folder.path / ".look").open() as held:
        fcntl.flock(held, fcntl.LOCK_EX)
        assert not is_mine(anchors)


def test_a_process_that_does_not_verify_rows_still_finds_a_log_that_was_cut(signed: RecordDatabase, sql: Sql) -> None:
    write(2)
    sql(f"DELETE FROM {EVENTS} WHERE sequence > 9")
    look(node_anchors(), "default", verifies_rows=False)
    (fault,) = node_anchors().faults
    assert (fault.kind, fault.workspace) == ("behind", WORKSPACE)


def test_it_signs_nothing_that_it_has_not_verified(signed: RecordDatabase, sql: Sql) -> None:
    write(2)
    look(node_anchors(), "default", verifies_rows=False)
    sql(f"UPDATE {EVENTS} SET role = 'MEMBER' WHERE sequence = 9")
    look(node_anchors(), "default", verifies_rows=False)
    assert not node_anchors().faults
    fault = found()
    assert fault is not None
    assert fault.kind == "changed"


def test_it_takes_over_the_anchors_of_the_process_that_does(signed: RecordDatabase) -> None:
    other = NodeAnchors(AnchorSettings.configured())
    write(2)
    assert sign() == 10
    look(other, "default", verifies_rows=False)
    anchor = other.anchor(WORKSPACE)
    assert anchor is not None
    assert anchor.sequence == 10
