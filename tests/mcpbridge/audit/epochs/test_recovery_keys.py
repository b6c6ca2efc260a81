"""A recovery key continues the line of keys when the signing key is lost; it does nothing else."""

import io
import json
from typing import Any

import pytest
from django.core.management import CommandError, call_command

from mcpbridge.audit.anchors.memory import node_anchors
from mcpbridge.audit.epochs.keys import announce_recovery_key, recover_key
from mcpbridge.audit.export.jsonl import lines
from mcpbridge.audit.export.source import Selection
from mcpbridge.audit.keyring import UnannouncedKeyError, announce_key, published_keys, usable_key
from mcpbridge.audit.signing import key_pair
from mcpbridge.audit.verification.announcements import fingerprint_of
from mcpbridge.models import AuditEvent, SigningKey
from tests.databases import RecordDatabase
from tests.mcpbridge.audit.anchors.conftest import KEYS, Restart, Sql, found, sign
from tests.verifiers import verdict_on

RECOVERY = "kept in a safe"


def verdict(of_key: str) -> Any:
    """What both verifiers say of the log, given the fingerprint of one key."""
    return verdict_on(
        list(lines(Selection())), json.dumps(published_keys()), fingerprint=fingerprint_of(key_pair(of_key).public_key)
    )


def test_after_a_lost_key_the_line_continues(signed: RecordDatabase, restart: Restart, settings: Any) -> None:
    old = settings.AUDIT_SIGNING_KEY
    made = announce_recovery_key(text=RECOVERY, actor="Ana")
    assert published_keys()["current"] == key_pair(old).key_id
    sign()
    settings.AUDIT_SIGNING_KEY = "the next"
    restart()
    with pytest.raises(UnannouncedKeyError):
        sign()
    recover_key(text=RECOVERY, actor="Ana")
    assert found() is None
    last = sign()
    rows = AuditEvent.objects.filter(tool__startswith="console.key_reco").order_by("sequence")
    assert [row.tool for row in rows] == ["console.key_recovery", "console.key_recover"]
    assert rows[1].arguments["announced_by"] == made.key_id
    for key in (old, "the next"):
        said = verdict(key)
        assert (said["ok"], said["workspaces"][0]["vouched"]) == (True, last)
    # The lost key, should it turn up again, signs no more.
    settings.AUDIT_SIGNING_KEY = old
    assert usable_key("default") is None


def test_it_decides_where_the_lost_key_had_announced_another(
    signed: RecordDatabase, restart: Restart, settings: Any
) -> None:
    announce_recovery_key(text=RECOVERY, actor="Ana")
    announce_key(text="lost, too", actor="Ana")
    settings.AUDIT_SIGNING_KEY = "the next"
    restart()
    recover_key(text=RECOVERY, actor="Ana")
    assert found() is None
    assert sign() > 8


def test_there_is_one_and_it_signs_nothing_itself(signed: RecordDatabase, restart: Restart, settings: Any) -> None:
    announce_recovery_key(text=RECOVERY, actor="Ana")
    with pytest.raises(ValueError, match="already"):
        announce_recovery_key(text="another", actor="Ana")
    with pytest.raises(ValueError, match="in use already"):
        recover_key(text=RECOVERY, actor="Ana")
    settings.AUDIT_SIGNING_KEY = RECOVERY
    restart()
    assert usable_key("default") is None
    with pytest.raises(UnannouncedKeyError):
        sign()


def test_no_other_key_recovers(sql: Sql, restart: Restart, settings: Any) -> None:
    announce_recovery_key(text=RECOVERY, actor="Ana")
    settings.AUDIT_SIGNING_KEY = "the next"
    restart()
    for other in ("guessed", "the next"):
        with pytest.raises(ValueError, match="not the recovery key"):
            recover_key(text=other, actor="Eve")
    # Nor one that somebody wrote into the table.
    strange = key_pair("strange")
    sql(f"UPDATE {KEYS} SET key_id = '{strange.key_id}', public_key = '{strange.public_key}' WHERE use = 'recovery'")
    with pytest.raises(ValueError, match="not the recovery key"):
        recover_key(text="strange", actor="Eve")
    assert not SigningKey.objects.filter(key_id=key_pair("the next").key_id).exists()


def test_the_commands_show_it_once_and_never_take_it_as_an_argument(
    signed: RecordDatabase, restart: Restart, settings: Any, monkeypatch: pytest.MonkeyPatch
) -> None:
    out, told = io.StringIO(), io.StringIO()
    call_command("audit_keygen", "--recovery", stdout=out, stderr=told)
    (text,) = out.getvalue().split()
    assert key_pair(text).key_id in told.getvalue()
    settings.AUDIT_SIGNING_KEY = "the next"
    restart()
    monkeypatch.setattr("sys.stdin", io.StringIO("wrong\n"))
    with pytest.raises(CommandError, match="not the recovery key"):
        call_command("audit_keygen", "--recover")
    monkeypatch.setenv("AUDIT_RECOVERY_KEY", text)
    call_command("audit_keygen", "--recover", stderr=told)
    assert found() is None
    assert sign() > 8
    assert node_anchors().faults == []
