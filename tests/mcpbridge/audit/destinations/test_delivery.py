"""Rows reach a webhook at least once, in order, each with its id, whatever the receiver does."""

import threading
from datetime import UTC, datetime, timedelta
from typing import Any

import pytest
from django.db import connections

from mcpbridge.audit.checkpoints import make_checkpoints
from mcpbridge.audit.destinations import batches
from mcpbridge.audit.destinations.delivery import LONGEST_PAUSE, LONGEST_RETRY_AFTER, next_try
from mcpbridge.audit.destinations.services import (
    delete_destination,
    pause_destination,
    restart_destination,
    resume_destination,
)
from mcpbridge.models import AuditEvent, LogDestination
from tests.mcpbridge.audit.destinations.conftest import Fresh, World
from tests.mcpbridge.audit.destinations.receivers import HANG, HttpReceiver, a_port_nobody_listens_on


def test_rows_come_in_order_each_with_its_id_and_place(world: World, fresh: Fresh) -> None:
    world.write(6)
    with HttpReceiver() as receiver:
        destination = world.destination(receiver.url)
        assert world.round() == 7
    (request,) = receiver.requests
    assert request.sequences == [1, 2, 3, 4, 5, 6, 7]
    stored = AuditEvent.objects.order_by("sequence").values_list("id", "hash")
    assert [(record["id"], record["hash"]) for record in request.records] == [(str(id), hash) for id, hash in stored]
    destination = fresh(destination)
    assert (destination.acked, destination.rows_sent, destination.failures, destination.lease_expires_at) == (
        7,
        7,
        0,
        None,
    )


def test_nothing_is_sent_twice_when_all_is_well(world: World) -> None:
    world.write(2)
    with HttpReceiver() as receiver:
        world.destination(receiver.url)
        world.round()
        assert world.round() == 0
        world.write(2)
        assert world.round() == 2
    assert receiver.sequences == [1, 2, 3, 4, 5]


def test_a_receiver_that_is_down_for_an_hour_gets_everything_afterwards(world: World, fresh: Fresh) -> None:
    world.write(2)
    with a_port_nobody_listens_on() as port:
        destination = world.destination(f"http://127.0.0.1:{port}/in")
        tries, begin = 0, world.now
        while world.now < begin + timedelta(hours=1):
            world.round()
            tries += fresh(destination).attempts > tries
            world.write(2)
            world.wait(seconds=30)
    destination = fresh(destination)
    assert destination.failing_since == begin
    assert destination.fault == "The receiver refused the connection: nothing listens on this port."
    # It backs off: far fewer tries than the 120 looks.
    assert 15 <= destination.attempts <= 35
    assert destination.acked == 0
    with HttpReceiver() as receiver:
        LogDestination.objects.filter(pk=destination.pk).update(address=receiver.url)
        world.wait(minutes=6)
        while world.round():
            continue
    assert receiver.sequences == world.rows()
    destination = fresh(destination)
    assert (destination.failing_since, destination.fault, destination.attempts) == (None, "", 0)
    assert destination.failures >= 15


def test_patience_grows_and_has_an_end() -> None:
    now = datetime(2026, 1, 1, tzinfo=UTC)
    pauses = [next_try(now, attempts, None) - now for attempts in range(1, 40)]
    assert timedelta(seconds=1) <= pauses[0] <= timedelta(seconds=2)
    assert LONGEST_PAUSE / 2 <= min(pauses[10:]) <= max(pauses[10:]) <= LONGEST_PAUSE
    assert len(set(pauses)) > 30
    assert next_try(now, 1, now + timedelta(days=365)) == now + LONGEST_RETRY_AFTER
    assert next_try(now, 30, now - timedelta(days=1)) > now


