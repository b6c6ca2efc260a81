"""Activity on a sound database: which rows a batch of calls leaves, and what it adds to tokens and assistants."""

import asyncio
import json
from collections.abc import Callable
from dataclasses import replace
from datetime import timedelta

import pytest
from django.db import connections
from django.utils import timezone

from mcpbridge.activity.batch import Batch
from mcpbridge.activity.recorder import ActivityRecorder
from mcpbridge.activity.rejections import Rejection
from mcpbridge.core.token_digest import token_digests
from mcpbridge.core.types import Call, CallResult
from mcpbridge.models import CallKind, ObservedClient, ObservedToken, RejectedCredential, Result, ToolCall
from mcpbridge.observability import metrics
from tests.call_records import ANONYMOUS, OWNER, REFUSED, SUCCEEDED, a_call
from tests.databases import RecordDatabase
from tests.token_shapes import assembled_token

pytestmark = pytest.mark.usefixtures("database")

Record = Callable[..., None]
READ = CallResult(Result.SUCCEEDED, 200, "", 3.5)


@pytest.fixture
def record(runner: asyncio.Runner) -> Record:
    """Record calls, each with its ending, and return when they are in the database."""

    def record_calls(*ended: tuple[Call, CallResult], accepted: bool = True) -> None:
        recorder = ActivityRecorder()
        recorder.start()
        for call, ending in ended:
            recorder.call(call, ending, recorded_in_token=accepted)
        runner.run(recorder.stop())
        assert (recorder.lost, recorder.waiting) == (0, 0)

    return record_calls


@pytest.fixture
def reject(runner: asyncio.Runner) -> Record:
    """Record rejected credentials, each a mapping of what differs from a usual one."""

    def record_rejections(*attempts: dict[str, str]) -> None:
        recorder = ActivityRecorder()
        recorder.start()
        usual = Rejection(env="live", prefix="", fault="rejected", client_name="", connection="", address="::1")
        for attempt in attempts:
            recorder.rejected(usual._replace(**attempt))
        runner.run(recorder.stop())

    return record_rejections


def test_a_call_is_in_the_database_within_moments(runner: asyncio.Runner) -> None:
    async def look() -> None:
        recorder = ActivityRecorder(interval_s=0.05)
        recorder.start()
        recorder.call(a_call(kind=CallKind.READ), READ)
        while recorder.waiting:  # noqa: ASYNC110 - the thread has no event to wait for
            await asyncio.sleep(0.01)
        await recorder.stop()

    runner.run(asyncio.wait_for(look(), 5))
    assert ToolCall.objects.count() == 1


def test_a_row_carries_all_that_is_known(record: Record) -> None:
    call = a_call(target_id="c1", target_label="Globex", arguments={"id": "c1"}, caller={"connection": "ana-laptop"})
    record((call, REFUSED))
    row = ToolCall.objects.get()
    assert (row.call_id, row.at, row.org_id, row.tool, row.kind) == (
        call.call_id,
        call.at,
        "org-1",
        call.tool,
        call.kind,
    )
    assert (row.target_type, row.target_id, row.target_label) == ("client", "c1", "Globex")
    assert (row.env, row.prefix, row.token_name, row.role) == ("live", "4f8a2c1bdedf", "Ana's laptop", "OWNER")
    assert (row.client_name, row.client_version, row.connection) == ("Claude Desktop", "1.2", "ana-laptop")
    assert (row.protocol, row.transport, row.address) == ("2026-07-28", "http", "127.0.0.1")
    assert (row.result, row.status, row.code, row.duration_ms) == ("refused", 409, "conflict", 8.0)
    assert row.arguments == {"id": "c1"}


