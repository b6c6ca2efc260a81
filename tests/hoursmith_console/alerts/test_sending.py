"""Deliveries to real receivers: each failure in words, retries with an end, and nothing secret anywhere."""

import json
import logging
from datetime import timedelta
from typing import Any

import pytest

from hoursmith_console.alerts.models import AlertChannel, AlertDelivery, AlertRule, ChannelKind, DeliveryState
from hoursmith_console.alerts.sending import KEPT_FOR, MOST_KEPT, RESERVED_FOR, delete_old, send_one
from hoursmith_console.alerts.services import AlertError, change_channel, delete_rule, send_test
from hoursmith_console.workspaces.access import revoke_access
from mcpbridge.models import AuditEvent
from tests.hoursmith_console.alerts.conftest import Alerts
from tests.hoursmith_console.records import make_audit
from tests.mail_server import mail_server
from tests.mcpbridge.audit.destinations.receivers import (
    DIE_SILENT,
    HANG,
    NO_HTTP,
    Behaviour,
    HttpReceiver,
    a_port_nobody_listens_on,
)

SECRET = "T0FAKE/B0FAKE/sEcReTpArT"


def fire(alerts: Alerts, receiver: HttpReceiver, kind: str = ChannelKind.WEBHOOK) -> AlertDelivery:
    """A rule that posts to `receiver`, and one event of it, not sent yet."""
    channel = alerts.channel(kind, address=f"{receiver.url}/{SECRET}?sig=sEcReTsIg")
    alerts.rule(channels=[channel], name="Deletions [x] <!channel> @everyone")
    make_audit(alerts.cast.tokens["manager"], client_name="Cl*ude <http://evil.example|x> @here `y`")
    alerts.collect()
    return AlertDelivery.objects.get()


def again(delivery: AlertDelivery) -> AlertDelivery:
    return AlertDelivery.objects.get(pk=delivery.pk)


@pytest.mark.parametrize(
    ("behaviour", "told"),
    [
        (500, "The receiver answered 500."),
        (404, "no such page at this address"),
        (302, "Redirects are not followed"),
        (HANG, "did not answer within"),
        (DIE_SILENT, "did not send a complete HTTP response"),
        (NO_HTTP, "did not send a complete HTTP response"),
    ],
)
def test_a_failure_is_said_in_words_and_sent_again(
    alerts: Alerts, browse: Any, caplog: pytest.LogCaptureFixture, behaviour: Behaviour, told: str
) -> None:
    with HttpReceiver(behaviour) as receiver, caplog.at_level(logging.DEBUG):
        delivery = fire(alerts, receiver)
        assert alerts.send() == 0
        failed = again(delivery)
        assert (failed.state, failed.attempts) == (DeliveryState.WAITING, 1)
        assert told in failed.last_error
        page = browse("owner").get("/alerts/").content.decode()
        assert told in page
        assert "Retrying" in page
        assert alerts.send() == 0
        alerts.wait(seconds=31)
        assert alerts.send() == 1
    assert again(delivery).state == DeliveryState.SENT
    first, second = receiver.requests
    assert first.headers["idempotency-key"] == second.headers["idempotency-key"]
    assert "sEcReT" not in caplog.text + page + str(list(AlertDelivery.objects.values()))


def test_an_address_inside_the_network_is_refused_when_entered_and_when_called(alerts: Alerts, settings: Any) -> None:
    with HttpReceiver() as receiver:
        delivery = fire(alerts, receiver)
        settings.LOG_DESTINATION_PRIVATE_NETWORKS = []
        assert alerts.send() == 0
        assert "does not resolve to an address on the public internet" in again(delivery).last_error
        with pytest.raises(AlertError, match="does not resolve to an address on the public internet") as refused:
            alerts.channel("slack", name="Inside", address="https://169.254.169.254/latest")
    assert refused.value.field == "address"
    assert not receiver.requests


def test_nothing_listens(alerts: Alerts) -> None:
    with a_port_nobody_listens_on() as port:
        channel = alerts.channel("slack", address=f"http://127.0.0.1:{port}/x")
        fault = send_test(rule=alerts.rule(channels=[channel]), channel=channel, actor="Ana")
    assert "refused the connection" in fault


