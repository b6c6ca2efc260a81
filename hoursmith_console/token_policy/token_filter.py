"""Filter of the token list by policy status."""

from collections.abc import Iterable
from typing import Any

from django.db.models import QuerySet
from django.http import HttpRequest
from django.utils import timezone

from hoursmith_console.core.lists.changelist import ChoiceFilter
from hoursmith_console.token_policy.evaluation import PolicyStatus, in_status
from hoursmith_console.token_policy.privilege_hints import over_privileged
from hoursmith_console.token_policy.services import get_policy

_OVER_PRIVILEGED = "over-powered"


class PolicyFilter(ChoiceFilter):
    """Filter: overdue, due soon, inactive or over-privileged tokens."""

    title = "policy"
    parameter_name = "policy"

    def lookups(self, request: HttpRequest, model_admin: Any) -> Iterable[tuple[str, str]]:
        return [
            (PolicyStatus.DUE.value, "overdue"),
            (PolicyStatus.WARNED.value, "due soon"),
            (PolicyStatus.IDLE.value, "inactive"),
            (_OVER_PRIVILEGED, "over-privileged"),
        ]

    def apply(self, queryset: QuerySet[Any], value: str) -> QuerySet[Any]:
        now = timezone.now()
        if value == _OVER_PRIVILEGED:
            return over_privileged(queryset, now=now)
        return in_status(queryset, PolicyStatus(value), get_policy(self.viewer.member.workspace), now=now)