def test_calls_add_up_on_their_token(record: Record) -> None:
    reads = [(a_call(kind=CallKind.READ), READ) for _ in range(5)]
    record(*reads, (a_call(kind=CallKind.WRITE), READ), (a_call(), SUCCEEDED), (a_call(), REFUSED))
    record(*reads[:2])
    token = ObservedToken.objects.get()
    assert (token.calls_read, token.calls_write, token.calls_destructive, token.calls_refused) == (7, 1, 1, 1)
    assert (token.calls, token.calls_attempted) == (10, 2)
    assert (token.org_id, token.org_name, token.plan, token.role) == ("org-1", "Studio Nord", "agency", "OWNER")
    assert (token.token_name, token.scopes) == ("Ana's laptop", ["read", "write"])
    assert token.first_used_at == reads[0][0].at


def test_a_token_shows_its_latest_call_whichever_batch_came_last(record: Record) -> None:
    late = a_call(identity=replace(OWNER, role="ADMIN"))
    early = a_call(kind=CallKind.READ, at=late.at - timedelta(seconds=5))
    record((late, REFUSED))
    record((early, READ))
    token = ObservedToken.objects.get()
    assert (token.last_used_at, token.last_tool, token.last_status) == (late.at, "delete_client", 409)
    assert (token.role, token.calls_read, token.calls_destructive) == ("ADMIN", 1, 0)


def test_a_token_does_not_move_to_another_workspace(record: Record) -> None:
    record((a_call(), SUCCEEDED))
    record((a_call(identity=replace(OWNER, org_id="org-2")), SUCCEEDED))
    assert ObservedToken.objects.get().org_id == "org-1"


def test_an_identity_nobody_confirmed_makes_and_changes_no_token(record: Record) -> None:
    record((a_call(), SUCCEEDED), accepted=False)
    assert (ObservedToken.objects.count(), ObservedClient.objects.count(), ToolCall.objects.count()) == (0, 0, 1)
    record((a_call(), SUCCEEDED))
    record((a_call(), REFUSED), accepted=False)
    token = ObservedToken.objects.get()
    assert (token.calls, token.calls_refused, token.last_status) == (1, 0, 204)
    assert ObservedClient.objects.get().calls == 1


def test_counters_count_every_row_of_a_token_and_only_accepted_calls_change_the_rest(record: Record) -> None:
    caller = {"digests": token_digests(assembled_token())}
    record((a_call(kind=CallKind.READ, caller=caller), READ))
    revoked = CallResult(Result.REFUSED, 401, "unauthenticated", 3.0)
    unreachable = CallResult(Result.FAILED, 502, "upstream_unreachable", 3.0)
    record((a_call(caller=caller), revoked), (a_call(kind=CallKind.READ), revoked))
    record((a_call(kind=CallKind.READ, caller=caller, identity=ANONYMOUS), unreachable), accepted=False)
    record((a_call(kind=CallKind.READ, identity=ANONYMOUS), unreachable), accepted=False)
    token = ObservedToken.objects.get()
    assert (token.calls, token.calls_read, token.calls_attempted, token.calls_refused) == (4, 1, 1, 3)
    assert (token.last_status, token.last_tool, token.org_id) == (200, "list_clients", "org-1")
    assert ToolCall.objects.filter(org_id="org-1", prefix=token.prefix).count() == token.calls


def unattributed() -> float:
    return float(metrics.unattributed_calls._value.get())


def test_a_call_without_identity_goes_to_the_workspace_of_the_token_that_hoursmith_vouched_for(record: Record) -> None:
    refused = CallResult(Result.REFUSED, 402, "forbidden_plan", 2.0)
    before = unattributed()
    record((a_call(identity=ANONYMOUS), refused))
    assert (ToolCall.objects.count(), ObservedToken.objects.count(), unattributed() - before) == (0, 0, 1)
    record((a_call(), SUCCEEDED))
    later = a_call(identity=ANONYMOUS)
    record((later, refused), (a_call(identity=ANONYMOUS, caller={"env": "test"}), refused))
    assert ToolCall.objects.get(call_id=later.call_id).org_id == "org-1"
    assert (ToolCall.objects.count(), unattributed() - before) == (2, 2)


