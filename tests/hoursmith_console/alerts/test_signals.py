"""Events outside of the audit log's deletions: each found once, of this workspace alone."""

from collections.abc import Callable
from datetime import time, timedelta

import pytest

from hoursmith_console.alerts.kinds import KINDS, AlertKind
from hoursmith_console.alerts.models import AlertEvent
from hoursmith_console.alerts.signals.audit_log import AUDIT_KINDS
from hoursmith_console.alerts.signals.observed import OBSERVED_KINDS
from hoursmith_console.audit.models import Verification
from hoursmith_console.leaked_tokens.services import report_leaked_tokens
from mcpbridge.audit.destinations.services import create_destination
from mcpbridge.models import EndReason, LogDestination, ObservedToken, Result, TokenNetwork, TokenRef
from tests.hoursmith_console.alerts.conftest import Alerts
from tests.hoursmith_console.records import make_audit, make_call, make_client, make_grant, make_refusal

Make = Callable[[Alerts, ObservedToken], object]


def _network(alerts: Alerts, token: ObservedToken) -> None:
    TokenNetwork.objects.create(token=token, network="203.0.113.0/24", first_at=alerts.now, last_at=alerts.now)


def _first_deletion(alerts: Alerts, token: ObservedToken) -> None:
    make_audit(token, at=alerts.now)
    make_call(token, "delete_client", at=alerts.now, status=204)


def _leak(alerts: Alerts, token: ObservedToken) -> None:
    workspace = alerts.cast.workspace if token.org_id == alerts.cast.org_id else alerts.cast.other
    report_leaked_tokens(workspace=workspace, refs=[TokenRef(token.env, token.prefix)], actor="Bo <bo@example.com>")


def _tampered(alerts: Alerts, token: ObservedToken) -> None:
    Verification.objects.create(
        org_id=token.org_id, ended_at=alerts.now, is_sound=False, bad_kind="edited", bad_sequence=1234
    )


def _failing(alerts: Alerts, token: ObservedToken) -> None:
    destination, _ = create_destination(
        org_id=token.org_id, name="SIEM", kind="file", format="json", address="x", from_first_row=True, actor="Ana"
    )
    LogDestination.objects.filter(pk=destination.pk).update(failing_since=alerts.now, fault="It answered 500.")
    alerts.wait(minutes=6)


def _reuse(alerts: Alerts, token: ObservedToken) -> None:
    make_grant(token, created_at=alerts.now, ended_at=alerts.now, ended_why=EndReason.REFRESH_REUSED)


CASES: dict[AlertKind, tuple[Make, str]] = {
    AlertKind.NEW_ASSISTANT: (
        lambda alerts, token: make_client(token, "Cursor", first_seen_at=alerts.now),
        "New assistant: Cursor",
    ),
    AlertKind.AUTHORIZATION: (
        lambda alerts, token: make_grant(token, created_at=alerts.now, authorized_by="Bo <bo@example.com>"),
        "Claude (claude ai) may now work with this token, allowed by Bo <bo example com>",
    ),
    AlertKind.REUSE: (_reuse, "An old code or refresh token of Claude (claude ai) was used again"),
    AlertKind.NEW_NETWORK: (_network, "Token used from a new network: 203.0.113.0/24"),
    AlertKind.FIRST_DELETION: (_first_deletion, "First deletion with this token, by delete_client"),
    AlertKind.ATTEMPT: (
        lambda alerts, token: make_refusal(token, last_at=alerts.now),
        "Cursor still sends a token that is revoked at Hoursmith",
    ),
    AlertKind.LEAK: (_leak, "Token reported as leaked by Bo <bo example com>"),
    AlertKind.INTEGRITY: (_tampered, "tampered with: edited, at entry 1,234"),
    AlertKind.DESTINATION: (_failing, "Log destination SIEM is failing: It answered 500."),
    AlertKind.PLAN: (
        lambda alerts, token: make_call(token, at=alerts.now, result=Result.REFUSED, status=402),
        "The plan does not include API access",
    ),
}


def test_every_kind_is_looked_for_and_described() -> None:
    assert set(AlertKind) == AUDIT_KINDS | OBSERVED_KINDS == set(KINDS)
    assert set(CASES) == OBSERVED_KINDS


