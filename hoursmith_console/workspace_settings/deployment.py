"""The console's configuration as the settings page shows it, read-only."""

from datetime import timedelta

from django.conf import settings
from django.db import Error, connection
from django.utils import timezone

from mcpbridge import __version__
from mcpbridge.models import AuditEvent

_DATABASES = {"sqlite": "SQLite", "postgresql": "PostgreSQL"}


def console_facts() -> list[tuple[str, str]]:
    """Return the configuration as labels and values."""
    return [
        ("Version", __version__),
        ("Database", f"{_DATABASES.get(connection.vendor, connection.vendor)} ({_database()})"),
        ("Hoursmith API", "embedded sandbox" if settings.SANDBOX_MODE else settings.HOURSMITH_API_URL),
        ("Address", settings.PUBLIC_URL),
        ("OpenID Connect", _openid()),
        ("Sessions expire", f"after {settings.SESSION_COOKIE_AGE / 3600:g} h, or after {_idle()} of inactivity"),
        ("Snapshots (all workspaces)", "on" if settings.AUDIT_SNAPSHOTS else "off (AUDIT_SNAPSHOTS)"),
        ("Arguments in the activity log", settings.ACTIVITY_ARGUMENTS),
        ("Activity retention", f"{settings.ACTIVITY_DAYS:,} days" if settings.ACTIVITY_DAYS else "forever"),
    ]


def rows_beyond(org_id: str, days: int) -> int:
    """Estimate how many audit entries of the workspace are older than `days`, which audit_prune would remove.

    Computed from sequence numbers, with two index look-ups.
    """
    edge = timezone.now() - timedelta(days=days)
    rows = AuditEvent.objects.filter(org_id=org_id)
    last = rows.filter(recorded_at__lt=edge).order_by("-recorded_at", "-id").values_list("sequence", flat=True).first()
    first = rows.order_by("sequence").values_list("sequence", flat=True).first()
    return 0 if last is None or first is None else last - first + 1


def _database() -> str:
    try:
        with connection.cursor() as cursor:
            cursor.execute("SELECT 1")
    except Error:
        return "not responding"
    return "connected"


def _openid() -> str:
    return settings.OIDC["issuer"] if settings.OIDC else "not configured (OIDC_ISSUER)"


def _idle() -> str:
    return f"{settings.SESSION_IDLE_SECONDS / 60:g} min"