def test_while_hoursmith_is_away_a_call_goes_to_the_workspace_of_its_token_and_not_of_its_prefix(
    record: Record,
) -> None:
    token, guess = (token_digests(assembled_token(secret=secret)) for secret in ("S3cr3t", "Gu3ss"))
    record((a_call(caller={"digests": token}), SUCCEEDED))
    down = CallResult(Result.FAILED, 502, "upstream_unreachable", 2.0)
    before, seen = unattributed(), ObservedToken.objects.values().get()
    calls = [a_call(kind=CallKind.READ, identity=ANONYMOUS, caller={"digests": token}) for _ in range(20)]
    guesses = [
        a_call(kind=CallKind.READ, identity=ANONYMOUS, caller={"digests": digests}) for digests in (guess, ()) * 10
    ]
    record(*((call, down) for call in calls + guesses), accepted=False)
    rows = ToolCall.objects.filter(code="upstream_unreachable")
    assert {row.call_id for row in rows} == {call.call_id for call in calls}
    assert set(rows.values_list("org_id", flat=True)) == {"org-1"}
    assert unattributed() - before == 20
    assert ObservedToken.objects.values().get() == seen | {"calls_refused": len(calls)}


def test_assistants_are_told_apart_by_name_version_and_connection(record: Record) -> None:
    callers = [
        {"client_name": "Cursor"},
        {"client_name": "Cursor", "client_version": "2"},
        {"client_name": "Cursor", "connection": "ana-laptop"},
        {"client_name": ""},
        {"client_name": "Cursor"},
    ]
    record(*((a_call(kind=CallKind.READ, caller=caller), READ) for caller in callers))
    seen = ObservedClient.objects.order_by("name", "version", "connection")
    assert list(seen.values_list("name", "version", "connection", "calls")) == [
        ("", "1.2", "", 1),
        ("Cursor", "1.2", "", 2),
        ("Cursor", "1.2", "ana-laptop", 1),
        ("Cursor", "2", "", 1),
    ]


def test_names_that_become_the_same_when_stored_are_one_assistant(record: Record) -> None:
    record(
        *((a_call(caller={"client_name": name}), SUCCEEDED) for name in ("a\x00b", "a\ufffdb", "c" * 120, "c" * 130))
    )
    assert list(ObservedClient.objects.order_by("name").values_list("calls", flat=True)) == [2, 2]


def test_an_assistant_shows_where_it_was_last(record: Record) -> None:
    first, last = a_call(), a_call(caller={"address": "10.0.0.9", "protocol": "2025-06-18"})
    record((first, SUCCEEDED))
    record((last, SUCCEEDED))
    seen = ObservedClient.objects.get()
    assert (seen.first_seen_at, seen.last_seen_at, seen.calls) == (first.at, last.at, 2)
    assert (seen.address, seen.protocol) == ("10.0.0.9", "2025-06-18")


def test_a_batch_costs_few_statements_whatever_its_size(runner: asyncio.Runner) -> None:
    statements: list[str] = []

    class CountingRecorder(ActivityRecorder):
        def _record(self, batch: Batch) -> None:
            def count(execute: Callable[..., object], sql: str, *rest: object) -> object:
                statements.append(sql)
                return execute(sql, *rest)

            with connections["default"].execute_wrapper(count):
                super()._record(batch)

    recorder = CountingRecorder()
    recorder.start()
    for number in range(400):
        recorder.call(a_call(kind=CallKind.READ, caller={"prefix": f"{number % 40:012x}"}), READ)
    runner.run(recorder.stop())
    assert (ToolCall.objects.count(), ObservedToken.objects.count()) == (400, 40)
    assert len(statements) <= 20


