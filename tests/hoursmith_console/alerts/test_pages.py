"""The pages of alerts: reviewers read, Owners and Admins change after re-authentication, each change is recorded."""

from collections.abc import Callable
from typing import Any

import pytest
from django.core.mail import EmailMessage
from django.test import Client

from hoursmith_console.alerts.models import AlertChannel, AlertDelivery, AlertPause, AlertRule
from hoursmith_console.alerts.recommended import RECOMMENDED
from hoursmith_console.alerts.services import MOST_CHANNELS, MOST_RULES
from mcpbridge.models import AuditEvent
from tests.hoursmith_console.alerts.conftest import Alerts
from tests.hoursmith_console.conftest import Cast
from tests.hoursmith_console.records import make_audit
from tests.token_shapes import assembled_token

Browse = Callable[[str], Client]
RULE = {"kind": "deletion", "name": "Deletions", "timing": "daily", "digest_hour": "8", "zone": "Europe/Berlin"}


def text_of(answer: Any) -> str:
    return str(answer.content.decode())


def recorded(action: str) -> AuditEvent:
    return AuditEvent.objects.get(tool=f"console.alert_{action}")


def test_one_click_adds_the_recommended_rules(cast: Cast, trusted: Browse, mail: list[EmailMessage]) -> None:
    visitor = trusted("admin")
    page = text_of(visitor.get("/alerts/"))
    assert "Add recommended rules" in page
    assert not AlertRule.objects.exists()
    visitor.post("/alerts/recommended/")
    assert AlertRule.objects.count() == len(RECOMMENDED)
    channel = AlertChannel.objects.get()
    assert channel.recipients == ["admin@example.com"]
    assert AuditEvent.objects.filter(tool="console.alert_rule_create").count() == len(RECOMMENDED)
    # Again adds none of a kind that is there.
    visitor.post("/alerts/recommended/")
    assert AlertRule.objects.count() == len(RECOMMENDED)
    page = text_of(visitor.get("/alerts/"))
    assert "Many deletions" in page
    assert "more than 20 an hour, in the workspace" in page
    assert not mail


def test_a_rule_is_made_changed_tested_switched_and_deleted(alerts: Alerts, trusted: Browse) -> None:
    channel, visitor, actor = alerts.channel(), trusted("owner"), alerts.cast.people["owner"].display_identity
    answer = visitor.post(
        "/alerts/rules/new/?kind=deletion", {**RULE, "channels": channel.pk, "tools": "delete_client"}
    )
    rule = AlertRule.objects.get()
    assert answer["Location"] == f"/alerts/rules/{rule.pk}/"
    assert (rule.parameters, rule.timing, rule.zone) == ({"tools": ["delete_client"]}, "daily", "Europe/Berlin")
    assert recorded("rule_create").arguments["channels"] == ["Team"]
    page = text_of(visitor.get(answer["Location"]))
    assert "Every day at 8 am (Europe/Berlin)" in page
    visitor.post(f"/alerts/rules/{rule.pk}/edit/", {**RULE, "channels": channel.pk, "timing": "at_once"})
    changed = recorded("rule_change").arguments
    assert (changed["timing"], changed["before"]["timing"]) == ("at_once", "daily")
    assert changed["before"]["parameters"] == {"tools": ["delete_client"]}
    page = text_of(visitor.post(f"/alerts/rules/{rule.pk}/test/", follow=True))
    assert "Test delivered to Team." in page
    assert alerts.mails[0].subject == "Test: Acme Studio: This is a test. Nothing happened."
    visitor.post(f"/alerts/rules/{rule.pk}/switch/", {"do": "off"})
    assert not AlertRule.objects.get().is_on
    visitor.post(f"/alerts/rules/{rule.pk}/switch/", {"do": "on"})
    visitor.post(f"/alerts/rules/{rule.pk}/delete/")
    assert not AlertRule.objects.exists()
    told = [recorded(action) for action in ("rule_create", "rule_change", "test", "rule_off", "rule_on", "rule_delete")]
    assert {row.actor for row in told} == {actor}
    page = text_of(visitor.get("/audit/?what=console"))
    for words in ("Added alert rule", "Sent a test of alert rule", "Deleted alert rule"):
        assert words in page
    # What was delivered outlives the rule.
    assert "Deletions" in text_of(visitor.get("/alerts/deliveries/"))


