"""Signed heads: when they are due, that one process makes each, and that they say what the chain says."""

import json
import logging
import threading
from contextlib import closing, nullcontext
from dataclasses import replace
from datetime import datetime, timedelta
from typing import Any

import pytest
from django.db import transaction

from mcpbridge.audit import checkpoints
from mcpbridge.audit.checkpoints import Schedule, make_checkpoints, make_due_checkpoints
from mcpbridge.audit.export.source import checkpoint_of
from mcpbridge.audit.hashchain import genesis
from mcpbridge.audit.heads import ChainStatus, chain_statuses
from mcpbridge.audit.keyring import UnannouncedKeyError
from mcpbridge.audit.log_tree.tiles import stored_leaves, stored_range
from mcpbridge.audit.rows import append_rows, outcome_row
from mcpbridge.audit.signing import configured_key, is_signed
from mcpbridge.audit.tree.checkpoints import open_checkpoint
from mcpbridge.audit.tree.merkle import CompactRange
from mcpbridge.audit.tree.notes import key_named
from mcpbridge.db.timeouts import use_own_connection
from mcpbridge.models import AuditEvent, ObservedToken, SigningHead, SigningKey
from tests.call_records import OWNER, SUCCEEDED, a_call

pytestmark = pytest.mark.usefixtures("database")
SCHEDULE = Schedule(rows=10, period=timedelta(minutes=15))


def write(rows: int, org_id: str = "org-1") -> None:
    calls = [a_call(identity=replace(OWNER, org_id=org_id)) for _ in range(rows)]
    with transaction.atomic():
        append_rows("default", [outcome_row(call, SUCCEEDED) for call in calls])


def due() -> list[tuple[str, int, str]]:
    return [
        (head.org_id, head.sequence, head.reason) for head in make_due_checkpoints(SCHEDULE, file_lock=nullcontext())
    ]


def test_a_checkpoint_is_the_head_of_the_chain_signed() -> None:
    write(3)
    (head,) = make_checkpoints(reason="demand", org_id="org-1")
    last = AuditEvent.objects.get(sequence=3)
    key = configured_key()
    assert (head.sequence, head.hash, head.key_id, head.reason) == (3, last.hash, key.key_id, "demand")
    kept = SigningHead.objects.get()
    statement = checkpoint_of(kept).statement
    assert is_signed(SigningKey.objects.get().public_key, statement.message, kept.signature)
    tree = CompactRange()
    tree.extend(stored_leaves("default", "org-1", 1, 4))
    assert statement.head.root == tree.root()
    opened = open_checkpoint(kept.signed_note, key_named(kept.origin, key))
    statement.refuse_other(opened.head)
    assert stored_range("default", "org-1", 3, tree.root()) == tree


def test_checkpoints_are_due_after_so_many_rows_and_after_so_long(clock: list[datetime]) -> None:
    write(2)
    assert due() == [("org-1", 2, "time")]
    write(9)
    assert due() == []
    write(1)
    assert due() == [("org-1", 12, "rows")]
    clock[0] += timedelta(minutes=14, seconds=59)
    write(1, "org-2")
    assert due() == [("org-2", 1, "time")]
    clock[0] += timedelta(seconds=1)
    # An empty period is a statement too.
    assert due() == [("org-1", 12, "time")]
    clock[0] += timedelta(minutes=15)
    assert due() == [("org-1", 12, "time"), ("org-2", 1, "time")]
    assert due() == []


def test_a_workspace_whose_record_is_still_empty_is_signed_too(clock: list[datetime]) -> None:
    ObservedToken.objects.create(
        env="live", prefix="4f8a2c1bdedf", org_id="org-7", first_used_at=clock[0], last_used_at=clock[0]
    )
    assert due() == [("org-7", 0, "time")]
    assert SigningHead.objects.get().hash == genesis("org-7").hash


