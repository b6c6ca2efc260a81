"""Which grants a viewer sees, and what pages call them."""

from collections.abc import Iterable, Mapping

from django.db.models import Q, QuerySet
from django.utils import timezone

from hoursmith_console.tokens.querysets import visible_rows
from hoursmith_console.workspaces.viewer import Viewer
from mcpbridge.grants.in_force import in_force_at
from mcpbridge.models import Grant


def visible_grants(viewer: Viewer) -> QuerySet[Grant]:
    """Return the grants that `viewer` sees: the workspace's for reviewers, else those of the member's own tokens."""
    return visible_rows(viewer, Grant.objects.all())


def in_force() -> Q:
    """Return the condition that a grant can be used."""
    return in_force_at(timezone.now())


def grant_label(grant: Grant) -> str:
    """Return the name of a grant: the assistant, and the host that vouches for it or takes its answers."""
    return f"{grant.client_name} ({grant.client_host or grant.redirect_host})"


def grant_labels(viewer: Viewer, connections: Iterable[str]) -> Mapping[str, str]:
    """Return the label of the newest visible grant for each of these connection ids."""
    rows = visible_grants(viewer).filter(connection__in=list(connections)).order_by("created_at", "pk")
    return {row.connection: grant_label(row) for row in rows}
