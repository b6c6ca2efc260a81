"""A log without an anchor, or one that disagrees, is signed again only after an operator has adopted it."""

import io
from typing import Any

import pytest
from django.core.management import CommandError, call_command

from mcpbridge.audit.anchors.memory import UnadoptedLogError, node_anchors
from mcpbridge.audit.keyring import announce_key
from mcpbridge.audit.signing import key_pair
from mcpbridge.audit.verification.announcements import fingerprint_of
from mcpbridge.audit.verification.sources import verify_stored
from mcpbridge.models import AuditEvent, SigningKey
from tests.databases import RecordDatabase
from tests.mcpbridge.audit.anchors.conftest import (
    EVENTS,
    HEADS,
    KEYS,
    WORKSPACE,
    Restart,
    Sql,
    anchor_file,
    found,
    sign,
    write,
)


def told(*options: str) -> tuple[int, str]:
    """What `audit_anchor` says, and its exit code."""
    out = io.StringIO()
    try:
        call_command("audit_anchor", *options, stdout=out)
    except SystemExit as ending:
        return int(ending.code or 0), out.getvalue()
    return 0, out.getvalue()


def test_a_log_from_before_there_were_anchors_asks_to_be_adopted(signed: RecordDatabase, restart: Restart) -> None:
    anchor_file().unlink()
    restart()
    write(1)
    status, text = told()
    assert (status, "no anchor" in text) == (1, True)
    with pytest.raises(UnadoptedLogError):
        sign()
    status, text = told("--adopt", "--reason", "upgraded")
    assert (status, f"{WORKSPACE}: adopted up to row 9" in text) == (0, True)
    row = AuditEvent.objects.get(tool="console.audit_anchor")
    assert (row.sequence, row.note, row.arguments["sequence"]) == (10, "upgraded", 9)
    restart()
    assert told()[0] == 0
    assert sign() == 10
    assert verify_stored().is_ok


def test_a_process_that_serves_takes_over_what_a_command_adopted(signed: RecordDatabase, restart: Restart) -> None:
    anchor_file().unlink()
    restart()
    assert found() is None
    serving = node_anchors()
    restart()
    told("--adopt", "--reason", "upgraded")
    serving.sync()
    assert serving.unadopted == set()
    assert serving.anchor(WORKSPACE) is not None


def test_a_log_that_lost_its_end_is_not_adopted_but_accepted_as_restored(sql: Sql, restart: Restart) -> None:
    sql(f"DELETE FROM {EVENTS} WHERE sequence > 4", f"DELETE FROM {HEADS} WHERE sequence > 4")
    status, text = told()
    assert (status, "BEHIND" in text) == (1, True)
    with pytest.raises(CommandError, match="use audit_accept_restore"):
        told("--adopt", "--reason", "restored the backup of 3 May")
    assert not AuditEvent.objects.filter(tool="console.audit_anchor").exists()


def test_what_does_not_verify_is_not_adopted(sql: Sql, restart: Restart) -> None:
    sql(f"UPDATE {EVENTS} SET role = 'MEMBER' WHERE sequence = 3")
    anchor_file().unlink()
    restart()
    with pytest.raises(CommandError, match="edited at row 3"):
        told("--adopt", "--reason", "never mind")
    assert not AuditEvent.objects.filter(tool="console.audit_anchor").exists()
    with pytest.raises(UnadoptedLogError):
        sign()


def test_no_log_is_adopted_without_a_reason(signed: RecordDatabase, restart: Restart) -> None:
    anchor_file().unlink()
    restart()
    with pytest.raises(CommandError, match="reason"):
        told("--adopt")
    with pytest.raises(CommandError, match="Unknown workspace"):
        told("--adopt", "--reason", "x", "--workspace", "org-9")


def test_a_key_table_that_was_emptied_is_filled_again_by_an_adoption(sql: Sql, restart: Restart) -> None:
    sql(f"DELETE FROM {KEYS}")
    assert found() is not None
    assert told("--adopt", "--reason", "the keys were deleted")[0] == 0
    assert SigningKey.objects.count() == 1
    restart()
    assert found() is None
    assert sign() == 9


def test_keys_that_an_earlier_release_announced_need_the_first_one_s_fingerprint(
    sql: Sql, restart: Restart, settings: Any
) -> None:
    first = key_pair(settings.AUDIT_SIGNING_KEY)
    announce_key(text="the second", actor="Ana")
    settings.AUDIT_SIGNING_KEY = "the second"
    sql(f"UPDATE {KEYS} SET countersignature = ''")
    anchor_file().unlink()
    restart()
    with pytest.raises(CommandError, match="unknown-key"):
        told("--adopt", "--reason", "upgraded")
    assert told("--adopt", "--reason", "upgraded", "--fingerprint", fingerprint_of(first.public_key))[0] == 0
    restart()
    assert found() is None


def test_an_anchor_file_that_cannot_be_read_is_replaced_by_an_adoption(
    signed: RecordDatabase, restart: Restart
) -> None:
    anchor_file().write_bytes(b"garbage")
    restart()
    status, text = told()
    assert (status, "cannot be read" in text) == (1, True)
    assert told("--adopt", "--reason", "a bad disk")[0] == 0
    restart()
    assert (told()[0], found()) == (0, None)
