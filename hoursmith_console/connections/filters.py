"""The filter of calls and audit entries by connection."""

from collections.abc import Iterable
from typing import Any

from django.db.models import Q, QuerySet
from django.http import HttpRequest

from hoursmith_console.connections.grants.labels import grant_label, grant_labels, visible_grants
from hoursmith_console.connections.models import Connection
from hoursmith_console.core.lists.changelist import ChoiceFilter

MOST_OFFERED = 100


class ConnectionFilter(ChoiceFilter):
    """Calls over one connection."""

    title = "connection"
    parameter_name = "connection"

    def lookups(self, request: HttpRequest, model_admin: Any) -> Iterable[tuple[str, str]]:
        rows = Connection.objects.visible_to(self.viewer)
        offered = dict(rows.values_list("slug", "label")[:MOST_OFFERED])
        grants = visible_grants(self.viewer).order_by("-created_at", "-pk")
        offered = {grant.connection: grant_label(grant) for grant in grants[:MOST_OFFERED]} | offered
        requested = self.value() or ""
        if requested and requested not in offered:
            offered.update(grant_labels(self.viewer, [requested]))
            offered.update(rows.filter(slug=requested).values_list("slug", "label"))
        return offered.items()

    def apply(self, queryset: QuerySet[Any], value: str) -> QuerySet[Any]:
        return queryset.filter(connection__gt="", connection=value)

    def index_branches(self, value: str) -> list[Q]:
        return []