@pytest.mark.parametrize(
    ("changes", "told"),
    [
        ({"channels": []}, "Select at least one channel."),
        ({"zone": "Mars/Base"}, "Enter a time zone such as UTC"),
        ({"quiet_from": "22:00"}, "Enter both the beginning and the end"),
        ({"tokens": "hsk_live_000000000000"}, "must be the prefix of a token used in this workspace"),
        ({"roles": "KING"}, "not one of the available choices"),
        ({"name": ""}, "This field is required"),
        ({"digest_hour": "24"}, "not one of the available choices"),
    ],
)
def test_what_is_wrong_is_said_at_the_field(
    alerts: Alerts, trusted: Browse, changes: dict[str, Any], told: str
) -> None:
    data = {**RULE, "channels": alerts.channel().pk, **changes}
    answer = trusted("owner").post("/alerts/rules/new/", data)
    assert answer.status_code == 400
    assert told in text_of(answer)
    assert not AlertRule.objects.exists()


def test_a_channel_of_another_workspace_is_no_choice(alerts: Alerts, trusted: Browse) -> None:
    foreign = AlertChannel.objects.create(workspace=alerts.cast.other, name="Theirs", kind="email", created_by="x")
    alerts.channel()
    answer = trusted("owner").post("/alerts/rules/new/", {**RULE, "channels": foreign.pk})
    assert answer.status_code == 400
    assert "Theirs" not in text_of(answer)


def test_an_address_is_a_secret(alerts: Alerts, trusted: Browse) -> None:
    visitor, address = trusted("owner"), "https://1.1.1.1/services/T0/B0/sEcReT"
    answer = visitor.post("/alerts/channels/new/", {"kind": "slack", "name": "Ops", "address": address})
    channel = AlertChannel.objects.get()
    assert answer.status_code == 302
    assert channel.target == "https://1.1.1.1/••••"
    assert "sEcReT" not in str(AlertChannel.objects.values())
    assert recorded("channel_create").arguments == {"kind": "slack", "to": "https://1.1.1.1/••••"}
    shown = "".join(
        text_of(visitor.get(each)) for each in ("/alerts/", f"/alerts/channels/{channel.pk}/", "/audit/?what=console")
    )
    assert "sEcReT" not in shown
    # Neither is it shown again when something else is wrong.
    answer = visitor.post("/alerts/channels/new/", {"kind": "slack", "name": "Ops", "address": address})
    assert "Another channel has this name." in text_of(answer)
    assert "sEcReT" not in text_of(answer)
    sealed = channel.encrypted_address
    visitor.post(f"/alerts/channels/{channel.pk}/", {"name": "Ops 2", "address": ""})
    channel.refresh_from_db()
    assert (channel.name, channel.encrypted_address) == ("Ops 2", sealed)
    visitor.post(f"/alerts/channels/{channel.pk}/delete/")
    assert not AlertChannel.objects.exists()


@pytest.mark.parametrize(
    ("data", "told"),
    [
        ({"kind": "slack", "address": "http://hooks.slack.com/x"}, "must begin with https://"),
        ({"kind": "slack", "address": "https://10.0.0.1/x"}, "does not resolve to an address on the public internet"),
        ({"kind": "slack", "address": "https://ana:word@1.1.1.1/"}, "must not contain a user, password"),
        ({"kind": "slack", "address": f"https://1.1.1.1/{assembled_token()}"}, "looks like a Hoursmith token"),
        ({"kind": "slack"}, "This field is required"),
        ({"kind": "email", "recipients": "ana@example.com\nnobody"}, "Each line must be an email address."),
        ({"kind": "email", "recipients": "\n".join(f"a{n}@example.com" for n in range(11))}, "at most 10 addresses"),
    ],
)
def test_a_channel_that_cannot_be_is_not_made(trusted: Browse, data: dict[str, str], told: str) -> None:
    answer = trusted("owner").post("/alerts/channels/new/", {"name": "x", **data})
    assert answer.status_code == 400
    assert told in text_of(answer)
    assert not AlertChannel.objects.exists()
    assert not AuditEvent.objects.exists()


