"""From what happened to one delivery a channel: nothing twice, nothing lost, nothing of others."""

from datetime import timedelta

import pytest
from django.db import connection

from hoursmith_console.alerts import collecting
from hoursmith_console.alerts.collecting import MOST_ROWS
from hoursmith_console.alerts.kinds import AlertKind
from hoursmith_console.alerts.models import Alert, AlertDelivery, AlertEvent, AlertPause, AlertRule, DeliveryState
from hoursmith_console.alerts.services import switch_rule
from hoursmith_console.alerts.signals import audit_log
from mcpbridge.models import Result
from tests.hoursmith_console.alerts.conftest import Alerts
from tests.hoursmith_console.records import audit_pair, make_audit, save_audit


def test_a_deletion_is_mailed_once_with_what_who_when_and_where(alerts: Alerts) -> None:
    make_audit(alerts.cast.tokens["manager"])
    alerts.rule(zone="Europe/Berlin")
    assert alerts.round() == 0
    call = make_audit(alerts.cast.tokens["manager"], at=alerts.now)
    assert alerts.round() == 1
    (text,) = alerts.texts
    assert "1 record was deleted or archived in Acme Studio." in text
    assert "Claude Desktop deleted a client" in text
    assert "Token hsk_live_2a2c1bdedf00, manager's laptop of Manager Person (MANAGER)" in text
    assert f"{alerts.now:%H:%M} UTC (" in text
    assert "Europe/Berlin)" in text
    assert f"https://console.example/audit/{call.call_id}/" in text
    # The name of the record is its content.
    assert "Globex" not in text
    assert alerts.mails[0].to == ["team@example.com"]
    assert alerts.mails[0].subject == "Acme Studio: 1 record was deleted or archived"
    alerts.wait(hours=1)
    assert alerts.round() == 0
    assert [each.state for each in alerts.deliveries] == [DeliveryState.SENT]


def test_the_record_is_named_where_the_rule_says_so(alerts: Alerts) -> None:
    alerts.rule(includes_record=True)
    make_audit(alerts.cast.tokens["manager"], target_label="Ask art.vandelay@evil.example http://evil.example/x")
    alerts.round()
    (text,) = alerts.texts
    assert "deleted a client: Ask art vandelay evil example http evil example x" in text


@pytest.mark.parametrize("result", [Result.REFUSED, Result.FAILED, None])
def test_what_did_not_succeed_is_no_deletion(alerts: Alerts, result: Result | None) -> None:
    alerts.rule()
    make_audit(alerts.cast.tokens["manager"], result=result)
    assert alerts.round() == 0


@pytest.mark.parametrize(
    ("parameters", "found"),
    [
        ({"roles": ["MANAGER"]}, ["manager"]),
        ({"roles": ["OWNER", "MANAGER"]}, ["manager", "owner"]),
        ({"tools": ["archive_project"]}, ["owner"]),
        ({"tokens": ["live_0a2c1bdedf00"]}, ["owner"]),
        ({"tokens": ["test_0a2c1bdedf00"]}, []),
    ],
)
def test_a_rule_is_limited_by_role_tool_and_token(
    alerts: Alerts, parameters: dict[str, list[str]], found: list[str]
) -> None:
    alerts.rule(parameters=parameters)
    make_audit(alerts.cast.tokens["manager"], "delete_client")
    make_audit(alerts.cast.tokens["owner"], "archive_project")
    alerts.collect()
    names = sorted(event.facts["token_name"].partition("'")[0] for event in AlertEvent.objects.all())
    assert names == found


def test_another_workspace_alerts_nobody_here(alerts: Alerts) -> None:
    alerts.rule()
    make_audit(alerts.cast.tokens["outsider"])
    assert alerts.round() == 0


def test_each_channel_gets_its_own_delivery(alerts: Alerts) -> None:
    channels = [alerts.channel(name="One"), alerts.channel(name="Two")]
    alerts.rule(channels=channels)
    make_audit(alerts.cast.tokens["manager"])
    assert alerts.round() == 2
    assert sorted(each.channel_name for each in alerts.deliveries) == ["One", "Two"]


