"""The numbers of the audit log: what each one counts, and the address of the list of exactly these entries."""

from datetime import datetime, timedelta

from django.db.models import Exists, OuterRef, QuerySet
from django.urls import reverse

from hoursmith_console.audit.calls import State, in_state
from hoursmith_console.tokens.querysets import visible_rows
from hoursmith_console.workspaces.viewer import Viewer
from mcpbridge.models import AuditEvent, AuditPhase, ObservedToken

LATELY = timedelta(hours=24)
_LATELY = {"range": "24h"}


def deletions(viewer: Viewer, since: datetime) -> QuerySet[AuditEvent]:
    """Return the intents of destructive calls since `since` that succeeded: deleted and archived records."""
    rows = visible_rows(viewer, AuditEvent.objects.filter(phase=AuditPhase.INTENT, recorded_at__gte=since))
    return in_state(rows, State.SUCCEEDED)


def deletions_address(**filters: str) -> str:
    """Return the address of the list of deletions: of the last 24 hours, or those that match `filters`."""
    return reverse("console:audit:list", query={"outcome": State.SUCCEEDED.value, **(filters or _LATELY)})


def with_deletions(tokens: QuerySet[ObservedToken], since: datetime) -> QuerySet[ObservedToken]:
    """Filter: tokens with a deletion since `since`."""
    same = {"org_id": OuterRef("org_id"), "env": OuterRef("env"), "prefix": OuterRef("prefix")}
    return tokens.filter(Exists(in_state(AuditEvent.objects.filter(recorded_at__gte=since, **same), State.SUCCEEDED)))
