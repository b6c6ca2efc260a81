"""Periodic work of alerts."""

from django.utils import timezone

from hoursmith_console.alerts.collecting import close_due_alerts, collect_audit_events, collect_observed_events
from hoursmith_console.alerts.sending import delete_old, send_due_deliveries


def collect_alerts() -> None:
    """Collect new events in the audit log, and queue the alerts that are due."""
    now = timezone.now()
    collect_audit_events(now)
    close_due_alerts(now)


def collect_signals() -> None:
    """Collect new events outside of the audit log."""
    collect_observed_events(timezone.now())


def send_alerts() -> int:
    """Send due deliveries and return how many were accepted."""
    return send_due_deliveries()


def delete_old_alerts() -> int:
    """Delete old deliveries and return how many."""
    return delete_old(timezone.now())
