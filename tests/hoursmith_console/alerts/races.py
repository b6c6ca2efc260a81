"""Two processes at the same moment. Run on PostgreSQL by `workspaces/test_postgres.py`, where transactions overlap."""

import threading
from collections.abc import Callable, Iterator
from dataclasses import replace
from typing import Any

import pytest
from django.db import connection, transaction
from django.utils import timezone
from pytest_django.plugin import DjangoDbBlocker

from hoursmith_console.alerts.collecting import close_due_alerts, collect_audit_events, collect_observed_events
from hoursmith_console.alerts.kinds import AlertKind
from hoursmith_console.alerts.models import Alert, AlertDelivery, AlertEvent
from hoursmith_console.alerts.sending import send_due_deliveries
from hoursmith_console.alerts.services import RuleSettings, create_channel, create_rule
from hoursmith_console.workspaces.services import import_workspace
from mcpbridge.audit.rows import append_rows, intent_row, outcome_row
from tests.call_records import OWNER, SUCCEEDED, a_call
from tests.hoursmith_console.records import make_client, make_token
from tests.mcpbridge.audit.destinations.receivers import HttpReceiver


@pytest.fixture(autouse=True)
def _committed(django_db_setup: None, django_db_blocker: DjangoDbBlocker, settings: Any) -> Iterator[None]:
    """Everything is committed and stays: the audit log lets nothing be emptied, and the database is thrown away."""
    settings.LOG_DESTINATION_PRIVATE_NETWORKS = ["127.0.0.0/8"]
    with django_db_blocker.unblock():
        yield
        connection.close()


def at_once(times: int, deed: Callable[[], object]) -> list[object]:
    """Do it in several threads at the same moment, each on a connection of its own; what each returned."""
    start, said = threading.Barrier(times), []

    def run() -> None:
        start.wait(10)
        try:
            said.append(deed())
        finally:
            connection.close()

    threads = [threading.Thread(target=run) for _ in range(times)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join(30)
    return said


def delete(org_id: str, *, wait: Callable[[], object] = lambda: None) -> None:
    """A deletion, as the bridge writes it; `wait` comes before the commit."""
    call = a_call(identity=replace(OWNER, org_id=org_id))
    with transaction.atomic():
        append_rows("default", [intent_row(call, snapshot=None, snapshot_fault=""), outcome_row(call, SUCCEEDED)])
        wait()


def test_two_collectors_and_two_senders_deliver_once() -> None:
    workspace = import_workspace(org_id="org-races", name="Races", plan="agency")
    with HttpReceiver() as receiver:
        channel = create_channel(workspace=workspace, name="x", kind="webhook", address=receiver.url, actor="Ana")
        for kind in (AlertKind.DELETION, AlertKind.NEW_ASSISTANT):
            create_rule(
                workspace=workspace, kind=kind, settings=RuleSettings(name=kind, channels=[channel]), actor="Ana"
            )
        delete(workspace.org_id)
        token = make_token(workspace.org_id, "7a2c1bdedf00")
        make_client(token, first_seen_at=timezone.now())

        def collect() -> None:
            now = timezone.now()
            collect_audit_events(now)
            collect_observed_events(now)
            close_due_alerts(now)

        at_once(4, collect)
        collect()
        rules = {"rule__workspace": workspace}
        counts = [model.objects.filter(**rules).count() for model in (AlertEvent, Alert, AlertDelivery)]
        assert counts == [2, 2, 2]
        sent = at_once(4, send_due_deliveries)
        assert sum(number for number in sent if isinstance(number, int)) == 2
        assert len(receiver.requests) == 2


def test_an_entry_that_commits_late_is_found() -> None:
    """A second writer waits for the first, so its entry comes after; a look in between sees neither and skips none."""
    workspace = import_workspace(org_id="org-late", name="Races", plan="agency")
    with HttpReceiver() as receiver:
        channel = create_channel(workspace=workspace, name="y", kind="webhook", address=receiver.url, actor="Ana")
        settings = RuleSettings(name="late", channels=[channel])
        rule = create_rule(workspace=workspace, kind=AlertKind.DELETION, settings=settings, actor="Ana")
        is_open, may_commit = threading.Event(), threading.Event()

        def hold() -> None:
            is_open.set()
            may_commit.wait(10)

        slow = threading.Thread(target=lambda: at_once(1, lambda: delete("org-late", wait=hold)))
        slow.start()
        assert is_open.wait(10)
        quick = threading.Thread(target=lambda: at_once(1, lambda: delete("org-late")))
        quick.start()
        collect_audit_events(timezone.now())
        may_commit.set()
        slow.join(10)
        quick.join(10)
        collect_audit_events(timezone.now())
        assert Alert.objects.get(rule=rule).count == 2
