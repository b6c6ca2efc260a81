"""Old rows leave the record only into a file that proves them, and what stays still verifies."""

import io
import json
import os
import subprocess
import sys
from collections.abc import Callable, Iterator
from concurrent.futures import ThreadPoolExecutor
from contextlib import contextmanager
from dataclasses import replace
from datetime import UTC, datetime, timedelta
from pathlib import Path
from typing import Any

import pytest
from django.core.management import CommandError, call_command
from django.db import connection, connections, transaction
from django.utils import timezone

from mcpbridge.audit import retention
from mcpbridge.audit.archive import ArchiveError
from mcpbridge.audit.checkpoints import make_checkpoints
from mcpbridge.audit.destinations.batches import next_batch
from mcpbridge.audit.keyring import UnannouncedKeyError, published_keys
from mcpbridge.audit.retention import Pruned, PruneInProgressError, prune_audit_log
from mcpbridge.audit.rows import append_rows, intent_row, outcome_row
from mcpbridge.audit.verification import OutsideHead
from mcpbridge.audit.verification.records import Checkpoint
from mcpbridge.audit.verification.sources import verify_stored
from mcpbridge.models import AuditCut, AuditEvent, LogDestination, SigningHead
from tests.call_records import OWNER, SUCCEEDED, a_call
from tests.databases import RecordDatabase
from tests.paths import ROOT

BEGIN = datetime(2026, 1, 1, tzinfo=UTC)
TODAY = BEGIN + timedelta(days=30)


@pytest.fixture
def clock(monkeypatch: pytest.MonkeyPatch) -> list[datetime]:
    now = [BEGIN]
    monkeypatch.setattr(timezone, "now", lambda: now[0])
    monkeypatch.setattr(retention, "ROWS_AT_ONCE", 4)
    monkeypatch.setattr(retention, "_PAUSE_S", 0)
    return now


@pytest.fixture
def month(database: RecordDatabase, clock: list[datetime]) -> None:
    """Two rows a day for 30 days in org-1, signed every ten days; and a few in org-2."""
    for day in range(30):
        clock[0] = BEGIN + timedelta(days=day)
        write()
        if day % 10 == 9:
            make_checkpoints(reason="time")
    write("org-2")
    clock[0] = TODAY


def write(org_id: str = "org-1") -> None:
    call = a_call(identity=replace(OWNER, org_id=org_id), target_label="Glöbex\n🧾")
    with transaction.atomic():
        append_rows(
            "default", [intent_row(call, snapshot={"rate": 8.5}, snapshot_fault=""), outcome_row(call, SUCCEEDED)]
        )


def prune(folder: Path, *, days: int = 10, org_id: str = "org-1") -> Pruned | None:
    return prune_audit_log(org_id=org_id, before=BEGIN + timedelta(days=days), export_to=folder, actor="ana")


def places(org_id: str = "org-1") -> list[int]:
    return list(AuditEvent.objects.filter(org_id=org_id).order_by("sequence").values_list("sequence", flat=True))


def holds(**more: Any) -> bool:
    return verify_stored(**more).is_ok


def proved_elsewhere(archive: Path, tmp_path: Path) -> bool:
    """Return whether the standalone verifier accepts the file with the published keys alone."""
    key = tmp_path / "key.json"
    key.write_text(json.dumps(published_keys()))
    command = [sys.executable, str(ROOT / "docs" / "verify_audit.py"), str(archive), str(key)]
    command += ["--fingerprint", published_keys()["keys"][0]["fingerprint"]]
    done = subprocess.run(command, capture_output=True, text=True, timeout=60)
    return done.returncode == 0