def test_after_a_day_of_attempts_a_delivery_has_failed(alerts: Alerts) -> None:
    with HttpReceiver(then=503) as receiver:
        delivery = fire(alerts, receiver)
        pauses = []
        while again(delivery).state == DeliveryState.WAITING:
            alerts.send()
            due = again(delivery).next_attempt_at
            if due:
                pauses.append((due - alerts.now).total_seconds())
                alerts.now = due
    ended = again(delivery)
    assert (ended.state, ended.last_error) == (DeliveryState.FAILED, "The receiver answered 503.")
    assert pauses[:4] == [30, 60, 120, 240]
    assert max(pauses) == 3600
    assert ended.attempts == len(receiver.requests) == len(pauses) + 1
    assert alerts.now - delivery.created_at <= timedelta(hours=24)


def test_one_channel_that_hangs_delays_others_once(alerts: Alerts) -> None:
    with HttpReceiver(then=HANG) as slow, HttpReceiver() as quick:
        channels = [
            alerts.channel("webhook", name=name, address=each.url) for name, each in (("Slow", slow), ("Quick", quick))
        ]
        for number in range(3):
            alerts.rule(name=f"Rule {number}", channels=channels)
        make_audit(alerts.cast.tokens["manager"])
        alerts.collect()
        assert alerts.send() == 3
        assert len(slow.requests) == 1


def test_a_process_that_dies_leaves_a_delivery_that_is_sent_later(alerts: Alerts) -> None:
    with HttpReceiver() as receiver:
        delivery = fire(alerts, receiver)
        AlertDelivery.objects.update(reserved_until=alerts.now + RESERVED_FOR, attempts=1)
        assert send_one(delivery.pk, lambda: alerts.now) is None
        alerts.wait(minutes=6)
        assert alerts.send() == 1


def test_each_chat_gets_what_it_reads_and_names_stay_harmless(alerts: Alerts) -> None:
    bodies = {}
    for kind in ("slack", "teams", "discord", "webhook"):
        with HttpReceiver() as receiver:
            fire(alerts, receiver, kind)
            assert alerts.send() == 1
        (request,) = receiver.requests
        assert request.path == f"/in/{SECRET}?sig=sEcReTsIg"
        assert request.headers["content-type"] == "application/json"
        bodies[kind] = json.loads(request.body)
        AlertRule.objects.all().delete()
        AlertDelivery.objects.all().delete()
        AlertChannel.objects.all().delete()
    link = "https://console.example/audit/"
    slack, discord = bodies["slack"]["text"], bodies["discord"]["content"]
    card = bodies["teams"]["attachments"][0]["content"]
    teams = "\n".join(block["text"] for block in card["body"])
    assert f"<{link}" in slack
    assert f"](<{link}" in discord
    assert card["actions"][0]["url"].startswith(link)
    assert bodies["discord"]["allowed_mentions"] == {"parse": []}
    for text in (slack, discord, teams):
        assert "Cl∗ude ‹http evil example¦x› ＠here ’y’ deleted a client" in text
        assert "Rule: Deletions (x) ‹!channel› ＠everyone" in text
        assert "Token hsk_live_2a2c1bdedf00" in text
        assert "<!channel>" not in text
    (event,) = bodies["webhook"]["events"]
    assert (bodies["webhook"]["kind"], bodies["webhook"]["count"]) == ("deletion", 1)
    assert (event["tool"], event["prefix"], event["role"]) == ("delete_client", "2a2c1bdedf00", "MANAGER")
    assert event["url"].startswith(link)
    assert "Globex" not in json.dumps(bodies)


def test_a_flood_fits_into_a_chat_message(alerts: Alerts) -> None:
    with HttpReceiver() as receiver:
        alerts.rule(channels=[alerts.channel("discord", address=receiver.url)], includes_record=True)
        for _ in range(30):
            make_audit(alerts.cast.tokens["manager"], client_name="x" * 120, target_label="y" * 200)
        alerts.round()
    text = json.loads(receiver.requests[0].body)["content"]
    assert len(text) <= 2_000
    shown = text.count("deleted a client")
    assert f"and {30 - shown} more" in text
    assert text.endswith(")")


