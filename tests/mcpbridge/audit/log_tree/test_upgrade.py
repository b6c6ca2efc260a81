"""A database of the release before is migrated, and its logs are upgraded to format 2."""

import json
from pathlib import Path
from typing import Any

import pytest
from django.core.management import CommandError, call_command

from mcpbridge.audit.anchors.memory import node_anchors
from mcpbridge.audit.anchors.watch import look
from mcpbridge.audit.checkpoints import make_checkpoints
from mcpbridge.audit.console_events import record_event
from mcpbridge.audit.export.jsonl import lines
from mcpbridge.audit.export.source import Selection
from mcpbridge.audit.keyring import published_keys
from mcpbridge.audit.log_tree.tiles import stored_size
from mcpbridge.audit.retention import prune_audit_log
from mcpbridge.audit.signing import configured_key
from mcpbridge.audit.verification.announcements import fingerprint_of
from mcpbridge.audit.verification.sources import verify_stored
from mcpbridge.models import AuditEvent, SigningHead
from tests.audit_chains import START
from tests.databases import RecordDatabase
from tests.mcpbridge.audit.log_tree.old_logs import first_key, migrate, old_rows, released
from tests.verifiers import verdict_on


def fingerprint() -> str:
    return fingerprint_of(configured_key().public_key)


def upgrade(**more: Any) -> None:
    call_command("audit_upgrade", **{"fingerprint": fingerprint(), **more})


def event(org_id: str = "org-1") -> None:
    record_event(org_id=org_id, action="console.test", actor="Ana", details={"rows": 2})


def found() -> str:
    """What the node, the verifier of the console and both verifiers of the export find; empty if nothing."""
    look(node_anchors(), "default")
    if node_anchors().faults:
        return node_anchors().faults[0].reason
    if bad := verify_stored().first_bad:
        return str(bad)
    verdict = verdict_on(list(lines(Selection())), json.dumps(published_keys()), fingerprint=fingerprint())
    return "" if verdict["ok"] else str(verdict)


@pytest.fixture
def old(sqlite_database: RecordDatabase) -> RecordDatabase:
    """Two logs of format 1: 600 rows with checkpoints, and one row."""
    write_old_logs()
    return sqlite_database


def write_old_logs() -> None:
    first_key()
    old_rows(600, signed=(250, 600))
    old_rows(1, "org-2", signed=(1,))


def test_an_old_log_is_migrated_upgraded_and_continued(database: RecordDatabase) -> None:
    released()
    write_old_logs()
    migrate()
    upgrade()
    rows = AuditEvent.objects.filter(org_id="org-1").order_by("sequence")
    assert list(rows.values_list("epoch", flat=True)) == [0] * 600 + [1]
    assert rows.last().tool == "console.audit_format"
    first, last = SigningHead.objects.filter(org_id="org-1").exclude(origin="").order_by("id")
    assert first.origin == f"hoursmith-console/{configured_key().key_id}/org-1/1"
    assert (first.sequence, last.sequence) == (600, 601)
    assert found() == ""
    for org_id in ("org-1", "org-2", "org-3"):
        event(org_id)
    make_checkpoints(reason="demand")
    assert AuditEvent.objects.filter(sequence=602).get().epoch == 1
    assert stored_size("default", "org-1") == 602
    assert found() == ""
    count = AuditEvent.objects.count()
    upgrade()
    assert AuditEvent.objects.count() == count


def test_an_old_log_continues_in_its_format_until_it_is_upgraded(old: RecordDatabase) -> None:
    call_command("audit_anchor", adopt=True, reason="migrated")
    event()
    make_checkpoints(reason="demand")
    assert not AuditEvent.objects.filter(epoch__gt=0).exists()
    assert not SigningHead.objects.exclude(origin="").exists()
    assert found() == ""
    upgrade()
    assert found() == ""


def test_another_node_with_an_old_anchor_follows_the_upgrade(
    old: RecordDatabase, settings: Any, tmp_path: Path
) -> None:
    here = settings.AUDIT_ANCHOR_DIR
    call_command("audit_anchor", adopt=True, reason="migrated")
    settings.AUDIT_ANCHOR_DIR = str(tmp_path / "other node")
    call_command("audit_anchor", adopt=True, reason="migrated")
    upgrade()
    event()
    settings.AUDIT_ANCHOR_DIR = here
    look(node_anchors(), "default")
    assert not node_anchors().faults
    anchor = node_anchors().anchor("org-1")
    assert anchor is not None
    assert anchor.origin
    event()
    (head,) = make_checkpoints(reason="demand", org_id="org-1")
    assert head.origin == anchor.origin
    assert found() == ""


def test_nothing_is_upgraded_that_does_not_verify(old: RecordDatabase) -> None:
    def refused(**more: Any) -> str:
        with pytest.raises(CommandError) as error:
            upgrade(**more)
        assert not SigningHead.objects.exclude(origin="").exists()
        return str(error.value)

    assert "fingerprint" in refused(fingerprint="ab" * 32)
    assert "Unknown workspace" in refused(workspace="org-9")
    SigningHead.objects.create(org_id="org-1", sequence=599, hash="ab" * 32, at=START, key_id="x", signature="x")
    assert "does not verify" in refused()


def test_an_unsigned_log_is_not_upgraded(sqlite_database: RecordDatabase) -> None:
    first_key()
    old_rows(3)
    with pytest.raises(CommandError, match="signed"):
        upgrade()


def test_a_pruned_log_is_upgraded_with_its_archives_or_from_its_first_row(old: RecordDatabase, tmp_path: Path) -> None:
    call_command("audit_anchor", adopt=True, reason="migrated")
    for place in (100, 300):
        before = AuditEvent.objects.get(org_id="org-1", sequence=place + 1).recorded_at
        prune_audit_log(org_id="org-1", before=before, export_to=tmp_path / "kept", actor="Ana")
    with pytest.raises(CommandError, match="No archive"):
        upgrade(workspace="org-1", archives=tmp_path)
    upgrade(workspace="org-1", archives=tmp_path / "kept")
    origin = SigningHead.objects.filter(org_id="org-1").exclude(origin="").values_list("origin", flat=True).first()
    assert origin is not None
    assert origin.endswith("/org-1/1")
    assert stored_size("default", "org-1") == AuditEvent.objects.filter(org_id="org-1").latest("sequence").sequence
    assert found() == ""


def test_without_archives_the_origin_names_the_first_row(old: RecordDatabase, tmp_path: Path) -> None:
    call_command("audit_anchor", adopt=True, reason="migrated")
    before = AuditEvent.objects.get(org_id="org-1", sequence=101).recorded_at
    prune_audit_log(org_id="org-1", before=before, export_to=tmp_path / "kept", actor="Ana")
    upgrade(workspace="org-1")
    head = SigningHead.objects.filter(org_id="org-1").order_by("-id").first()
    assert head is not None
    assert head.origin.endswith("/org-1/1-from-101")
    event()
    make_checkpoints(reason="demand", org_id="org-1")
    assert found() == ""
