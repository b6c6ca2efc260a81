"""Filter of the token list by rotation status."""

from collections.abc import Iterable
from typing import Any

from django.db.models import Exists, OuterRef, QuerySet
from django.http import HttpRequest

from hoursmith_console.core.lists.changelist import ChoiceFilter
from hoursmith_console.rotations.models import Rotation


class StateFilter(ChoiceFilter):
    """Filter tokens by status."""

    title = "status"
    parameter_name = "state"

    def lookups(self, request: HttpRequest, model_admin: Any) -> Iterable[tuple[str, str]]:
        return [
            ("current", "not revoked"),
            ("replacing", "rotating"),
            ("retired", "revoked"),
        ]

    def apply(self, queryset: QuerySet[Any], value: str) -> QuerySet[Any]:
        same = {"env": OuterRef("env"), "prefix": OuterRef("prefix")}
        rotations = Rotation.objects.filter(workspace_id=self.viewer.member.workspace_id, **same)
        is_revoked = Exists(rotations.revoked())
        match value:
            case "replacing":
                return queryset.filter(Exists(rotations.needing_action()))
            case "retired":
                return queryset.filter(is_revoked)
        return queryset.filter(~is_revoked)