@pytest.mark.parametrize("kind", CASES)
def test_a_signal_alerts_its_workspace_once(alerts: Alerts, kind: AlertKind) -> None:
    make, told = CASES[kind]
    alerts.rule(kind)
    alerts.wait(seconds=1)
    make(alerts, alerts.cast.tokens["outsider"])
    assert alerts.round() == 0
    make(alerts, alerts.cast.tokens["manager"])
    assert alerts.round() == 1
    assert told in alerts.texts[0]
    assert "https://console.example/" in alerts.texts[0]
    alerts.wait(minutes=10)
    assert alerts.round() == 0


@pytest.mark.parametrize("kind", [kind for kind in CASES if kind not in (AlertKind.DESTINATION, AlertKind.PLAN)])
def test_what_was_before_the_rule_alerts_nobody(alerts: Alerts, kind: AlertKind) -> None:
    alerts.wait(hours=-1)
    CASES[kind][0](alerts, alerts.cast.tokens["manager"])
    alerts.rule(kind)
    alerts.wait(hours=1)
    assert alerts.round() == 0


def test_a_row_that_commits_late_is_found(alerts: Alerts) -> None:
    alerts.rule(AlertKind.NEW_ASSISTANT)
    token = alerts.cast.tokens["manager"]
    make_client(token, "Second", first_seen_at=alerts.now + timedelta(minutes=2))
    alerts.wait(minutes=3)
    assert alerts.round() == 1
    # Seen before the other one, and committed after.
    make_client(token, "First", first_seen_at=alerts.now - timedelta(minutes=2))
    alerts.wait(minutes=3)
    assert alerts.round() == 1
    assert "New assistant: First" in alerts.texts[1]


def test_an_assistant_that_another_token_used_before_is_not_new(alerts: Alerts) -> None:
    make_client(alerts.cast.tokens["owner"], "Cursor")
    alerts.rule(AlertKind.NEW_ASSISTANT)
    make_client(alerts.cast.tokens["manager"], "Cursor", first_seen_at=alerts.now + timedelta(seconds=1))
    alerts.wait(minutes=1)
    assert alerts.round() == 0


def test_a_token_that_deleted_before_does_not_do_so_for_the_first_time(alerts: Alerts) -> None:
    token = alerts.cast.tokens["manager"]
    make_audit(token, "archive_project", at=alerts.now - timedelta(days=30))
    alerts.rule(AlertKind.FIRST_DELETION)
    alerts.wait(seconds=1)
    _first_deletion(alerts, token)
    assert alerts.round() == 0


def test_a_refused_first_try_does_not_hide_the_first_deletion(alerts: Alerts) -> None:
    token = alerts.cast.tokens["manager"]
    make_call(token, "delete_client", at=alerts.now - timedelta(days=30), result=Result.REFUSED, status=403)
    alerts.rule(AlertKind.FIRST_DELETION)
    alerts.wait(seconds=1)
    make_call(token, "delete_client", at=alerts.now, result=Result.REFUSED, status=403)
    assert alerts.round() == 0
    _first_deletion(alerts, token)
    assert alerts.round() == 1


def test_attempts_alert_again_the_next_day(alerts: Alerts) -> None:
    alerts.rule(AlertKind.ATTEMPT)
    alerts.wait(seconds=1)
    row = make_refusal(alerts.cast.tokens["manager"], last_at=alerts.now)
    assert alerts.round() == 1
    alerts.wait(days=1)
    row.last_at = alerts.now
    row.save()
    assert alerts.round() == 1
    # Only the prefix: a stranger can cause that.
    make_refusal(alerts.cast.tokens["owner"], last_at=alerts.now, matches_token=False)
    assert alerts.round() == 0


def test_a_plan_that_lapses_again_alerts_again(alerts: Alerts) -> None:
    alerts.rule(AlertKind.PLAN)
    token = alerts.cast.tokens["manager"]
    for status, sent in ((402, 1), (402, 0), (200, 0), (402, 1)):
        alerts.wait(minutes=2)
        make_call(token, at=alerts.now, status=status, result=Result.SUCCEEDED if status == 200 else Result.REFUSED)
        assert alerts.round() == sent, status


def test_quiet_hours_hold_back_and_count(alerts: Alerts) -> None:
    alerts.now = alerts.now.replace(hour=23, minute=0)
    alerts.rule(quiet_from=time(22), quiet_until=time(7), zone="UTC")
    for _ in range(4):
        make_audit(alerts.cast.tokens["manager"])
        assert alerts.round() == 0
        alerts.wait(hours=2)
    assert alerts.round() == 1
    assert "4 records were deleted or archived" in alerts.texts[0]
    assert "Held back during quiet hours (22:00 to 07:00 UTC)." in alerts.texts[0]
    assert AlertEvent.objects.count() == 4