def test_an_email_goes_to_a_real_server_and_not_to_who_lost_access(alerts: Alerts, settings: Any) -> None:
    manager = alerts.cast.people["manager"]
    channel = alerts.channel()
    change_channel(channel=channel, name="Team", recipients=["team@example.com", manager.email], actor="Ana")
    alerts.rule(channels=[channel])
    make_audit(alerts.cast.tokens["owner"])
    alerts.collect()
    revoke_access(member=manager, actor="Ana")
    with mail_server() as server:
        settings.EMAIL_BACKEND = "django.core.mail.backends.smtp.EmailBackend"
        settings.EMAIL_HOST, settings.EMAIL_PORT = "127.0.0.1", server.port
        assert alerts.send() == 1
    (message,) = server.messages
    assert b"To: team@example.com\r\n" in message
    assert b"https://console.example/audit/" in message
    settings.EMAIL_PORT = 9
    make_audit(alerts.cast.tokens["owner"])
    alerts.wait(minutes=2)
    alerts.round()
    assert "The mail server cannot be used" in alerts.deliveries[-1].last_error


def test_without_a_mail_server_the_page_says_so(alerts: Alerts, settings: Any) -> None:
    settings.EMAIL_BACKEND = "django.core.mail.backends.console.EmailBackend"
    alerts.rule()
    make_audit(alerts.cast.tokens["owner"])
    assert alerts.round() == 0
    assert "No mail server is configured (EMAIL_URL)" in alerts.deliveries[0].last_error


def test_a_changed_secret_key_is_said_and_the_address_can_be_entered_again(alerts: Alerts, settings: Any) -> None:
    with HttpReceiver() as receiver:
        delivery = fire(alerts, receiver)
        before = settings.SECRET_KEY
        settings.SECRET_KEY = "another secret key " * 4
        assert alerts.send() == 0
        assert "because SECRET_KEY changed. Enter the address" in again(delivery).last_error
        settings.SECRET_KEY = before
        channel = AlertChannel.objects.get()
        change_channel(channel=channel, name="New", address=f"{receiver.url}/other", actor="Ana")
        alerts.wait(seconds=1)
        assert alerts.send() == 1
    assert receiver.requests[0].path == "/in/other"


def test_what_waits_for_a_deleted_rule_is_cancelled(alerts: Alerts) -> None:
    with HttpReceiver() as receiver:
        delivery = fire(alerts, receiver)
        delete_rule(rule=AlertRule.objects.get(), actor="Ana")
        assert alerts.send() == 0
        assert (again(delivery).state, again(delivery).rule) == (DeliveryState.CANCELLED, None)
    assert not receiver.requests


def test_a_test_is_marked_and_recorded_without_the_address(alerts: Alerts) -> None:
    with HttpReceiver(500, 200) as receiver:
        channel = alerts.channel("webhook", address=f"{receiver.url}/{SECRET}")
        rule = alerts.rule(channels=[channel])
        assert send_test(rule=rule, channel=channel, actor="Ana") == "The receiver answered 500."
        assert send_test(rule=rule, channel=channel, actor="Ana") == ""
    body = json.loads(receiver.requests[1].body)
    assert (body["type"], body["events"], body["summary"]) == ("test", [], "This is a test. Nothing happened.")
    assert [(each.state, each.is_test) for each in alerts.deliveries] == [("failed", True), ("sent", True)]
    told = AuditEvent.objects.filter(tool="console.alert_test").order_by("sequence")
    assert [row.result for row in told] == ["failed", "succeeded"]
    assert "sEcReT" not in str(list(AuditEvent.objects.values()) + list(AlertChannel.objects.values()))


def test_old_deliveries_are_deleted(alerts: Alerts, monkeypatch: pytest.MonkeyPatch) -> None:
    alerts.rule()
    make_audit(alerts.cast.tokens["owner"])
    alerts.round()
    assert delete_old(alerts.now) == 0
    assert delete_old(alerts.now + KEPT_FOR + timedelta(days=1)) == 1
    columns = {"workspace": alerts.cast.workspace, "rule_name": "x", "channel_name": "y", "summary": "z"}
    AlertDelivery.objects.bulk_create(AlertDelivery(**columns, state="sent") for _ in range(MOST_KEPT + 3))
    assert delete_old(alerts.now) == 3