@pytest.mark.usefixtures("month")
def test_old_rows_go_into_a_file_that_proves_them_and_the_rest_still_verifies(tmp_path: Path) -> None:
    head = AuditEvent.objects.get(org_id="org-1", sequence=40)
    pruned = prune(tmp_path / "kept")
    assert pruned is not None
    assert (pruned.rows, pruned.sequence, pruned.unresolved) == (20, 20, 0)
    assert places() == list(range(21, 62))
    assert places("org-2") == [1, 2]
    assert holds()
    assert holds(workspace="org-1", head=OutsideHead(head.hash, 40))
    assert proved_elsewhere(pruned.archive.path, tmp_path)
    assert oct(pruned.archive.path.stat().st_mode)[-3:] == "600"
    assert [path.name for path in (tmp_path / "kept").iterdir()] == [pruned.archive.path.name]
    told = AuditEvent.objects.get(tool="console.audit_prune")
    assert (told.org_id, told.actor, told.sequence) == ("org-1", "ana", 61)
    assert told.arguments == {
        "before": "2026-01-11T00:00:00+00:00",
        "rows": 20,
        "up_to": 20,
        "unresolved": 0,
        "archive": pruned.archive.path.name,
        "sha256": pruned.archive.sha256,
    }
    assert list(AuditCut.objects.order_by("sequence").values_list("sequence", "rows")) == [
        (at, 4) for at in range(4, 21, 4)
    ]
    assert list(SigningHead.objects.filter(org_id="org-1").order_by("id").values_list("sequence", "reason")) == [
        (40, "time"),
        (60, "time"),
        (61, "prune"),
    ]


@pytest.mark.usefixtures("month")
def test_pruning_goes_on_where_it_ended(tmp_path: Path) -> None:
    assert prune(tmp_path) is not None
    assert prune(tmp_path) is None
    again = prune(tmp_path, days=20)
    assert again is not None
    assert (again.rows, again.sequence) == (20, 40)
    assert proved_elsewhere(again.archive.path, tmp_path)
    assert places() == list(range(41, 63))
    assert holds()


@pytest.mark.usefixtures("month")
def test_never_everything_goes(tmp_path: Path) -> None:
    assert prune(tmp_path, days=30) is not None
    assert places() == [61]
    assert holds()
    write()
    assert holds()
    assert prune(tmp_path, days=30) is None


@pytest.mark.usefixtures("month")
def test_a_day_to_come_is_refused(tmp_path: Path) -> None:
    with pytest.raises(ValueError, match="future"):
        prune(tmp_path, days=31)


def nothing_happened(tmp_path: Path) -> bool:
    files = [path for path in tmp_path.rglob("*") if path.is_file() and path.suffix in (".jsonl", ".part")]
    is_told = AuditEvent.objects.filter(tool="console.audit_prune").exists()
    return len(places()) == 60 and not AuditCut.objects.exists() and not files and not is_told


@pytest.mark.usefixtures("month")
def test_without_a_place_for_the_file_nothing_goes(tmp_path: Path) -> None:
    (tmp_path / "file").write_text("in the way")
    with pytest.raises(ArchiveError, match="cannot be written"):
        prune(tmp_path / "file")
    assert nothing_happened(tmp_path)


