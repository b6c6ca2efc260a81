"""A finding about the audit log reaches the workspace's destinations, once each and again after a failure."""

import json

import pytest

from mcpbridge.audit.anchors.faults import FaultKind
from mcpbridge.audit.anchors.memory import node_anchors
from mcpbridge.audit.destinations import alarms
from mcpbridge.audit.destinations.alarms import AlarmSender
from mcpbridge.audit.destinations.signing import signed_headers
from mcpbridge.audit.destinations.transports.file import file_path
from tests.databases import RecordDatabase
from tests.mcpbridge.audit.destinations.conftest import World
from tests.mcpbridge.audit.destinations.receivers import HttpReceiver, SyslogReceiver, parse_syslog


@pytest.fixture
def database(sqlite_database: RecordDatabase) -> RecordDatabase:
    """One of them is enough here: it is the receiver that matters."""
    return sqlite_database


def test_an_alarm_is_one_line_for_each_destination_of_the_workspace(world: World) -> None:
    world.write(2)
    world.destination("audit.jsonl", kind="file")
    world.destination("other.jsonl", kind="file", org_id="org-2")
    sender = AlarmSender()
    sender.send()
    assert not file_path("org-1", "audit.jsonl").exists()
    node_anchors().report(FaultKind.BEHIND, "org-1", "The log ends at entry 1, but it had entry 2.")
    sender.send()
    sender.send()
    (line,) = file_path("org-1", "audit.jsonl").read_text().splitlines()
    alarm = json.loads(line)
    assert (alarm["type"], alarm["kind"], alarm["workspace"]) == ("alarm", "behind", "org-1")
    assert not file_path("org-2", "other.jsonl").exists()


def test_syslog_gets_it_as_critical(world: World) -> None:
    with SyslogReceiver() as receiver:
        world.destination(receiver.url, kind="syslog", format="cef")
        node_anchors().report(FaultKind.CHANGED, "org-1", "All entries are missing.")
        AlarmSender().send()
    (frame,) = [parse_syslog(each) for each in receiver.frames]
    assert json.loads(frame.message)["reason"] == "All entries are missing."


def test_it_is_tried_again_after_a_failure(world: World, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(alarms, "_AGAIN_S", 0.0)
    world.destination("audit.jsonl", kind="file")
    path = file_path("org-1", "audit.jsonl")
    path.mkdir(parents=True)
    node_anchors().report(FaultKind.CHANGED, "org-1", "All entries are missing.")
    sender = AlarmSender()
    sender.send()
    path.rmdir()
    sender.send()
    assert len(path.read_text().splitlines()) == 1


def test_a_webhook_gets_it_signed_and_under_one_id_however_often_it_is_tried(
    world: World, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(alarms, "_AGAIN_S", 0.0)
    with HttpReceiver(500, 200) as receiver:
        destination = world.destination(receiver.url)
        node_anchors().report(FaultKind.BEHIND, "org-1", "The log ends at entry 1, but it had entry 2.")
        sender = AlarmSender()
        for _ in range(3):
            sender.send()
    first, second = receiver.requests
    assert first.body == second.body
    (alarm,) = second.records
    assert (alarm["type"], alarm["kind"], alarm["workspace"]) == ("alarm", "behind", "org-1")
    headers = {name.lower(): value for name, value in second.headers.items()}
    message_id, at = headers["webhook-id"], int(headers["webhook-timestamp"])
    assert message_id.startswith("alarm_")
    assert message_id in first.headers.values()
    expected = signed_headers(
        secret=world.secrets[destination.pk], message_id=message_id, timestamp=at, body=second.body
    )
    assert headers["webhook-signature"] == expected["webhook-signature"]
