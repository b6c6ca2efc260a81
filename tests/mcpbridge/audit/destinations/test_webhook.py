"""What a webhook's receiver may do, and what comes of it."""

import socket
from datetime import timedelta
from pathlib import Path

import pytest
from django.utils import timezone

from mcpbridge.audit.destinations.services import delete_destination, send_test_message
from mcpbridge.audit.destinations.status import destination_statuses
from mcpbridge.audit.destinations.transports import factory
from mcpbridge.audit.retention import prune_audit_log
from mcpbridge.models import LogDestination
from tests.certificates import self_signed
from tests.databases import RecordDatabase
from tests.mcpbridge.audit.destinations.conftest import Fresh, World
from tests.mcpbridge.audit.destinations.receivers import (
    BROKEN,
    DIE_IN_BODY,
    DIE_IN_HEADERS,
    DIE_SILENT,
    ENDLESS,
    HANG,
    NO_HTTP,
    TAKEN,
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
        (401, "rejected the signature"),
        (410, "no such page at this address"),
        (302, "Redirects are not followed"),
        (HANG, "did not answer within"),
        (ENDLESS, "answer"),
        (DIE_SILENT, "did not send a complete HTTP response"),
        (DIE_IN_HEADERS, "did not send a complete HTTP response"),
        (DIE_IN_BODY, "did not send a complete HTTP response"),
        (NO_HTTP, "did not send a complete HTTP response"),
    ],
)
def test_what_is_not_confirmed_is_sent_again_under_the_same_id(
    world: World, fresh: Fresh, behaviour: Behaviour, told: str
) -> None:
    world.write(2)
    with HttpReceiver(behaviour) as receiver:
        destination = world.destination(receiver.url)
        assert world.round() == 0
        assert told in fresh(destination).fault
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
    assert fresh(destination).fault == ""


def test_a_confirmation_that_comes_too_late_is_asked_for_again(world: World) -> None:
    world.write(2)
    with HttpReceiver(HANG) as receiver:
        world.destination(receiver.url)
        world.round()
        receiver.released.set()
        world.wait(seconds=5)
        world.round()
    assert [request.sequences for request in receiver.requests] == [[1, 2, 3]] * 2


@pytest.mark.parametrize("status", [200, 201, 202, 204])
def test_any_success_confirms(world: World, fresh: Fresh, status: int) -> None:
    world.write(2)
    with HttpReceiver(then=status) as receiver:
        destination = world.destination(receiver.url)
        world.round()
    assert fresh(destination).acked == 3


@pytest.mark.parametrize("answer", TAKEN)
def test_a_whole_answer_confirms_whatever_its_form(world: World, fresh: Fresh, answer: bytes) -> None:
    with HttpReceiver(then=answer) as receiver:
        destination = world.destination(receiver.url)
        world.round()
    assert (fresh(destination).acked, fresh(destination).fault) == (1, "")


@pytest.mark.parametrize("answer", BROKEN)
def test_a_broken_answer_is_a_failure_that_the_page_shows(world: World, fresh: Fresh, answer: bytes) -> None:
    with HttpReceiver(answer) as receiver:
        destination = world.destination(receiver.url)
        assert world.round() == 0
        assert fresh(destination).failing_since == world.now
        assert fresh(destination).fault
        assert send_test_message(destination=destination, actor="ana", limit_s=5) == ""
        world.wait(seconds=5)
        assert world.round() > 0
    assert fresh(destination).failing_since is None


def test_what_nobody_foresaw_is_a_failure_that_the_page_shows(
    world: World, fresh: Fresh, monkeypatch: pytest.MonkeyPatch
) -> None:
    def fails(*_: object, **__: object) -> None:
        raise ZeroDivisionError

    with HttpReceiver() as receiver:
        destination = world.destination(receiver.url)
        with monkeypatch.context() as patch:
            patch.setattr(factory, "post_webhook", fails)
            assert world.round() == 0
            assert "ZeroDivisionError" in send_test_message(destination=destination, actor="ana", limit_s=5)
        assert "failed unexpectedly (ZeroDivisionError)" in fresh(destination).fault
        assert fresh(destination).next_try_at is not None


