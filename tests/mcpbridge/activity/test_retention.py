"""Old activity is deleted: all of it, nothing else, and with an audit row."""

import io
from dataclasses import replace
from datetime import timedelta
from typing import Any

import pytest
from django.core.management import CommandError, call_command
from django.db import connection
from django.utils import timezone

from mcpbridge.activity import retention
from mcpbridge.activity.partitions import make_months, month_of
from mcpbridge.activity.retention import ActivityRetention, prune_activity
from mcpbridge.core.sanitize import sanitized_columns
from mcpbridge.db.bulk import insert
from mcpbridge.models import AuditEvent, Grant, ToolCall
from tests.call_records import ANONYMOUS, OWNER, a_call
from tests.databases import RecordDatabase

pytestmark = pytest.mark.usefixtures("database")
# Partitions exist from today on, so these tests use dates in the future.
BEGIN = month_of(timezone.now()) + timedelta(days=9)
EDGE = BEGIN + timedelta(days=100)
NOW = BEGIN + timedelta(days=149, hours=5)


@pytest.fixture(autouse=True)
def history(database: RecordDatabase, monkeypatch: pytest.MonkeyPatch) -> None:
    """A call a day for 150 days in each of two workspaces, and two calls of which none is known; five months long."""
    monkeypatch.setattr(timezone, "now", lambda: NOW)
    monkeypatch.setattr(retention, "_PAUSE_S", 0)
    monkeypatch.setattr(retention, "ROWS_AT_ONCE", 7)
    calls = [
        a_call(at=BEGIN + timedelta(days=day), identity=replace(OWNER, org_id=org_id))
        for day in range(150)
        for org_id in ("org-1", "org-2")
    ]
    calls += [a_call(at=BEGIN, identity=ANONYMOUS), a_call(at=EDGE, identity=ANONYMOUS)]
    ending = {"result": "succeeded", "status": 204, "code": "", "duration_ms": 1.0}
    make_months("default", now=NOW)
    insert("default", ToolCall, [{**sanitized_columns(call), **ending} for call in calls])


def noted() -> list[tuple[str, str, Any]]:
    """Workspace, actor and details of what the record says about it."""
    rows = AuditEvent.objects.filter(tool=retention.ACTION).order_by("recorded_at", "org_id")
    return list(rows.values_list("org_id", "actor", "arguments"))


def test_what_is_old_goes_and_each_workspace_s_record_says_so() -> None:
    pruned = prune_activity(before=EDGE, actor="Ana")
    assert ToolCall.objects.count() == 101
    assert not ToolCall.objects.filter(at__lt=EDGE).exists()
    assert pruned.is_done
    # Where there are months, three of them go whole, and only what is left of the fourth row by row.
    assert (pruned.parts, pruned.rows <= 40) == ((3, True) if connection.vendor == "postgresql" else (0, False))
    assert noted() == [(org_id, "Ana", {"before": EDGE.isoformat()}) for org_id in ("org-1", "org-2")]
    again = prune_activity(before=EDGE, actor="Ana")
    assert (again.parts, again.rows, again.is_done, len(noted())) == (0, 0, True, 2)


def test_it_is_noted_once_however_many_rounds_or_machines_it_takes() -> None:
    first = prune_activity(before=EDGE, actor="Ana", goes_on=lambda: ToolCall.objects.count() > 280)
    assert not first.is_done
    rest = prune_activity(before=EDGE, actor="Ana")
    assert rest.is_done
    assert (ToolCall.objects.count(), len(noted())) == (101, 2)


def test_the_console_keeps_what_it_was_told_to_keep() -> None:
    assert ActivityRetention(0).run()
    assert ToolCall.objects.count() == 302
    while not ActivityRetention(30).run():
        pass
    oldest = ToolCall.objects.earliest("at").at
    edge = NOW.replace(hour=0) - timedelta(days=30)
    # Whole months where they are what goes.
    if connection.vendor == "postgresql":
        edge = month_of(edge)
    assert edge <= oldest < edge + timedelta(days=1)
    assert {actor for _, actor, _ in noted()} == {"the console (ACTIVITY_DAYS)"}


def test_nothing_goes_that_cannot_be_recorded_or_is_still_to_come() -> None:
    with pytest.raises(CommandError, match="must not be in the future"):
        call_command("activity_prune", before=timezone.now() + timedelta(hours=1))
    with connection.cursor() as cursor:
        cursor.execute("DROP TABLE mcpbridge_auditcut")
    with pytest.raises(CommandError, match="cannot be written"):
        call_command("activity_prune", before=EDGE)
    assert ToolCall.objects.count() == 302


def test_the_command_says_what_it_did() -> None:
    said = io.StringIO()
    call_command("activity_prune", before=EDGE, stdout=said)
    assert "calls removed." in said.getvalue()
    assert noted()[0][1].endswith("(command line)")


def test_grants_that_are_over_go_with_the_activity() -> None:
    def grant(number: int, **more: Any) -> None:
        Grant.objects.create(
            pk=f"grant{number:07}",
            org_id="org-1",
            env="live",
            prefix="4f8a2c1bdedf",
            client_digest=b"",
            created_at=BEGIN,
            **{"expires_at": NOW, **more},
        )

    before, after = EDGE - timedelta(days=50), NOW - timedelta(days=1)
    grant(1)
    grant(2, ended_at=before)
    grant(3, ended_at=after)
    grant(4, expires_at=before)
    grant(5, expires_at=after, ended_at=after)
    ActivityRetention(0).run()
    assert Grant.objects.count() == 5
    ActivityRetention(30).run()
    assert sorted(Grant.objects.values_list("pk", flat=True)) == [f"grant{number:07}" for number in (1, 3, 5)]