def test_a_channel_in_use_stays(alerts: Alerts, trusted: Browse) -> None:
    rule = alerts.rule()
    channel = rule.channels.get()
    page = text_of(trusted("owner").post(f"/alerts/channels/{channel.pk}/delete/", follow=True))
    assert "Rules use this channel: Deletion succeeded." in page
    assert AlertChannel.objects.exists()


def test_rules_and_channels_have_a_number(alerts: Alerts, trusted: Browse) -> None:
    for number in range(MOST_CHANNELS):
        alerts.channel(name=f"Channel {number}")
    for number in range(MOST_RULES):
        alerts.rule(name=f"Rule {number}")
    visitor, data = trusted("owner"), {**RULE, "channels": AlertChannel.objects.all()[0].pk}
    assert f"at most {MOST_RULES} alert rules" in text_of(visitor.post("/alerts/rules/new/", data))
    data = {"kind": "email", "name": "One more", "recipients": "a@example.com"}
    assert f"at most {MOST_CHANNELS} channels" in text_of(visitor.post("/alerts/channels/new/", data))
    page = text_of(visitor.get("/alerts/"))
    assert "New rule" not in page
    assert "Add channel" not in page


def test_pausing_is_seen_and_recorded(alerts: Alerts, trusted: Browse) -> None:
    alerts.rule()
    visitor = trusted("owner")
    assert "All alerts are paused" in text_of(visitor.post("/alerts/pause/", {"do": "pause"}, follow=True))
    visitor.post("/alerts/pause/", {"do": "pause"})
    visitor.post("/alerts/pause/", {"do": "resume"})
    assert not AlertPause.objects.exists()
    assert recorded("pause").actor == recorded("resume").actor == alerts.cast.people["owner"].display_identity


def test_an_auditor_reads_and_others_see_nothing(alerts: Alerts, browse: Browse, trusted: Browse) -> None:
    rule = alerts.rule()
    manager = alerts.cast.people["manager"]
    for name in ("manager", "member"):
        assert trusted(name).get("/alerts/").status_code == 403
        assert trusted(name).get(f"/alerts/rules/{rule.pk}/").status_code == 403
        assert "/alerts/" not in text_of(browse(name).get("/tokens/"))
    manager.is_auditor = True
    manager.save()
    for address in ("/alerts/", f"/alerts/rules/{rule.pk}/", "/alerts/deliveries/"):
        page = text_of(trusted("manager").get(address))
        assert "Deletion succeeded" in page or "Nothing was sent yet" in page
        assert 'method="post"' not in page.partition("<main")[2]
    assert trusted("manager").post(f"/alerts/rules/{rule.pk}/test/").status_code == 403


def test_deliveries_go_back_page_by_page(alerts: Alerts, browse: Browse) -> None:
    columns = {"workspace": alerts.cast.workspace, "channel_name": "y", "summary": "z"}
    AlertDelivery.objects.bulk_create(
        AlertDelivery(**columns, rule_name=f"rule {n:03}", state="failed" if n % 2 else "sent") for n in range(120)
    )
    AlertDelivery.objects.create(**{**columns, "workspace": alerts.cast.other}, rule_name="theirs")
    visitor, address, seen = browse("owner"), "/alerts/deliveries/?state=failed", 0
    while address:
        page = text_of(visitor.get(address))
        seen += page.count("rule ")
        assert "theirs" not in page
        older = page.partition("?before=")[2].partition('"')[0]
        address = f"/alerts/deliveries/?before={older}".replace("&amp;", "&") if older else ""
    assert seen == 60


def test_the_overview_says_that_alerts_do_not_arrive(alerts: Alerts, browse: Browse, settings: Any) -> None:
    settings.EMAIL_BACKEND = "django.core.mail.backends.console.EmailBackend"
    alerts.rule()
    make_audit(alerts.cast.tokens["owner"])
    alerts.round()
    assert "Alerts are not delivered to" in text_of(browse("owner").get("/"))
    assert "Alerts are not delivered to" not in text_of(browse("manager").get("/"))
