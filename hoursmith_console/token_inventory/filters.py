"""Filters of the token list by rotation status and by deletions."""

from collections.abc import Iterable
from datetime import timedelta
from typing import Any

from django.db.models import Exists, OuterRef, QuerySet
from django.http import HttpRequest
from django.utils import timezone

from hoursmith_console.audit.numbers import with_deletions
from hoursmith_console.core.lists.changelist import ChoiceFilter
from hoursmith_console.rotations.models import Rotation
from hoursmith_console.token_policy.evaluation import without_open_rotation


class StateFilter(ChoiceFilter):
    """Filter tokens by status."""

    title = "status"
    parameter_name = "state"

    def lookups(self, request: HttpRequest, model_admin: Any) -> Iterable[tuple[str, str]]:
        return [
            ("current", "not revoked"),
            ("replacing", "rotating"),
            ("retired", "revoked"),
            ("unrotated", "not rotating"),
        ]

    def apply(self, queryset: QuerySet[Any], value: str) -> QuerySet[Any]:
        same = {"env": OuterRef("env"), "prefix": OuterRef("prefix")}
        rotations = Rotation.objects.filter(workspace_id=self.viewer.member.workspace_id, **same)
        is_revoked = Exists(rotations.revoked())
        match value:
            case "replacing":
                return queryset.filter(Exists(rotations.needing_action()))
            case "unrotated":
                return without_open_rotation(queryset)
            case "retired":
                return queryset.filter(is_revoked)
        return queryset.filter(~is_revoked)


class DeletionFilter(ChoiceFilter):
    """Filter tokens by when they deleted a record."""

    title = "deletions"
    parameter_name = "deleted"
    _DAYS = {"day": 1, "week": 7, "month": 30}

    def lookups(self, request: HttpRequest, model_admin: Any) -> Iterable[tuple[str, str]]:
        return [("day", "in the last 24 hours"), ("week", "in the last 7 days"), ("month", "in the last 30 days")]

    def apply(self, queryset: QuerySet[Any], value: str) -> QuerySet[Any]:
        return with_deletions(queryset, timezone.now() - timedelta(days=self._DAYS[value]))
