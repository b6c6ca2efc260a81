"""A process that dies, or many that begin a log at once, leave a log and an anchor that agree."""

import signal
from concurrent.futures import ThreadPoolExecutor
from dataclasses import replace

import psycopg
import pytest
from django.db import connections, transaction

from mcpbridge.audit.anchors.memory import node_anchors
from mcpbridge.audit.heads import chain_lock
from mcpbridge.audit.rows import append_rows, outcome_row
from mcpbridge.audit.verification.sources import verify_stored
from mcpbridge.models import AuditEvent, SigningHead
from tests.call_records import OWNER, SUCCEEDED, a_call
from tests.databases import RecordDatabase
from tests.mcpbridge.audit.anchors.conftest import WORKSPACE, Restart, anchor_file, found, sign

# Dies between the commit of a checkpoint and the anchor at it.
DIES = """
import os, signal
from dataclasses import replace
from django.db import transaction
from mcpbridge.audit.anchors.files import AnchorFolder
from mcpbridge.audit.checkpoints import make_checkpoints
from mcpbridge.audit.rows import append_rows, outcome_row
from tests.call_records import OWNER, SUCCEEDED, a_call
with transaction.atomic():
    append_rows("default", [outcome_row(a_call(identity=replace(OWNER, org_id="org-1")), SUCCEEDED)])
AnchorFolder.write = lambda *_, **__: os.kill(os.getpid(), signal.SIGKILL)
make_checkpoints(reason="demand")
"""


def test_a_process_that_dies_between_commit_and_anchor_leaves_no_finding(
    signed: RecordDatabase, restart: Restart
) -> None:
    before = anchor_file().read_bytes()
    process = signed.run_python(DIES)
    assert process.wait(60) == -signal.SIGKILL, process.communicate()[0]
    process.communicate()
    assert SigningHead.objects.order_by("sequence").values_list("sequence", flat=True).last() == 9
    assert anchor_file().read_bytes() == before
    for _ in range(2):
        assert found() is None
        anchor = node_anchors().anchor(WORKSPACE)
        assert anchor is not None
        assert anchor.sequence == 9
        restart()
    assert sign() == 9


def test_writers_that_wait_for_the_first_row_of_a_log_begin_one_anchor(postgres_database: RecordDatabase) -> None:
    def write_one(_: int) -> None:
        try:
            with transaction.atomic():
                append_rows("default", [outcome_row(a_call(identity=replace(OWNER, org_id=WORKSPACE)), SUCCEEDED)])
        finally:
            connections["default"].close()

    with psycopg.connect(postgres_database.url) as other, ThreadPoolExecutor(4) as pool:
        other.execute("SELECT pg_advisory_xact_lock(hashtextextended(%s, 0))", [chain_lock(WORKSPACE)])
        written = [pool.submit(write_one, number) for number in range(4)]
        _wait_for_locks(postgres_database.url, 4)
        other.rollback()
        for each in written:
            each.result(30)
    assert list(AuditEvent.objects.order_by("sequence").values_list("sequence", flat=True)) == [1, 2, 3, 4]
    assert anchor_file().exists()
    assert found() is None
    assert sign() == 4
    assert verify_stored().is_ok


def _wait_for_locks(url: str, wanted: int) -> None:
    """Return once so many sessions wait for an advisory lock."""
    waiting = (
        "SELECT count(*) FROM pg_locks WHERE locktype = 'advisory' AND NOT granted"
        " AND database = (SELECT oid FROM pg_database WHERE datname = current_database())"
    )
    with psycopg.connect(url, autocommit=True) as watching:
        for _ in range(3000):
            if watching.execute(waiting).fetchone() == (wanted,):
                return
            watching.execute("SELECT pg_sleep(0.01)")
    pytest.fail("the writers do not wait for the lock")
