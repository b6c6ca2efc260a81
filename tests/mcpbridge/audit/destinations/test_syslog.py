"""Syslog servers get RFC 5424 messages in RFC 6587 frames, and count as reached only when they have read all."""

import json
import socket
import struct
import threading
import time
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest

from mcpbridge.audit.checkpoints import make_checkpoints
from mcpbridge.audit.destinations.errors import UndeliveredError
from mcpbridge.audit.destinations.services import send_test_message
from mcpbridge.audit.destinations.targets import Target
from mcpbridge.audit.destinations.transports.deadline_socket import DeadlineSocket
from mcpbridge.audit.destinations.transports.syslog import send_syslog
from mcpbridge.models import AuditEvent, SigningHead
from tests.certificates import self_signed
from tests.databases import RecordDatabase
from tests.mcpbridge.audit.destinations.conftest import AWKWARD, AWKWARD_KEPT, Fresh, World
from tests.mcpbridge.audit.destinations.receivers import SyslogReceiver, parse_syslog
from tests.mcpbridge.audit.export.readers import cef_header, cef_row


@pytest.fixture
def database(sqlite_database: RecordDatabase) -> RecordDatabase:
    """One of them is enough here: it is the receiver that matters."""
    return sqlite_database


def test_each_row_is_one_message_with_its_place_and_id(world: World, fresh: Fresh, settings: Any) -> None:
    settings.PUBLIC_URL = "https://console.example.com"
    world.write(2)
    make_checkpoints(reason="time", org_id="org-1")
    with SyslogReceiver() as receiver:
        destination = world.destination(receiver.url, kind="syslog")
        assert world.round() == 3
    messages = [parse_syslog(frame) for frame in receiver.frames]
    assert [message.kind for message in messages] == ["event", "event", "checkpoint", "event"]
    events = [message for message in messages if message.kind == "event"]
    rows = list(AuditEvent.objects.order_by("sequence"))
    for message, row in zip(events, rows, strict=True):
        assert message.data == {"workspace": "org-1", "sequence": str(row.sequence), "id": str(row.id)}
        assert (message.priority, message.host, message.app) == (13 * 8 + 5, "console.example.com", "hoursmith-console")
        assert message.timestamp == row.recorded_at.strftime("%Y-%m-%dT%H:%M:%S.%fZ")
        said = json.loads(message.message)
        assert (said["type"], said["id"], said["hash"]) == ("event", str(row.id), row.hash)
    assert json.loads(messages[2].message)["signature"] == SigningHead.objects.get().signature
    assert fresh(destination).acked == 3


ORG = 'org "1" ] \\ ö'


@pytest.mark.parametrize("format", ["json", "cef"])
def test_awkward_names_come_back_as_they_were(world: World, format: str) -> None:
    world.write(2, org_id=ORG, target_label=AWKWARD)
    with SyslogReceiver() as receiver:
        world.destination(receiver.url, kind="syslog", format=format, org_id=ORG)
        world.round()
    frames = [parse_syslog(frame) for frame in receiver.frames]
    assert frames[0].data["workspace"] == ORG
    assert frames[0].has_mark
    for frame in frames[:2]:
        if format == "json":
            assert json.loads(frame.message)["target_label"] == AWKWARD_KEPT
        else:
            row = cef_row(frame.message)
            assert (row["target_label"], row["workspace"]) == (AWKWARD_KEPT, ORG)


def test_a_message_of_ascii_alone_has_no_byte_order_mark(world: World) -> None:
    world.write(2)
    with SyslogReceiver() as receiver:
        world.destination(receiver.url, kind="syslog", format="cef")
        world.round()
    assert not any(parse_syslog(frame).has_mark for frame in receiver.frames)


def test_checkpoints_are_cef_too_where_that_is_wanted(world: World) -> None:
    make_checkpoints(reason="time")
    with SyslogReceiver() as receiver:
        world.destination(receiver.url, kind="syslog", format="cef")
        world.round()
        make_checkpoints(reason="time", org_id="org-1")
        world.round()
    line = parse_syslog(receiver.frames[-1]).message
    head = SigningHead.objects.get(org_id="org-1")
    assert cef_header(line)[4] == "checkpoint"
    signature = head.signature.replace("=", r"\=")
    assert f"cs2={head.hash}" in line
    assert f"HoursmithConsoleSignature={signature}" in line