def test_long_records_go_in_parts(world: World, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(batches, "ROWS", 4)
    monkeypatch.setattr(batches, "BYTES", 3000)
    world.write(12)
    with HttpReceiver() as receiver:
        world.destination(receiver.url)
        world.round()
    sizes = [len(request.sequences) for request in receiver.requests]
    assert max(sizes) <= 4
    assert len(sizes) > 3
    assert receiver.sequences == world.rows()


def test_checkpoints_come_behind_the_row_they_name_and_also_when_nothing_happened(
    world: World, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(batches, "ROWS", 3)
    with HttpReceiver() as receiver:
        world.destination(receiver.url)
        make_checkpoints(reason="time", org_id="org-1")
        world.write(4)
        make_checkpoints(reason="rows", org_id="org-1")
        world.write(2)
        world.round()
        make_checkpoints(reason="time", org_id="org-1")
        make_checkpoints(reason="time", org_id="org-1")
        world.round()
    told = [[(record["type"][0], record["sequence"]) for record in request.records] for request in receiver.requests]
    assert told == [
        [("e", 1), ("c", 1), ("e", 2), ("e", 3)],
        [("e", 4), ("e", 5), ("c", 5), ("e", 6)],
        [("e", 7)],
        [("c", 7), ("c", 7)],
    ]


def test_a_workspace_without_rows_sends_its_checkpoints(world: World, fresh: Fresh) -> None:
    with HttpReceiver() as receiver:
        destination = world.destination(receiver.url)
        world.round()
        make_checkpoints(reason="time")
        assert world.process().due() == [destination.pk]
        world.round()
    assert [record["type"] for record in receiver.requests[-1].records] == ["checkpoint"]
    assert fresh(destination).acked_checkpoint > 0


def test_workspaces_never_meet(world: World) -> None:
    world.write(2)
    world.write(4, org_id="org-2")
    with HttpReceiver() as mine, HttpReceiver() as theirs:
        world.destination(mine.url)
        world.destination(theirs.url, org_id="org-2")
        make_checkpoints(reason="time")
        world.round()
    for receiver, org_id in ((mine, "org-1"), (theirs, "org-2")):
        records = [record for request in receiver.requests for record in request.records]
        assert {record["workspace"] for record in records} == {org_id}
        assert {record["type"] for record in records} == {"event", "checkpoint"}


def test_of_two_processes_one_delivers(world: World) -> None:
    world.write(2)
    world.limit_s = 5
    with HttpReceiver(HANG) as receiver:
        destination = world.destination(receiver.url)
        first = threading.Thread(target=_in_a_thread, args=(world, destination.pk, "one"))
        first.start()
        assert receiver.arrived.acquire(timeout=10)
        # The batch is in progress, and other processes see that.
        assert world.process("two").due() == []
        assert world.process("two").run(destination.pk) == 0
        # The first is taken for dead: the second sends the same, and the first can confirm nothing any more.
        world.wait(seconds=60)
        assert world.process("two").run(destination.pk) == 3
        receiver.released.set()
        first.join(timeout=20)
    first_request, second_request = receiver.requests
    assert first_request.headers["webhook-id"] == second_request.headers["webhook-id"]
    found = LogDestination.objects.get()
    assert (found.acked, found.rows_sent, found.failures, found.lease_holder) == (3, 3, 0, "")


def _in_a_thread(world: World, key: int, holder: str) -> None:
    try:
        world.process(holder).run(key)
    finally:
        connections.close_all()


def test_what_a_dead_process_offered_is_sent_again_by_the_next(world: World, fresh: Fresh) -> None:
    world.write(2)
    with HttpReceiver() as receiver:
        destination = world.destination(receiver.url)
        batch = batches.next_batch(fresh(destination), "default")
        assert batch is not None
        assert world.process("dead")._lease(fresh(destination), batch)
        world.write(4)
        assert world.round("next") == 0
        world.wait(seconds=30)
        assert world.round("next") == 7
    assert [request.sequences for request in receiver.requests] == [[1, 2, 3], [4, 5, 6, 7]]


def test_a_paused_destination_keeps_its_place(world: World, fresh: Fresh) -> None:
    with HttpReceiver() as receiver:
        destination = world.destination(receiver.url)
        world.round()
        pause_destination(destination=fresh(destination), actor="ana")
        world.write(2)
        assert world.round() == 0
        resume_destination(destination=fresh(destination), actor="ana")
        world.round()
        assert receiver.sequences == world.rows()
        delete_destination(destination=fresh(destination), actor="ana")
        assert world.round() == 0
    assert fresh(destination).encrypted_secret == ""


def test_it_can_begin_again_at_any_row_and_that_is_not_taken_for_a_repetition(world: World, fresh: Fresh) -> None:
    world.write(4)
    make_checkpoints(reason="time", org_id="org-1")
    with HttpReceiver() as receiver:
        destination = world.destination(receiver.url)
        world.round()
        ids = {request.headers["webhook-id"] for request in receiver.requests}
        restart_destination(destination=fresh(destination), sequence=1, actor="ana")
        world.round()
        assert [record["type"] for record in receiver.requests[-1].records].count("checkpoint") == 1
        restart_destination(destination=fresh(destination), sequence=4, actor="ana")
        world.round()
    assert [request.sequences[0] for request in receiver.requests] == [1, 1, 4]
    assert len(ids | {request.headers["webhook-id"] for request in receiver.requests}) == 3


def test_the_secret_of_another_secret_key_opens_nothing_and_nothing_is_sent(
    world: World, fresh: Fresh, settings: Any
) -> None:
    with HttpReceiver() as receiver:
        destination = world.destination(receiver.url)
        settings.SECRET_KEY = "another"
        world.round()
        assert "SECRET_KEY changed" in fresh(destination).fault
        settings.SECRET_KEY_FALLBACKS = ["only for tests " * 4]
        world.wait(minutes=1)
        assert world.round() == 1
    assert len(receiver.requests) == 1
