"""What a webhook's receiver may do, and what comes of it."""

from datetime import timedelta

import pytest

from tests.databases import RecordDatabase
from tests.mcpbridge.sinks.conftest import Fresh, World
from tests.mcpbridge.sinks.receivers import (
    DIE_IN_BODY,
    DIE_IN_HEADERS,
    DIE_SILENT,
    ENDLESS,
    HANG,
    NO_HTTP,
    Behaviour,
    HttpReceiver,
)


@pytest.fixture
def database(sqlite_database: RecordDatabase) -> RecordDatabase:
    """One of them is enough here: it is the receiver that matters."""
    return sqlite_database


@pytest.mark.parametrize(
    ("behaviour", "told"),
    [
        (500, "answered 500"),
        (400, "answered 400"),
        (401, "does not accept the signature"),
        (410, "nothing at that address"),
        (302, "a redirection, which is not followed"),
        (HANG, "did not answer within"),
        (ENDLESS, "answer"),
        (DIE_SILENT, "no whole HTTP answer"),
        (DIE_IN_HEADERS, "no whole HTTP answer"),
        (DIE_IN_BODY, "no whole HTTP answer"),
        (NO_HTTP, "no whole HTTP answer"),
    ],
)
def test_what_is_not_confirmed_is_sent_again_under_the_same_id(
    world: World, fresh: Fresh, behaviour: Behaviour, told: str
) -> None:
    world.write(2)
    with HttpReceiver(behaviour) as receiver:
        sink = world.sink(receiver.url)
        assert world.round() == 0
        assert told in fresh(sink).fault
        # It grows meanwhile; what was offered goes again in the bounds that it had, so that its id means something.
        world.write(2)
        assert world.round() == 0
        world.wait(seconds=5)
        assert world.round() == 5
    first, again, rest = receiver.requests
    assert first.body == again.body
    assert first.headers["webhook-id"] == again.headers["webhook-id"] != rest.headers["webhook-id"]
    assert first.headers["idempotency-key"] == first.headers["webhook-id"]
    assert receiver.sequences == [1, 2, 3, 4, 5]
    assert fresh(sink).fault == ""


def test_a_confirmation_that_comes_too_late_is_asked_for_again(world: World) -> None:
    world.write(2)
    with HttpReceiver(HANG) as receiver:
        world.sink(receiver.url)
        world.round()
        receiver.released.set()
        world.wait(seconds=5)
        world.round()
    assert [request.sequences for request in receiver.requests] == [[1, 2, 3]] * 2


@pytest.mark.parametrize("status", [200, 201, 202, 204])
def test_any_success_confirms(world: World, fresh: Fresh, status: int) -> None:
    world.write(2)
    with HttpReceiver(then=status) as receiver:
        sink = world.sink(receiver.url)
        world.round()
    assert fresh(sink).confirmed == 3


def test_the_receiver_says_when_to_come_again(world: World, fresh: Fresh) -> None:
    with HttpReceiver(429) as receiver:
        receiver.answers["Retry-After"] = "600"
        sink = world.sink(receiver.url)
        world.round()
        assert fresh(sink).next_try_at == world.now + timedelta(minutes=10)
        world.wait(minutes=9)
        assert world.round() == 0
        world.wait(minutes=1)
        assert world.round() == 1


def test_a_receiver_that_takes_less_gets_less(world: World) -> None:
    world.write(8)
    with HttpReceiver(413, 413) as receiver:
        world.sink(receiver.url)
        for _ in range(4):
            world.round()
            world.wait(seconds=10)
    assert [len(request.sequences) for request in receiver.requests] == [9, 4, 2, 7]
    assert receiver.sequences == world.rows()
