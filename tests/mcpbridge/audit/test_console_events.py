"""What people do in the console: in the same chains, together with what it changes, or not done at all."""

import asyncio
import threading
import time
from collections.abc import Iterator
from contextlib import suppress
from typing import Any

import pytest
from django.db import transaction

from mcpbridge.audit.console_events import TokenNamed, operator, record_event, set_audit_writer
from mcpbridge.audit.errors import AuditUnavailableError
from mcpbridge.audit.hashchain import Head, canonical, facts, genesis, row_hash
from mcpbridge.audit.writer import AuditWriter
from mcpbridge.auth.restrictions.blocks import block_token, unblock_token
from mcpbridge.models import AuditEvent, Result, TokenBlock
from tests.databases import RecordDatabase
from tests.token_shapes import assembled_token

LIMIT_S = 0.5
TOKEN = {"env": "live", "prefix": "4f8a2c1bdedf"}


@pytest.fixture(autouse=True)
def _limit(settings: Any, database: RecordDatabase) -> None:
    settings.AUDIT_WRITE_TIMEOUT_MS = LIMIT_S * 1000


@pytest.fixture
def writer(database: RecordDatabase, runner: asyncio.Runner) -> Iterator[AuditWriter]:
    running = AuditWriter(timeout_s=LIMIT_S, lock_path=database.lock_path)
    running.start()
    set_audit_writer(running)
    yield running
    set_audit_writer(None)
    runner.run(running.stop())


def record(**more: Any) -> None:
    record_event(**{"org_id": "org-1", "org_name": "Studio Nord", "action": "console.export", "actor": "Ana", **more})


def unbroken() -> int:
    """The length of the chain, every hash of which has been made again."""
    head = genesis("org-1")
    for row in AuditEvent.objects.filter(org_id="org-1").order_by("sequence").values():
        assert (row["sequence"], row["previous_hash"]) == (head.sequence + 1, head.hash)
        assert row["hash"] == row_hash(canonical(facts(row)), head.hash)
        head = Head(row["sequence"], row["hash"])
    return head.sequence


def test_an_event_is_one_row_of_the_chain_that_says_who_did_what() -> None:
    record(
        target_type="token",
        target_id="t1",
        target_label="Ana's laptop",
        details={"reason": "leaked", "secret": assembled_token()},
        token=TokenNamed("live", "4f8a2c1bdedf", "Ana's laptop"),
        note="found in a log",
        address="198.51.100.7",
        request_id="r1",
    )
    row = AuditEvent.objects.get()
    assert (row.phase, row.kind, row.tool, row.transport) == ("event", "console", "console.export", "console")
    assert (row.org_id, row.org_name, row.actor, row.note) == ("org-1", "Studio Nord", "Ana", "found in a log")
    assert (row.target_type, row.target_id, row.target_label) == ("token", "t1", "Ana's laptop")
    assert (row.masked_token, row.token_name) == ("hsk_live_4f8a2c1bdedf_••••", "Ana's laptop")
    assert (row.address, row.request_id, row.result, row.status) == ("198.51.100.7", "r1", "succeeded", None)
    assert row.arguments == {"reason": "leaked", "secret": "hsk_live_4f8a2c1bdedf_••••"}
    assert unbroken() == 1


def test_a_refused_action_is_told_as_one_and_keeps_the_name_of_the_workspace() -> None:
    record()
    record(org_name="", action="console.sign_in_failed", result=Result.REFUSED)
    last = AuditEvent.objects.get(sequence=2)
    assert (last.org_name, last.result) == ("Studio Nord", "refused")


def test_events_of_a_serving_process_share_the_commits_of_its_calls(writer: AuditWriter) -> None:
    threads = [threading.Thread(target=record) for _ in range(20)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    assert unbroken() == 20
    assert AuditEvent.objects.values("recorded_at").distinct().count() < 20


@pytest.mark.parametrize("serving", [True, False])
def test_an_event_that_cannot_be_written_in_time_is_refused(
    request: pytest.FixtureRequest, database: RecordDatabase, serving: bool
) -> None:
    if serving:
        request.getfixturevalue("writer")
    started = time.monotonic()
    with database.held(), pytest.raises(AuditUnavailableError, match="nothing was done"):
        record()
    assert time.monotonic() - started < 4 * LIMIT_S
    record(action="console.sign_in")
    if serving:
        # What was being written when we gave up is followed by its refusal.
        given_up = AuditEvent.objects.filter(tool="console.export")
        assert given_up.filter(phase="event").count() == given_up.filter(phase="outcome", result="refused").count()
    else:
        assert list(AuditEvent.objects.values_list("tool", flat=True)) == ["console.sign_in"]


@pytest.mark.usefixtures("writer")
def test_an_event_in_a_transaction_comes_in_with_it_or_not_at_all() -> None:
    with transaction.atomic():
        record()
        record()
    with suppress(RuntimeError), transaction.atomic():
        record()
        raise RuntimeError
    record()
    assert unbroken() == 3


@pytest.mark.usefixtures("writer")
def test_a_block_and_its_record_are_one() -> None:
    block = block_token(**TOKEN, org_id="org-1", actor="Ana", reason="leaked")
    block_token(**TOKEN, org_id="org-1", actor="Ben", reason="again")
    unblock_token(block=block, actor="Ben")
    unblock_token(block=block, actor="Ana")
    rows = AuditEvent.objects.order_by("sequence")
    assert list(rows.values_list("tool", "actor", "note", "prefix")) == [
        ("console.token_block", "Ana", "leaked", "4f8a2c1bdedf"),
        ("console.token_unblock", "Ben", "", "4f8a2c1bdedf"),
    ]


@pytest.mark.usefixtures("audit_unavailable")
def test_a_block_that_cannot_be_recorded_is_not_made() -> None:
    with pytest.raises(AuditUnavailableError):
        block_token(**TOKEN, org_id="org-1", actor="Ana", reason="leaked")
    assert not TokenBlock.objects.exists()


def test_the_operator_is_named_as_the_machine_knows_them() -> None:
    assert operator().endswith(" (command line)")
    assert len(operator()) > len(" (command line)")