def test_a_clock_that_was_set_back_does_not_stop_checkpoints(clock: list[datetime]) -> None:
    write(1)
    assert len(due()) == 1
    clock[0] -= timedelta(seconds=30)
    assert due() == []
    clock[0] -= timedelta(days=1)
    assert len(due()) == 1


def test_a_shutdown_signs_only_what_grew() -> None:
    write(1)
    write(1, "org-2")
    assert [head.org_id for head in make_checkpoints(reason="shutdown")] == ["org-1", "org-2"]
    assert make_checkpoints(reason="shutdown") == []
    write(1)
    assert [head.org_id for head in make_checkpoints(reason="shutdown")] == ["org-1"]
    assert [head.org_id for head in make_checkpoints(reason="demand")] == ["org-1", "org-2"]


def test_many_workspaces_are_signed_a_hundred_at_a_time() -> None:
    calls = [a_call(identity=replace(OWNER, org_id=f"org-{number}")) for number in range(230)]
    with transaction.atomic():
        append_rows("default", [outcome_row(call, SUCCEEDED) for call in calls])
    assert len(due()) == 230
    assert due() == []


def test_the_log_has_each_checkpoint_as_a_line_that_the_verifier_reads(caplog: pytest.LogCaptureFixture) -> None:
    write(1)
    with caplog.at_level(logging.INFO, logger="mcpbridge.checkpoint"):
        (head,) = make_checkpoints(reason="demand")
    (line,) = [record.getMessage() for record in caplog.records if record.name == "mcpbridge.checkpoint"]
    assert json.loads(line) == {
        "type": "checkpoint",
        "workspace": "org-1",
        "sequence": 1,
        "hash": head.hash,
        "at": head.at.strftime("%Y-%m-%dT%H:%M:%S.%fZ"),
        "key_id": head.key_id,
        "signature": head.signature,
        "reason": "demand",
        "format": "hoursmith-checkpoint-2",
        "origin": head.origin,
        "epoch": 1,
        "first": 1,
        "root": head.root,
        "note": head.signed_note,
    }


def test_listeners_are_told_after_the_commit_and_cannot_do_harm(
    monkeypatch: pytest.MonkeyPatch, caplog: pytest.LogCaptureFixture
) -> None:
    told: list[tuple[int, bool]] = []

    def fails(head: SigningHead) -> None:
        raise RuntimeError

    def hears(head: SigningHead) -> None:
        told.append((head.sequence, transaction.get_connection().in_atomic_block))

    monkeypatch.setattr(checkpoints, "listeners", [fails, hears])
    write(2)
    make_checkpoints(reason="demand")
    assert told == [(2, False)]
    assert "A listener failed" in caplog.text


def test_nothing_is_signed_with_a_key_that_nobody_announced(settings: Any) -> None:
    write(1)
    make_checkpoints(reason="demand")
    settings.AUDIT_SIGNING_KEY = "somebody else's"
    with pytest.raises(UnannouncedKeyError):
        make_checkpoints(reason="demand")
    assert SigningHead.objects.count() == 1


def test_of_many_who_look_at_once_one_makes_the_checkpoint() -> None:
    write(30)
    start, made = threading.Barrier(8), []

    def look() -> None:
        with closing(use_own_connection("default", limit_s=10)):
            start.wait()
            made.extend(make_due_checkpoints(SCHEDULE, file_lock=nullcontext()))

    threads = [threading.Thread(target=look) for _ in range(8)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    assert len(made) == SigningHead.objects.count() == 1
    assert SigningKey.objects.count() == 1


def test_each_chain_is_found_with_its_last_checkpoint() -> None:
    assert chain_statuses("default") == []
    write(3, "b")
    write(2, "a")
    write(1, "C")
    (head,) = make_checkpoints(reason="demand", org_id="b")
    (again,) = make_checkpoints(reason="demand", org_id="b")
    write(1, "b")
    assert chain_statuses("default") == [
        ChainStatus("C", 1, 0, None),
        ChainStatus("a", 2, 0, None),
        ChainStatus("b", 4, 3, again.at),
    ]
    assert again.at > head.at
