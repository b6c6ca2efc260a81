"""Filters the list of tokens by what the policy and their own use say about them."""

from collections.abc import Iterable
from typing import Any

from django.db.models import QuerySet
from django.http import HttpRequest
from django.utils import timezone

from hoursmith_console.core.lists.admin import viewer
from hoursmith_console.core.lists.changelist import ChoiceFilter
from hoursmith_console.token_policy.evaluation import Due, in_state
from hoursmith_console.token_policy.privilege_hints import over_powered
from hoursmith_console.token_policy.services import policy_of

_OVER_POWERED = "over-powered"


class PolicyFilter(ChoiceFilter):
    """Tokens that are due, soon due, idle, or have more power than they use."""

    title = "policy"
    parameter_name = "policy"

    def __init__(self, request: HttpRequest, *args: Any) -> None:
        self._workspace = viewer(request).member.workspace
        super().__init__(request, *args)

    def lookups(self, request: HttpRequest, model_admin: Any) -> Iterable[tuple[str, str]]:
        return [
            (Due.DUE.value, "too old"),
            (Due.WARNED.value, "soon too old"),
            (Due.IDLE.value, "idle"),
            (_OVER_POWERED, "more power than it uses"),
        ]

    def narrow(self, queryset: QuerySet[Any], value: str) -> QuerySet[Any]:
        now = timezone.now()
        if value == _OVER_POWERED:
            return over_powered(queryset, now=now)
        return in_state(queryset, Due(value), policy_of(self._workspace), now=now)
