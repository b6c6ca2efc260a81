"""Calls without an outcome: found once, marked in the audit log, and resolved by a member's note."""

import asyncio
import uuid
from collections.abc import Iterator
from dataclasses import replace
from datetime import datetime, timedelta
from typing import Any

import pytest
from django.db import connection

from mcpbridge.audit.reconcile import (
    NothingToResolveError,
    OutcomeReconciler,
    outcome_deadline,
    resolve_outcome,
    unresolved,
)
from mcpbridge.audit.writer import AuditWriter
from mcpbridge.core.types import Call, CallResult
from mcpbridge.models import AuditEvent, AuditPhase, Result
from tests.call_records import OWNER, REFUSED, SUCCEEDED, a_call
from tests.databases import RecordDatabase

LOST = CallResult(Result.UNKNOWN, 504, "upstream_timeout", 9000.0)
FAILED = CallResult(Result.FAILED, 502, "upstream_malformed", 9000.0)


@pytest.fixture
def writer(database: RecordDatabase, runner: asyncio.Runner) -> Iterator[AuditWriter]:
    running = AuditWriter(timeout_s=5, lock_path=database.lock_path)
    running.start()
    yield running
    runner.run(running.stop())


def intent(writer: AuditWriter, runner: asyncio.Runner, ending: CallResult | None = None, **more: Any) -> Call:
    call = a_call(**more)
    runner.run(writer.intent(call, snapshot={"name": "Globex"}))
    if ending:
        assert runner.run(writer.outcome(call, ending))
    return call


def phases(call: Call) -> list[str]:
    return list(AuditEvent.objects.filter(call_id=call.call_id).order_by("sequence").values_list("phase", flat=True))


def open_calls(org_id: str = "org-1") -> set[uuid.UUID]:
    return set(unresolved(org_id).values_list("call_id", flat=True))


def test_patience_is_longer_than_any_call_lives(settings: Any) -> None:
    settings.UPSTREAM_TIMEOUT_S = 10
    assert outcome_deadline() == timedelta(seconds=60)
    settings.UPSTREAM_TIMEOUT_S = 40
    assert outcome_deadline() == timedelta(seconds=120)


def test_a_call_is_marked_once_and_only_when_its_outcome_is_overdue(
    writer: AuditWriter, runner: asyncio.Runner, clock: list[datetime]
) -> None:
    lost, ended = intent(writer, runner, target_label="Globex"), intent(writer, runner, SUCCEEDED)
    reconciler = OutcomeReconciler(writer.record)
    clock[0] += outcome_deadline()
    assert reconciler.run() == 0
    clock[0] += timedelta(seconds=1)
    fresh = intent(writer, runner)
    assert reconciler.run() == 1
    assert (phases(lost), phases(ended), phases(fresh)) == (["intent", "unknown"], ["intent", "outcome"], ["intent"])
    said = AuditEvent.objects.get(phase=AuditPhase.UNKNOWN)
    assert (said.result, said.status, said.target_label, said.at) == ("unknown", None, "Globex", lost.at)
    clock[0] += timedelta(hours=1)
    assert (reconciler.run(), reconciler.run()) == (1, 0)
    assert open_calls() == {lost.call_id, fresh.call_id}


def test_another_process_finds_nothing_left_to_say(
    writer: AuditWriter, runner: asyncio.Runner, clock: list[datetime]
) -> None:
    call = intent(writer, runner)
    clock[0] += timedelta(hours=1)
    both_looked: list[list[Any]] = []
    OutcomeReconciler(both_looked.append).run()
    assert OutcomeReconciler(writer.record).run() == 1
    # It had found the same call, and comes second.
    (rows,) = both_looked
    writer.record(rows)
    assert phases(call) == ["intent", "unknown"]


def test_an_outcome_that_comes_first_leaves_nothing_to_say(
    writer: AuditWriter, runner: asyncio.Runner, clock: list[datetime]
) -> None:
    call = intent(writer, runner)
    clock[0] += timedelta(hours=1)
    found: list[list[Any]] = []
    OutcomeReconciler(found.append).run()
    assert runner.run(writer.outcome(call, SUCCEEDED))
    writer.record(found[0])
    assert phases(call) == ["intent", "outcome"]