@pytest.mark.usefixtures("month")
def test_on_a_full_disk_nothing_goes(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    def full(file: int) -> None:
        raise OSError(28, os.strerror(28))

    monkeypatch.setattr("mcpbridge.audit.archive.os.fsync", full)
    with pytest.raises(ArchiveError, match="No space left"):
        prune(tmp_path)
    assert nothing_happened(tmp_path)


@pytest.mark.usefixtures("month")
def test_a_file_that_does_not_hold_what_was_written_removes_nothing(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr("mcpbridge.audit.archive.record_lines", lambda records: iter([b'{"type":"end","lines":0}\n']))
    with pytest.raises(ArchiveError, match="none was removed"):
        prune(tmp_path)
    assert nothing_happened(tmp_path)


@pytest.mark.usefixtures("month")
def test_what_was_changed_is_not_removed(tmp_path: Path) -> None:
    with connection.cursor() as cursor:
        table = AuditEvent._meta.db_table
        off = (
            f"ALTER TABLE {table} DISABLE TRIGGER USER"
            if connection.vendor == "postgresql"
            else f"DROP TRIGGER {table}_no_update"
        )
        cursor.execute(off)
        cursor.execute(f"UPDATE {table} SET target_label = 'Initech' WHERE sequence = 7")
    with pytest.raises(ArchiveError, match="edited at row 7"):
        prune(tmp_path)
    assert nothing_happened(tmp_path)


@pytest.mark.usefixtures("month")
def test_without_a_known_key_nothing_goes(tmp_path: Path, settings: Any) -> None:
    settings.AUDIT_SIGNING_KEY = "somebody else's"
    with pytest.raises(UnannouncedKeyError):
        prune(tmp_path)
    assert nothing_happened(tmp_path)


@pytest.mark.usefixtures("month", "audit_unavailable")
def test_what_cannot_be_recorded_is_not_done(tmp_path: Path) -> None:
    with pytest.raises(Exception, match="cannot be written now"):
        prune(tmp_path)
    assert len(places()) == 60
    assert not AuditCut.objects.exists()


@pytest.mark.usefixtures("month")
@pytest.mark.parametrize("parts", range(5))
def test_a_crash_in_between_leaves_a_chain_that_verifies_and_a_second_run_ends_it(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, clock: list[datetime], parts: int
) -> None:
    remove: Callable[..., None] = retention._remove
    removed: list[AuditCut] = []

    def dies(alias: str, cut: AuditCut) -> None:
        if len(removed) == parts:
            raise KeyboardInterrupt
        removed.append(cut)
        remove(alias, cut)

    with monkeypatch.context() as patch:
        patch.setattr(retention, "_remove", dies)
        with pytest.raises(KeyboardInterrupt):
            prune(tmp_path)
    assert places()[0] == 4 * parts + 1
    assert holds()
    clock[0] += timedelta(seconds=1)
    rest = prune(tmp_path)
    assert rest is not None
    assert rest.rows == 20 - 4 * parts
    assert proved_elsewhere(rest.archive.path, tmp_path)
    assert holds()


@pytest.mark.usefixtures("month")
def test_the_command_prunes_every_workspace_or_one(tmp_path: Path) -> None:
    out = io.StringIO()
    arguments = ("audit_prune", "--before", "2026-01-11", "--export-to", str(tmp_path))
    call_command(*arguments, "--workspace", "org-2", stdout=out)
    assert out.getvalue() == "org-2: no rows are older than this date.\n"
    call_command(*arguments, stdout=out)
    assert "org-1: 20 rows up to row 20 removed." in out.getvalue()
    with pytest.raises(CommandError, match="Unknown workspace"):
        call_command(*arguments, "--workspace", "org-9")
    (tmp_path / "file").write_text("in the way")
    with pytest.raises(CommandError, match="org-1: nothing was removed"):
        call_command(
            *("audit_prune", "--before", "2026-01-21", "--export-to", str(tmp_path / "file"), "--workspace", "org-1")
        )


@pytest.mark.usefixtures("month")
def test_writing_goes_on_meanwhile(database: RecordDatabase, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    remove: Callable[..., None] = retention._remove

    def writes_too(alias: str, cut: AuditCut) -> None:
        write()
        remove(alias, cut)

    monkeypatch.setattr(retention, "_remove", writes_too)
    assert prune(tmp_path) is not None
    assert places() == list(range(21, 72))
    assert holds()


@pytest.mark.usefixtures("month")
def test_of_two_prunings_at_once_one_removes_and_the_other_says_so(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """The second begins while the first has written its file and removed nothing."""
    record: Callable[..., None] = retention._record

    def recorded(*given: Any, **more: Any) -> None:
        kept = sorted((tmp_path / "kept").iterdir())
        ran = in_another_thread(lambda: prune(tmp_path / "kept"))
        assert isinstance(ran, PruneInProgressError)
        assert sorted((tmp_path / "kept").iterdir()) == kept
        record(*given, **more)

    monkeypatch.setattr(retention, "_record", recorded)
    pruned = prune(tmp_path / "kept")
    assert pruned is not None
    assert [path.name for path in (tmp_path / "kept").iterdir()] == [pruned.archive.path.name]
    assert AuditEvent.objects.filter(tool="console.audit_prune").count() == 1
    assert places()[0] == 21
    assert holds()
    # It is free again, and other workspaces never were held up.
    monkeypatch.setattr(retention, "_record", record)
    assert prune(tmp_path, days=20) is not None


@pytest.mark.usefixtures("month")
def test_rows_that_another_pruning_removed_are_not_removed_again(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Where the lock was lost, the place of the last cut decides, in the transaction that removes."""

    @contextmanager
    def nothing(*_: object) -> Iterator[bool]:
        yield True

    record: Callable[..., None] = retention._record

    def recorded(*given: Any, **more: Any) -> None:
        monkeypatch.setattr(retention, "_record", record)
        assert prune(tmp_path / "kept") is not None
        record(*given, **more)

    monkeypatch.setattr(retention, "exclusive_lock", nothing)
    monkeypatch.setattr(retention, "_record", recorded)
    with pytest.raises(PruneInProgressError):
        prune(tmp_path / "kept")
    assert sum(AuditCut.objects.values_list("rows", flat=True)) == 20
    assert len(list((tmp_path / "kept").iterdir())) == 2
    assert all(proved_elsewhere(path, tmp_path) for path in (tmp_path / "kept").glob("*.jsonl"))
    assert holds()


def in_another_thread(work: Callable[[], Any]) -> Any:
    """What `work` returns or raises on a thread with connections of its own."""

    def run() -> Any:
        try:
            return work()
        except Exception as error:
            return error
        finally:
            connections.close_all()

    with ThreadPoolExecutor(1) as pool:
        return pool.submit(run).result(60)


def a_destination(acked: int, **more: Any) -> LogDestination:
    given = {"org_id": "org-1", "name": f"destination at {acked}", "kind": "file", "format": "json", **more}
    return LogDestination.objects.create(address="a", acked=acked, **given)


@pytest.mark.usefixtures("month")
def test_rows_that_a_destination_has_not_confirmed_stay_unless_that_is_meant(tmp_path: Path) -> None:
    a_destination(20)
    behind = a_destination(19, is_paused=True)
    command = ("audit_prune", "--before=2026-01-11", "--workspace=org-1", f"--export-to={tmp_path / 'kept'}")
    with pytest.raises(CommandError) as refused:
        call_command(*command)
    assert (
        "nothing was removed. Log destinations have not acknowledged all rows up to 20: “destination at 19” (row 19)."
        in str(refused.value)
    )
    assert places()[0] == 1
    assert not (tmp_path / "kept").exists()
    said = io.StringIO()
    call_command(*command, "--include-undelivered", stdout=said)
    assert "Not delivered to all log destinations: destination at 19." in said.getvalue()
    assert AuditEvent.objects.get(tool="console.audit_prune").arguments["undelivered_to"] == ["destination at 19"]
    # What it gets next begins with the signed stub that explains the gap.
    batch = next_batch(behind, "default")
    assert batch is not None
    cut, row = batch.records[:2]
    assert isinstance(cut, Checkpoint)
    assert (cut.is_cut, cut.sequence, row.sequence) == (True, 20, 21)


@pytest.mark.usefixtures("month")
def test_destinations_that_are_gone_or_of_another_workspace_keep_nothing(tmp_path: Path) -> None:
    a_destination(0, deleted_at=TODAY)
    a_destination(0, org_id="org-2")
    pruned = prune(tmp_path / "kept")
    assert pruned is not None
    assert pruned.destinations_behind == ()


@pytest.mark.usefixtures("month")
def test_a_batch_that_retention_took_does_not_hold_up_what_is_behind_it(tmp_path: Path) -> None:
    destination, until = a_destination(4, leased=8), BEGIN + timedelta(days=10)
    prune_audit_log(org_id="org-1", before=until, export_to=tmp_path / "kept", actor="ana", include_undelivered=True)
    batch = next_batch(destination, "default")
    assert batch is not None
    assert batch.last == places()[-1]


def test_a_terminal_shows_what_was_written_and_what_is_removed(month: None, tmp_path: Path) -> None:
    told: list[tuple[str, int, int]] = []
    pruned = prune_audit_log(
        org_id="org-1",
        before=BEGIN + timedelta(days=10),
        export_to=tmp_path,
        actor="ana",
        progress=lambda *stage: told.append(stage),
    )
    assert pruned is not None
    rows = pruned.rows
    assert [done for stage, done, _ in told if stage == "written"] == list(range(1, rows + 1))
    assert [done for stage, done, _ in told if stage == "removed"] == [*range(4, rows, 4), rows]
    assert {total for _, _, total in told} == {rows}
    terminal = Terminal()
    call_command(
        "audit_prune", before=BEGIN + timedelta(days=20), export_to=tmp_path, stderr=terminal, workspace="org-1"
    )
    assert "] 20 of 20 rows written\n" in terminal.getvalue()
    assert terminal.getvalue().endswith("\r[####################] 20 of 20 rows removed\n")


class Terminal(io.StringIO):
    """Something that people look at."""

    def isatty(self) -> bool:
        return True
