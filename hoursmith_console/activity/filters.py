"""Filters of calls: by what they do, how they ended, which tool, through which connection, and to which record."""

import re
from collections.abc import Iterable
from typing import Any

from django.db.models import Q, QuerySet
from django.http import HttpRequest

from hoursmith_console.connections.models import Connection
from hoursmith_console.core.lists.changelist import ChoiceFilter
from hoursmith_console.tokens.filters import MOST_OFFERED
from hoursmith_console.tokens.querysets import visible_rows
from mcpbridge.models import TOOL_KINDS, Kind, Result
from mcpbridge.tools import TOOLS

UNSUCCESSFUL = "unsuccessful"
_TARGET = re.compile(r"(?P<type>[a-z_]{1,32}):(?P<id>\S{1,64})")


class KindFilter(ChoiceFilter):
    """Calls by what they do to the workspace."""

    title = "kind"
    parameter_name = "kind"

    def lookups(self, request: HttpRequest, model_admin: Any) -> Iterable[tuple[str, str]]:
        return [(kind.value, kind.label) for kind in TOOL_KINDS]

    def narrow(self, queryset: QuerySet[Any], value: str) -> QuerySet[Any]:
        if value != Kind.READ:
            # Says the condition of the partial index, which the databases do not find out by themselves.
            queryset = queryset.exclude(kind=Kind.READ)
        return queryset.filter(kind=value)

    def parts(self, value: str) -> list[Q] | None:
        return None if value == Kind.READ else []


class ResultFilter(ChoiceFilter):
    """Calls by how they ended."""

    title = "result"
    parameter_name = "result"

    def lookups(self, request: HttpRequest, model_admin: Any) -> Iterable[tuple[str, str]]:
        return [*Result.choices, (UNSUCCESSFUL, "Refused or failed")]

    def narrow(self, queryset: QuerySet[Any], value: str) -> QuerySet[Any]:
        if value != Result.SUCCEEDED:
            queryset = queryset.exclude(result=Result.SUCCEEDED)
        return queryset.filter(result__in=_results(value))

    def parts(self, value: str) -> list[Q] | None:
        if value == Result.SUCCEEDED:
            return None
        return [Q(result=result) & ~Q(result=Result.SUCCEEDED) for result in _results(value)]


def _results(value: str) -> list[str]:
    return [Result.REFUSED, Result.FAILED] if value == UNSUCCESSFUL else [value]


class ToolFilter(ChoiceFilter):
    """Calls of one tool."""

    title = "tool"
    parameter_name = "tool"
    field = "tool"

    def lookups(self, request: HttpRequest, model_admin: Any) -> Iterable[tuple[str, str]]:
        return [(name, name) for name in TOOLS]


class ConnectionFilter(ChoiceFilter):
    """Calls through one connection."""

    title = "connection"
    parameter_name = "connection"

    def lookups(self, request: HttpRequest, model_admin: Any) -> Iterable[tuple[str, str]]:
        rows = Connection.objects.visible_to(self.viewer)
        offered = dict(rows.values_list("slug", "label")[:MOST_OFFERED])
        asked = self.value() or ""
        if asked not in offered:
            offered.update(rows.filter(slug=asked).values_list("slug", "label"))
        return offered.items()

    def narrow(self, queryset: QuerySet[Any], value: str) -> QuerySet[Any]:
        return queryset.filter(connection__gt="", connection=value)

    def parts(self, value: str) -> list[Q]:
        return []


class TargetFilter(ChoiceFilter):
    """Everything that touched one record of Hoursmith; asked for by links, so it is on offer only while it is on."""

    title = "record"
    parameter_name = "target"

    def lookups(self, request: HttpRequest, model_admin: Any) -> Iterable[tuple[str, str]]:
        asked = self.value() or ""
        match = _TARGET.fullmatch(asked)
        if match is None:
            return []
        rows = visible_rows(self.viewer, model_admin.model.objects.order_by(f"-{model_admin.orders[''].field}", "-pk"))
        named = self.narrow(rows, asked).exclude(target_label="").values_list("target_label", flat=True).first()
        return [(asked, f"{match['type'].replace('_', ' ')} {named or match['id']}")]

    def narrow(self, queryset: QuerySet[Any], value: str) -> QuerySet[Any]:
        match = _TARGET.fullmatch(value)
        if match is None:
            return queryset.none()
        return queryset.filter(target_id__gt="", target_id=match["id"], target_type=match["type"])

    def parts(self, value: str) -> list[Q]:
        return []

    @property
    def label(self) -> str:
        """The record in words: its type, and the name it had last."""
        return str(self.lookup_choices[0][1]) if self.chosen else ""
