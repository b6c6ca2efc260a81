"""Without a recovery key, a lost signing key ends the line: each log says so, and continues in a new epoch."""

import io
import json
from typing import Any

import pytest
from django.core.management import CommandError, call_command

from mcpbridge.audit.anchors.memory import node_anchors
from mcpbridge.audit.epochs.keys import replace_lost_key
from mcpbridge.audit.export.jsonl import lines
from mcpbridge.audit.export.source import Selection
from mcpbridge.audit.keyring import UnannouncedKeyError, announce_key, published_keys
from mcpbridge.audit.signing import key_pair
from mcpbridge.audit.verification.announcements import fingerprint_of
from mcpbridge.models import AuditEpoch, AuditEvent, SigningKey
from tests.databases import RecordDatabase
from tests.mcpbridge.audit.anchors.conftest import EVENTS, KEYS, WORKSPACE, Restart, Sql, found, sign, write
from tests.verifiers import verdict_on

REASON = "the disk of the key failed"


def verdict(key: str) -> Any:
    return verdict_on(
        list(lines(Selection())), json.dumps(published_keys()), fingerprint=fingerprint_of(key_pair(key).public_key)
    )


def lose() -> str:
    told = io.StringIO()
    call_command("audit_keygen", "--lost", "--reason", REASON, stdout=io.StringIO(), stderr=told)
    return told.getvalue()


def test_every_log_continues_in_a_new_epoch_with_the_new_key(
    signed: RecordDatabase, restart: Restart, settings: Any
) -> None:
    old = settings.AUDIT_SIGNING_KEY
    write(3, "org-2")
    sign("org-2")
    write(1)
    settings.AUDIT_SIGNING_KEY = "the new one"
    restart()
    with pytest.raises(UnannouncedKeyError):
        sign()
    assert fingerprint_of(key_pair("the new one").public_key) in lose()
    assert found() is None
    rows = AuditEvent.objects.filter(tool="console.key_lost").order_by("org_id")
    assert [(row.org_id, row.epoch, row.sequence, row.note) for row in rows] == [
        (WORKSPACE, 2, 10, REASON),
        ("org-2", 2, 4, REASON),
    ]
    write(2)
    assert sign() == 12
    restart()
    assert (found(), sign()) == (None, 12)
    report = verdict("the new one")
    assert report["ok"], report
    assert [log["restores"][0]["is_key_lost"] for log in report["workspaces"]] == [True, True]
    # Nothing that the old key signed leads to the new one.
    assert verdict(old)["bad"]["kind"] == "unknown-key"


def test_it_may_be_repeated_and_then_has_nothing_to_do(signed: RecordDatabase, restart: Restart, settings: Any) -> None:
    settings.AUDIT_SIGNING_KEY = "the new one"
    restart()
    lose()
    with pytest.raises(CommandError, match="no key is lost"):
        lose()
    restart()
    with pytest.raises(CommandError, match="no key is lost"):
        lose()
    assert AuditEpoch.objects.count() == 1


def test_a_key_that_was_announced_is_not_lost(signed: RecordDatabase, restart: Restart, settings: Any) -> None:
    with pytest.raises(CommandError, match="no key is lost"):
        lose()
    announce_key(text="the second", actor="Ana")
    settings.AUDIT_SIGNING_KEY = "the second"
    restart()
    with pytest.raises(CommandError, match="no key is lost"):
        lose()
    with pytest.raises(ValueError, match="reason"):
        replace_lost_key(reason=" ", actor="Ana")
    assert AuditEpoch.objects.count() == 0


@pytest.mark.parametrize(
    "statement",
    [
        f"DELETE FROM {EVENTS} WHERE sequence > 6",
        f"UPDATE {EVENTS} SET role = 'MEMBER' WHERE sequence = 3",
        f"UPDATE {KEYS} SET public_key = '{key_pair('strange').public_key}'",
        f"DELETE FROM {KEYS}",
    ],
)
def test_nothing_is_continued_that_does_not_agree_with_the_anchor(
    statement: str, sql: Sql, restart: Restart, settings: Any
) -> None:
    sql(statement)
    settings.AUDIT_SIGNING_KEY = "the new one"
    restart()
    with pytest.raises(CommandError):
        lose()
    assert AuditEpoch.objects.count() == 0


def test_a_node_whose_key_is_the_lost_one_signs_no_more(
    signed: RecordDatabase, restart: Restart, settings: Any
) -> None:
    old = settings.AUDIT_SIGNING_KEY
    settings.AUDIT_SIGNING_KEY = "the new one"
    restart()
    lose()
    settings.AUDIT_SIGNING_KEY = old
    restart()
    fault = found()
    assert fault is not None
    assert "not ours" in fault.reason or "not signed by our line" in fault.reason
    assert node_anchors().faults
    assert SigningKey.objects.count() == 2
