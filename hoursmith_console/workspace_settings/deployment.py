"""How the console itself is set up, as the settings page shows it: nothing here can be changed from a browser."""

from datetime import timedelta

from django.conf import settings
from django.db import Error, connection
from django.utils import timezone

from mcpbridge import __version__
from mcpbridge.models import AuditEvent

_DATABASES = {"sqlite": "SQLite, in a file", "postgresql": "PostgreSQL"}


def console_facts() -> list[tuple[str, str]]:
    """Labels and values."""
    return [
        ("Version", __version__),
        ("Database", f"{_DATABASES.get(connection.vendor, connection.vendor)} – {_database()}"),
        ("Hoursmith", "the embedded sandbox" if settings.SANDBOX_MODE else settings.HOURSMITH_API_URL),
        ("Address", settings.PUBLIC_URL),
        ("OpenID Connect", _openid()),
        ("Sessions end", f"after {settings.SESSION_COOKIE_AGE / 3600:g} h, or {_idle()} unused"),
        ("Snapshots for the whole console", "on" if settings.AUDIT_SNAPSHOTS else "off (AUDIT_SNAPSHOTS)"),
        ("Arguments in the activity", settings.ACTIVITY_ARGUMENTS),
        ("Activity is kept", f"for {settings.ACTIVITY_DAYS:,} days" if settings.ACTIVITY_DAYS else "for ever"),
    ]


def rows_beyond(org_id: str, days: int) -> int:
    """About how many rows of the workspace's record are older than `days`: what audit_prune would remove.

    By their places in the chain, so that it costs two looks into an index however many there are.
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
        return "does not answer"
    return "answers"


def _openid() -> str:
    return settings.OIDC["issuer"] if settings.OIDC else "not set up (OIDC_ISSUER)"


def _idle() -> str:
    return f"{settings.SESSION_IDLE_SECONDS / 60:g} min"
