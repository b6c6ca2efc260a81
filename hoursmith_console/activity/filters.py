"""Filters of tool calls: kind, result, tool, connection and record."""

from collections.abc import Iterable
from typing import Any

from django.db.models import Q, QuerySet
from django.http import HttpRequest

from hoursmith_console.core.lists.changelist import ChoiceFilter
from hoursmith_console.tokens.numbers import UNSUCCESSFUL
from mcpbridge.models import TOOL_KINDS, CallKind, Result
from mcpbridge.tools import TOOLS


class KindFilter(ChoiceFilter):
    """Calls by their kind: read, write or destructive."""

    title = "kind"
    parameter_name = "kind"

    def lookups(self, request: HttpRequest, model_admin: Any) -> Iterable[tuple[str, str]]:
        return [(kind.value, kind.label) for kind in TOOL_KINDS]

    def apply(self, queryset: QuerySet[Any], value: str) -> QuerySet[Any]:
        if value != CallKind.READ:
            # The condition of the partial index, which the databases do not infer.
            queryset = queryset.exclude(kind=CallKind.READ)
        return queryset.filter(kind=value)

    def index_branches(self, value: str) -> list[Q] | None:
        return None if value == CallKind.READ else []


class ResultFilter(ChoiceFilter):
    """Calls by their result."""

    title = "result"
    parameter_name = "result"

    def lookups(self, request: HttpRequest, model_admin: Any) -> Iterable[tuple[str, str]]:
        return [*Result.choices, (UNSUCCESSFUL, "Refused or failed")]

    def apply(self, queryset: QuerySet[Any], value: str) -> QuerySet[Any]:
        if value != Result.SUCCEEDED:
            queryset = queryset.exclude(result=Result.SUCCEEDED)
        return queryset.filter(result__in=_results(value))

    def index_branches(self, value: str) -> list[Q] | None:
        if value == Result.SUCCEEDED:
            return None
        return [Q(result=result) & ~Q(result=Result.SUCCEEDED) for result in _results(value)]


def _results(value: str) -> list[str]:
    return [Result.REFUSED, Result.FAILED, Result.UNKNOWN] if value == UNSUCCESSFUL else [value]


class ToolFilter(ChoiceFilter):
    """Calls of one tool."""

    title = "tool"
    parameter_name = "tool"
    field = "tool"

    def lookups(self, request: HttpRequest, model_admin: Any) -> Iterable[tuple[str, str]]:
        return [(name, name) for name in TOOLS]