def test_an_outcome_that_comes_later_is_taken_and_settles_the_matter(
    writer: AuditWriter, runner: asyncio.Runner, clock: list[datetime]
) -> None:
    call = intent(writer, runner)
    clock[0] += timedelta(hours=1)
    assert OutcomeReconciler(writer.record).run() == 1
    assert runner.run(writer.outcome(call, SUCCEEDED))
    assert phases(call) == ["intent", "unknown", "outcome"]
    assert open_calls() == set()
    with pytest.raises(NothingToResolveError):
        resolve_outcome(call_id=call.call_id, org_id="org-1", actor="Ana", note="Looked: it is gone.")


def test_a_person_settles_it_with_a_note_once(
    writer: AuditWriter, runner: asyncio.Runner, clock: list[datetime]
) -> None:
    call = intent(writer, runner)
    with pytest.raises(NothingToResolveError):
        resolve_outcome(call_id=call.call_id, org_id="org-1", actor="Ana", note="too early")
    clock[0] += timedelta(hours=1)
    OutcomeReconciler(writer.record).run()
    resolve_outcome(call_id=call.call_id, org_id="org-1", actor="Ana", note="  Looked: it is gone. ")
    row = AuditEvent.objects.get(phase=AuditPhase.RESOLUTION)
    assert (row.call_id, row.actor, row.note, row.tool) == (call.call_id, "Ana", "Looked: it is gone.", call.tool)
    assert open_calls() == set()
    with pytest.raises(NothingToResolveError):
        resolve_outcome(call_id=call.call_id, org_id="org-1", actor="Ben", note="me too")


@pytest.mark.parametrize(("ending", "is_open"), [(LOST, True), (FAILED, False)], ids=["lost", "failed"])
def test_an_answer_that_left_it_open_can_be_settled_too(
    writer: AuditWriter, runner: asyncio.Runner, ending: CallResult, is_open: bool
) -> None:
    call = intent(writer, runner, ending)
    assert (call.call_id in open_calls()) is is_open
    resolve_outcome(call_id=call.call_id, org_id="org-1", actor="Ana", note="It is gone.")
    assert open_calls() == set()


@pytest.mark.parametrize("ending", [SUCCEEDED, REFUSED], ids=["succeeded", "refused"])
def test_what_is_known_needs_no_settling(writer: AuditWriter, runner: asyncio.Runner, ending: CallResult) -> None:
    call = intent(writer, runner, ending)
    with pytest.raises(NothingToResolveError):
        resolve_outcome(call_id=call.call_id, org_id="org-1", actor="Ana", note="why not")


def test_another_workspace_sees_and_settles_nothing(
    writer: AuditWriter, runner: asyncio.Runner, clock: list[datetime]
) -> None:
    call = intent(writer, runner)
    other = intent(writer, runner, identity=replace(OWNER, org_id="org-2"))
    clock[0] += timedelta(hours=1)
    assert OutcomeReconciler(writer.record).run() == 2
    assert (open_calls("org-1"), open_calls("org-2")) == ({call.call_id}, {other.call_id})
    with pytest.raises(NothingToResolveError):
        resolve_outcome(call_id=call.call_id, org_id="org-2", actor="Charlie", note="mine")


@pytest.mark.parametrize("note", ["", "  ", "x" * 1001])
@pytest.mark.usefixtures("sqlite_database")
def test_the_note_is_required_and_short(note: str) -> None:
    with pytest.raises(ValueError, match="1 to 1000 characters"):
        resolve_outcome(call_id=uuid.uuid4(), org_id="org-1", actor="Ana", note=note)


def test_finding_them_does_not_mean_reading_the_whole_record(sqlite_database: RecordDatabase) -> None:
    plan = unresolved("org-1").explain()
    assert "audit_org_unknown" in plan
    asked: list[tuple[str, Any]] = []

    def listen(execute: Any, sql: str, parameters: Any, many: bool, context: Any) -> Any:
        asked.append((sql, parameters))
        return execute(sql, parameters, many, context)

    with connection.execute_wrapper(listen):
        OutcomeReconciler(len).run()
    ((question, parameters),) = asked
    with connection.cursor() as cursor:
        cursor.execute(f"EXPLAIN QUERY PLAN {question}", parameters)
        steps = [step[-1] for step in cursor.fetchall()]
    assert all("COVERING INDEX" in step for step in steps if step.startswith(("SCAN", "SEARCH"))), steps