def hangs(connection: socket.socket) -> None:
    time.sleep(2)


def reads_a_little_and_dies(connection: socket.socket) -> None:
    connection.recv(10)
    connection.close()


def resets(connection: socket.socket) -> None:
    connection.recv(10)
    connection.setsockopt(socket.SOL_SOCKET, socket.SO_LINGER, struct.pack("ii", 1, 0))
    connection.close()


@pytest.mark.parametrize("manner", [hangs, reads_a_little_and_dies, resets])
def test_what_was_not_read_to_its_end_is_sent_again(
    world: World, fresh: Fresh, manner: Callable[[socket.socket], None]
) -> None:
    world.write(40)
    with SyslogReceiver(manner=manner) as receiver:
        destination = world.destination(receiver.url, kind="syslog")
        assert world.round() == 0
        assert fresh(destination).acked == 0
        assert fresh(destination).fault in (
            "The receiver did not answer within 0 seconds.",
            "The receiver closed the connection unexpectedly.",
            "The receiver closed the connection before it had read everything.",
        )
        receiver.manner = None
        world.wait(seconds=5)
        assert world.round() == 41
    sequences = [int(parse_syslog(frame).data["sequence"]) for frame in receiver.frames]
    assert sequences == world.rows()


def test_over_tls_too(world: World, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    certificate = self_signed(tmp_path)
    monkeypatch.setenv("SSL_CERT_FILE", str(certificate))
    world.write(2)
    with SyslogReceiver(tls=certificate) as receiver:
        world.destination(f"tls://127.0.0.1:{receiver.port}", kind="syslog")
        assert world.round() == 3
    assert [parse_syslog(frame).data["sequence"] for frame in receiver.frames] == ["1", "2", "3"]


@pytest.mark.usefixtures("world")
def test_a_receiver_that_closes_tls_without_a_word_has_read_all_the_same(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    certificate = self_signed(tmp_path)
    monkeypatch.setenv("SSL_CERT_FILE", str(certificate))
    receiver = SyslogReceiver(tls=certificate)

    def rude(connection: socket.socket) -> None:
        assert receiver._tls is not None
        spoken = receiver._tls.wrap_socket(connection, server_side=True)
        while part := spoken.recv(65_536):
            receiver.frames.append(part)
        # The bare socket goes, without the farewell that TLS has.
        spoken.close()

    receiver.manner = rude
    with receiver:
        send_syslog(f"tls://127.0.0.1:{receiver.port}", b"5 hello", limit_s=2)
    assert receiver.frames == [b"5 hello"]


def test_a_test_message_is_no_row(world: World) -> None:
    with SyslogReceiver() as receiver:
        destination = world.destination(receiver.url, kind="syslog")
        assert send_test_message(destination=destination, actor="ana", limit_s=2) == ""
    (message,) = [parse_syslog(frame) for frame in receiver.frames]
    assert (message.kind, message.data) == ("test", {"workspace": "org-1"})


@pytest.mark.usefixtures("world")
def test_a_receiver_that_closes_before_our_end_has_not_read_it() -> None:
    closed = threading.Event()

    def closes(connection: socket.socket) -> None:
        connection.shutdown(socket.SHUT_WR)
        closed.set()
        connection.recv(10)

    with SyslogReceiver(manner=closes) as receiver:
        target = Target("127.0.0.1", receiver.port, is_tls=False)
        with DeadlineSocket(target, limit_s=2) as connection:
            assert closed.wait(2)
            connection.sendall(b"x" * 5)
            with pytest.raises(UndeliveredError, match="before it had read everything"):
                connection.finish()


@pytest.mark.usefixtures("world")
def test_a_receiver_that_reads_slowly_is_given_the_time_of_one_attempt() -> None:
    def slow(connection: socket.socket) -> None:
        while connection.recv(1):
            time.sleep(0.005)

    with SyslogReceiver(manner=slow) as receiver:
        connection = DeadlineSocket(Target("127.0.0.1", receiver.port, is_tls=False), limit_s=5)
        with connection:
            connection.sendall(b"x" * 50)
            connection.finish()