def test_calls_that_end_during_a_transaction_wait_for_the_next_round(runner: asyncio.Runner) -> None:
    batches: list[int] = []

    class BusyRecorder(ActivityRecorder):
        is_ending = False

        def _record(self, batch: Batch) -> None:
            super()._record(batch)
            batches.append(len(batch.ended))
            if not self.is_ending:
                # As under load: another call has always ended meanwhile.
                self.call(a_call(kind=CallKind.READ), READ)

    async def serve() -> None:
        recorder = BusyRecorder(interval_s=0.1)
        recorder.start()
        recorder.call(a_call(kind=CallKind.READ), READ)
        await asyncio.sleep(1)
        recorder.is_ending = True
        await recorder.stop()
        assert (recorder.lost, recorder.waiting) == (0, 0)

    runner.run(serve())
    # A transaction in each tenth of a second, and not one after the other.
    assert 2 <= len(batches) <= 13
    assert ToolCall.objects.count() == sum(batches)


def test_more_calls_than_one_batch_holds_are_all_recorded(record: Record) -> None:
    record(*((a_call(kind=CallKind.READ), READ) for _ in range(2200)))
    assert ToolCall.objects.count() == 2200
    assert ObservedToken.objects.get().calls_read == 2200


def test_a_token_in_a_name_is_masked(record: Record, reject: Record) -> None:
    token = assembled_token()
    record((a_call(target_label=token, caller={"client_name": token, "client_version": token}), SUCCEEDED))
    reject({"client_name": token, "connection": token, "fault": token, "address": token, "prefix": token})
    kept = json.dumps(
        [list(model.objects.values()) for model in (ToolCall, ObservedClient, RejectedCredential)], default=str
    )
    assert "hsk_live_4f8a2c1bdedf_" in kept
    assert not any(token[start : start + 8] in kept for start in range(22, len(token) - 8))


def test_rejected_credentials_are_counted_by_what_was_wrong(reject: Record) -> None:
    cursor = {"prefix": "4f8a2c1bdedf", "client_name": "Cursor", "connection": "ana-laptop"}
    reject(cursor, cursor, {"fault": "missing"})
    reject(cursor)
    rows = RejectedCredential.objects.order_by("fault").values_list("fault", "prefix", "client_name", "attempts")
    assert list(rows) == [("missing", "", "", 1), ("rejected", "4f8a2c1bdedf", "Cursor", 3)]


def test_rejected_credentials_are_forgotten_after_ninety_days(reject: Record) -> None:
    reject({"fault": "missing"}, {"fault": "rejected"})
    RejectedCredential.objects.filter(fault="missing").update(last_at=timezone.now() - timedelta(days=91))
    reject({"fault": "rejected"})
    assert list(RejectedCredential.objects.values_list("fault", "attempts")) == [("rejected", 2)]


WORKER = """
import asyncio
from mcpbridge.activity.recorder import ActivityRecorder
from mcpbridge.activity.rejections import Rejection
from tests.call_records import SUCCEEDED, a_call

async def main():
    recorder = ActivityRecorder(interval_s=0.005)
    recorder.start()
    for number in range(600):
        recorder.call(a_call(caller={"prefix": f"{number * 7 % 30:012x}", "client_name": f"c{number % 3}"}), SUCCEEDED)
        recorder.rejected(Rejection("", "", f"fault{number % 9}", "", "", ""))
        if not number % 20:
            await asyncio.sleep(0.005)
    await recorder.stop()
    assert (recorder.lost, recorder.waiting) == (0, 0)

asyncio.run(main())
"""


def test_three_processes_count_the_same_tokens_exactly(database: RecordDatabase) -> None:
    workers = [database.run_python(WORKER) for _ in range(3)]
    for worker in workers:
        output, _ = worker.communicate(timeout=60)
        assert (worker.returncode, output) == (0, "")
    assert ToolCall.objects.count() == 1800
    assert list(ObservedToken.objects.values_list("calls_destructive", flat=True)) == [60] * 30
    assert sum(ObservedClient.objects.values_list("calls", flat=True)) == 1800
    assert sum(RejectedCredential.objects.values_list("attempts", flat=True)) == 1800