@pytest.mark.parametrize(
    ("given", "sent"), [("", "/"), ("?a=1", "/?a=1"), ("/in?a=1&b=%20", "/in?a=1&b=%20"), ("/%7e", "/%7e")]
)
def test_the_request_names_what_the_address_does(world: World, given: str, sent: str) -> None:
    with HttpReceiver() as receiver:
        world.destination(f"http://127.0.0.1:{receiver.port}{given}")
        world.round()
    (request,) = receiver.requests
    assert (request.path, request.headers["host"]) == (sent, f"127.0.0.1:{receiver.port}")
    assert int(request.headers["content-length"]) == len(request.body)


def test_variables_of_the_environment_lead_nowhere_else(world: World, monkeypatch: pytest.MonkeyPatch) -> None:
    with HttpReceiver() as receiver, HttpReceiver() as proxy:
        for name in ("HTTP_PROXY", "http_proxy", "ALL_PROXY", "all_proxy"):
            monkeypatch.setenv(name, f"http://127.0.0.1:{proxy.port}")
        world.destination(receiver.url)
        assert world.round() == 1
        receiver.then, receiver.answers["Location"] = 307, f"http://127.0.0.1:{proxy.port}/"
        world.write(2)
        assert world.round() == 0
    assert len(receiver.requests) == 2
    assert proxy.requests == []


def test_the_certificate_must_name_the_host(
    world: World, fresh: Fresh, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    certificate = self_signed(tmp_path)
    monkeypatch.setenv("SSL_CERT_FILE", str(certificate))
    looked_up = socket.getaddrinfo
    monkeypatch.setattr(
        socket,
        "getaddrinfo",
        lambda host, *more, **named: looked_up("127.0.0.1" if host == "siem.example.com" else host, *more, **named),
    )
    world.limit_s = 5
    with HttpReceiver(tls=certificate) as receiver:
        named = world.destination(receiver.url)
        assert world.round() == 1
        delete_destination(destination=named, actor="ana")
        other = world.destination(f"https://siem.example.com:{receiver.port}/in", name="Other")
        assert world.round() == 0
    assert "certificate of the receiver was rejected" in fresh(other).fault
    assert len(receiver.requests) == 1


def test_the_receiver_says_when_to_come_again(world: World, fresh: Fresh) -> None:
    with HttpReceiver(429) as receiver:
        receiver.answers["Retry-After"] = "600"
        destination = world.destination(receiver.url)
        world.round()
        assert fresh(destination).next_try_at == world.now + timedelta(minutes=10)
        world.wait(minutes=9)
        assert world.round() == 0
        world.wait(minutes=1)
        assert world.round() == 1


@pytest.mark.parametrize("pruned", [False, True])
def test_a_receiver_that_takes_less_gets_less(world: World, fresh: Fresh, tmp_path: Path, pruned: bool) -> None:
    world.write(20)
    if pruned:
        prune_audit_log(org_id="org-1", before=timezone.now(), export_to=tmp_path / "kept", actor="ana")
        world.write(20)
        assert world.rows()[0] == 21
    with HttpReceiver(most=4000) as receiver:
        destination = world.destination(receiver.url)
        assert world.rows()[-1] == destination_statuses("org-1")[0].behind + (20 if pruned else 0)
        for _ in range(5):
            world.round()
        assert receiver.sequences == world.rows()
        # A limit is no failure, and it is remembered: what comes later fits at once.
        assert (fresh(destination).failures, fresh(destination).failing_since) == (0, None)
        tried = len(receiver.requests)
        world.write(6)
        world.round()
    later = receiver.requests[tried:]
    assert len(later) > 1
    assert all(len(request.body) <= receiver.most for request in later)
    assert receiver.sequences == world.rows()


def test_what_is_sent_at_once_grows_again(world: World, fresh: Fresh) -> None:
    world.write(100)
    with HttpReceiver(413) as receiver:
        destination = world.destination(receiver.url)
        world.round()
        limit = fresh(destination).size_limit
        LogDestination.objects.update(size_limit=limit // 8)
        world.round()
        assert limit // 8 < fresh(destination).size_limit < limit
    sizes = [len(request.body) for request in receiver.requests[1:]]
    assert max(sizes) > 1.2 * sizes[0]
    assert receiver.sequences == world.rows()


def test_one_row_that_is_too_large_is_a_failure(world: World, fresh: Fresh) -> None:
    with HttpReceiver(then=413) as receiver:
        destination = world.destination(receiver.url)
        world.round()
    assert len(receiver.requests) == 1
    assert "the batch is too large" in fresh(destination).fault
    assert fresh(destination).failing_since == world.now
