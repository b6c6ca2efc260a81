"""Filters the list of tokens by what the policy and their own use say about them."""

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
    """Tokens that are due, soon due, idle, or have more power than they use."""

    title = "policy"
    parameter_name = "policy"

    def lookups(self, request: HttpRequest, model_admin: Any) -> Iterable[tuple[str, str]]:
        return [
            (PolicyStatus.DUE.value, "too old"),
            (PolicyStatus.WARNED.value, "soon too old"),
            (PolicyStatus.IDLE.value, "idle"),
            (_OVER_PRIVILEGED, "more power than it uses"),
        ]

    def apply(self, queryset: QuerySet[Any], value: str) -> QuerySet[Any]:
        now = timezone.now()
        if value == _OVER_PRIVILEGED:
            return over_privileged(queryset, now=now)
        return in_status(queryset, PolicyStatus(value), get_policy(self.viewer.member.workspace), now=now)
