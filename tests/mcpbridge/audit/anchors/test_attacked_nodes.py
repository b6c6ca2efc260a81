"""Somebody who has more than the database: the anchors, or the key. And what a node alone does not find."""

from pathlib import Path
from typing import Any

import pytest

from mcpbridge.audit.anchors.memory import (
    AnchorFaultError,
    AnchorSettings,
    NodeAnchors,
    UnadoptedLogError,
)
from mcpbridge.audit.anchors.rounds import OldRows
from mcpbridge.audit.anchors.watch import look
from mcpbridge.audit.checkpoints import store_checkpoint
from mcpbridge.audit.errors import SigningRefusedError
from mcpbridge.audit.export.jsonl import checkpoint_line
from mcpbridge.audit.hashchain import genesis, link
from mcpbridge.audit.heads import head_of
from mcpbridge.audit.log_tree.origins import RenamedLogError
from mcpbridge.audit.log_tree.signed_heads import sign_head
from mcpbridge.audit.signing import configured_key, key_pair
from mcpbridge.audit.verification.sources import verify_stored
from mcpbridge.db.bulk import insert
from mcpbridge.models import AuditEvent, LogDestination, SigningHead
from tests.audit_chains import columns
from tests.databases import RecordDatabase
from tests.mcpbridge.audit.anchors.conftest import (
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

SQLITE = pytest.mark.parametrize("database", ["sqlite"], indirect=True)


def forge(first: int, last: int, **facts: Any) -> None:
    """Insert rows with these numbers, chained and hashed as the console does it: that takes no key."""
    for number in range(first, last + 1):
        row = columns(number, WORKSPACE, **facts)
        link(row, head_of("default", WORKSPACE).head, epoch=1)
        insert("default", AuditEvent, [row])


# Who writes the files of the anchors as well, but has no key.


@SQLITE
def test_an_anchor_that_another_key_signed_is_none(sql: Sql, restart: Restart) -> None:
    stranger = key_pair("strange")
    sql(f"DELETE FROM {EVENTS} WHERE sequence > 4", f"DELETE FROM {HEADS}")
    forge(5, 6)
    forged = sign_head(stranger, WORKSPACE, head_of("default", WORKSPACE).head, reason="anchor")
    anchor_file().write_bytes(checkpoint_line(forged))
    restart()
    fault = found()
    assert fault is not None
    assert "not signed by our line of keys" in fault.reason
    # Nor does it help to put that key into the table of keys.
    sql(f"UPDATE {KEYS} SET key_id = '{stranger.key_id}', public_key = '{stranger.public_key}'")
    with pytest.raises(SigningRefusedError):
        sign()


@SQLITE
def test_an_anchor_of_an_empty_log_by_another_key_begins_no_log_again(sql: Sql, restart: Restart) -> None:
    forged = sign_head(key_pair("strange"), WORKSPACE, genesis(WORKSPACE), reason="anchor")
    sql(f"DELETE FROM {EVENTS}", f"DELETE FROM {HEADS}", f"DELETE FROM {KEYS}")
    anchor_file().write_bytes(checkpoint_line(forged))
    restart()
    write(1)
    with pytest.raises(UnadoptedLogError):
        sign()


# Who has the key as well, but not the anchors.


@SQLITE
def test_a_history_that_was_signed_with_the_stolen_key_is_not_that_of_the_anchor(sql: Sql, restart: Restart) -> None:
    sql(f"DELETE FROM {EVENTS} WHERE sequence > 6", f"DELETE FROM {HEADS} WHERE sequence > 4")
    forge(7, 12)
    head = sign_head(configured_key(), WORKSPACE, head_of("default", WORKSPACE).head, reason="rows")
    store_checkpoint("default", head)
    for _ in range(2):
        fault = found()
        assert fault is not None
        assert (fault.kind, fault.reason) == ("changed", "Entry 8 has another hash than it had.")
        with pytest.raises(AnchorFaultError):
            sign()
        restart()


# Two consoles on one database that are not of one mind.


@SQLITE
def test_of_two_nodes_that_give_a_log_different_names_one_signs_it(
    database: RecordDatabase, settings: Any, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    second = NodeAnchors(AnchorSettings("file", tmp_path / "second", ""))
    look(second, "default")
    settings.AUDIT_LOG_NAME = "a.example.com"
    write(2)
    assert sign() == 2
    settings.AUDIT_LOG_NAME = "b.example.com"
    become(second, monkeypatch)
    write(1)
    with pytest.raises(RenamedLogError, match=r"signed under the name a\.example\.com"):
        sign()
    assert set(SigningHead.objects.values_list("origin", flat=True)) == {f"a.example.com/{WORKSPACE}/1"}


# What is not found.


@SQLITE
def test_what_is_not_found_an_entry_that_somebody_appends(signed: RecordDatabase) -> None:
    """A chain needs no key, so whoever writes the database can add an entry about what never was: it is signed.

    Its facts have to come from elsewhere: Hoursmith's own log, or a receiver that compares call by call.
    """
    forge(9, 9, tool="delete_client", actor="Mallory")
    assert sign() == 9
    assert found() is None
    assert verify_stored().is_ok


@SQLITE
def test_what_is_not_found_unsigned_entries_that_no_process_remembers(sql: Sql, restart: Restart) -> None:
    """Between the last anchor (10 s) and a restart, entries can be replaced; a log destination has what was there."""
    write(2)
    restart()
    sql(f"DELETE FROM {EVENTS} WHERE sequence > 8")
    forge(9, 10, tool="get_me")
    assert sign() == 10
    assert found() is None


@SQLITE
def test_what_is_not_found_triggers_and_destinations_that_were_removed(sql: Sql) -> None:
    """Neither changes the log. A receiver that gets no checkpoint for 15 minutes knows that it was silenced."""
    sql(f"DELETE FROM {LogDestination._meta.db_table}")
    assert sign() == 8
    assert found() is None


@SQLITE
def test_what_the_anchor_does_not_find_the_middle_of_the_log(sql: Sql, restart: Restart) -> None:
    """Facts of a signed entry that were changed with their hash left alone: found by the next round, not by a look."""
    sql(f"UPDATE {EVENTS} SET role = 'MEMBER' WHERE sequence = 3")
    restart()
    assert found() is None
    assert sign() == 8
    OldRows("default").verify_some()
    assert found() is not None
    with pytest.raises(AnchorFaultError):
        sign()