def test_a_flood_is_one_message_and_the_next_follows_a_minute_later(
    alerts: Alerts, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(audit_log, "MOST_AT_ONCE", 100)
    alerts.rule()
    token = alerts.cast.tokens["manager"]
    save_audit([row for _ in range(322) for row in audit_pair(token, at=alerts.now)])
    for _ in range(4):
        collecting.collect_audit_events(alerts.now)
    alerts.round()
    (text,) = alerts.texts
    assert "322 records were deleted" in text
    assert text.count("Claude Desktop deleted") == 10
    assert "and 312 more" in text
    assert "See all: https://console.example/audit/?outcome=succeeded&since=" in text
    assert AlertEvent.objects.count() == MOST_ROWS
    make_audit(token)
    make_audit(token)
    alerts.wait(seconds=30)
    assert alerts.round() == 0
    alerts.wait(seconds=31)
    assert alerts.round() == 1
    assert "2 records were deleted" in alerts.texts[1]


def test_the_page_behind_and_more_is_there(alerts: Alerts, browse: object) -> None:
    alerts.rule()
    for _ in range(11):
        make_audit(alerts.cast.tokens["manager"])
    alerts.round()
    address = alerts.texts[0].partition("See all: https://console.example")[2].splitlines()[0]
    page = browse("owner").get(address)  # type: ignore[operator]
    assert page.content.decode().count('class="what') == 11


def test_a_rule_that_was_off_is_silent_about_the_time_between(alerts: Alerts) -> None:
    rule = alerts.rule()
    switch_rule(rule=rule, is_on=False, actor="Ana")
    make_audit(alerts.cast.tokens["manager"])
    assert alerts.round() == 0
    switch_rule(rule=rule, is_on=True, actor="Ana")
    assert alerts.round() == 0
    make_audit(alerts.cast.tokens["manager"])
    assert alerts.round() == 1


def test_while_alerts_are_paused_events_wait_and_are_counted(alerts: Alerts) -> None:
    alerts.rule()
    AlertPause.objects.create(workspace=alerts.cast.workspace, paused_by="Ana")
    for _ in range(3):
        make_audit(alerts.cast.tokens["manager"])
        alerts.wait(minutes=5)
        assert alerts.round() == 0
    AlertPause.objects.all().delete()
    assert alerts.round() == 1
    assert "3 records were deleted" in alerts.texts[0]
    assert "Held back while alerts were paused." in alerts.texts[0]


def test_one_broken_rule_does_not_stop_the_others(alerts: Alerts, monkeypatch: pytest.MonkeyPatch) -> None:
    broken, fine = alerts.rule(name="A"), alerts.rule(name="B")
    real = collecting.audit_events

    def look(rule: AlertRule, *rest: object) -> object:
        if rule.pk == broken.pk:
            with connection.cursor() as cursor:
                cursor.execute("SELECT nothing FROM nowhere")
        return real(rule, *rest)  # type: ignore[arg-type]

    monkeypatch.setattr(collecting, "audit_events", look)
    make_audit(alerts.cast.tokens["manager"])
    assert alerts.round() == 1
    assert AlertDelivery.objects.get().rule_id == fine.pk
    # Nothing of the other is lost: its cursor did not move.
    monkeypatch.undo()
    assert alerts.round() == 1


def test_a_change_between_look_and_lock_stores_nothing(alerts: Alerts, monkeypatch: pytest.MonkeyPatch) -> None:
    rule = alerts.rule()
    make_audit(alerts.cast.tokens["manager"])
    real = collecting.audit_events

    def look(*given: object) -> object:
        found = real(*given)  # type: ignore[arg-type]
        AlertRule.objects.filter(pk=rule.pk).update(is_on=False)
        return found

    monkeypatch.setattr(collecting, "audit_events", look)
    assert alerts.round() == 0
    assert not Alert.objects.exists()


def test_many_deletions_are_counted_within_an_hour(alerts: Alerts) -> None:
    alerts.rule(AlertKind.RATE, parameters={"limit": 3, "counted": "token"})
    begin = alerts.now.replace(minute=0)
    for number in range(6):
        make_audit(alerts.cast.tokens["manager"], at=begin + timedelta(minutes=30 * number))
        make_audit(alerts.cast.tokens["owner"], at=begin + timedelta(minutes=number))
    assert alerts.round() == 1
    (event,) = AlertEvent.objects.all()
    assert event.facts["prefix"] == alerts.cast.tokens["owner"].prefix
    assert "4 records deleted or archived within an hour with one token (limit 3)" in alerts.texts[0]
    # Once an hour.
    make_audit(alerts.cast.tokens["owner"], at=begin + timedelta(minutes=7))
    alerts.wait(minutes=2)
    assert alerts.round() == 0


def test_an_unknown_outcome_is_told_once_a_call(alerts: Alerts) -> None:
    alerts.rule(AlertKind.UNKNOWN)
    make_audit(alerts.cast.tokens["manager"], result=Result.FAILED, status=502, code="upstream_unreachable")
    assert alerts.round() == 0
    make_audit(alerts.cast.tokens["manager"], result=Result.FAILED, status=504, code="upstream_timeout")
    assert alerts.round() == 1
    assert "may have deleted a client: the outcome is unknown" in alerts.texts[0]
