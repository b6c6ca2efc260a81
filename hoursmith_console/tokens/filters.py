"""Filters that several areas share: by token, by assistant, by role, by days without use."""

import re
from collections.abc import Iterable
from datetime import timedelta
from typing import Any

from django.db.models import Exists, OuterRef, Q, QuerySet
from django.http import HttpRequest
from django.utils import timezone

from hoursmith_console.core.lists.changelist import ChoiceFilter
from hoursmith_console.tokens.models import TokenClaim
from hoursmith_console.tokens.querysets import rows_of_tokens, visible_clients, visible_rows, visible_tokens
from hoursmith_console.workspaces.models import Member, Role
from mcpbridge.models import TokenBlock, TokenIdentity

_KEY = re.compile(r"(?P<env>live|test)_(?P<prefix>[0-9A-Za-z]{12})")
_TARGET = re.compile(r"(?P<type>[a-z_]{1,32}):(?P<id>\S{1,64})")
MOST_OFFERED = 100
_NOBODY = "unknown"


def token_key(token: TokenIdentity) -> str:
    """How the address bar names a token: `live_4f8a2c1bdedf`."""
    return f"{token.env}_{token.prefix}"


class TokenFilter(ChoiceFilter):
    """Rows of one token."""

    title = "token"
    parameter_name = "token"

    def lookups(self, request: HttpRequest, model_admin: Any) -> Iterable[tuple[str, str]]:
        # The busiest lately are offered; any other is found by the search, or by following its link to here.
        tokens = visible_tokens(self.viewer).order_by("-last_used_at", "-pk").values_list("env", "prefix", "token_name")
        offered = {f"{env}_{prefix}": f"{name or 'unnamed'} · {prefix}" for env, prefix, name in tokens[:MOST_OFFERED]}
        asked = self.value() or ""
        if _KEY.fullmatch(asked):
            offered.setdefault(asked, asked)
        return offered.items()

    def apply(self, queryset: QuerySet[Any], value: str) -> QuerySet[Any]:
        match = _KEY.fullmatch(value)
        return queryset.filter(env=match["env"], prefix=match["prefix"]) if match else queryset

    def index_branches(self, value: str) -> list[Q]:
        return []


class MemberFilter(ChoiceFilter):
    """Rows of one member's tokens; only for who sees everybody's."""

    title = "member"
    parameter_name = "member"

    def lookups(self, request: HttpRequest, model_admin: Any) -> Iterable[tuple[str, str]]:
        if not self.viewer.member.sees_workspace:
            return []
        members = Member.objects.filter(workspace_id=self.viewer.member.workspace_id)
        named = members.filter(pk__in=TokenClaim.objects.order_by().values("member"))[:MOST_OFFERED]
        return [(str(pk), name) for pk, name in named.values_list("pk", "name")]

    def apply(self, queryset: QuerySet[Any], value: str) -> QuerySet[Any]:
        return queryset.filter(rows_of_tokens(self._tokens(value)))

    def index_branches(self, value: str) -> list[Q]:
        return [Q(env=env, prefix=prefix) for env, prefix in self._tokens(value)]

    def _tokens(self, value: str) -> list[tuple[str, str]]:
        if not hasattr(self, "_known"):
            claims = TokenClaim.objects.filter(member_id=value).order_by()
            self._known = list(claims.values_list("env", "prefix"))
        return self._known


class AssistantFilter(ChoiceFilter):
    """Rows of one assistant, by the name it gives itself."""

    title = "assistant"
    parameter_name = "assistant"
    field = "client_name"

    def lookups(self, request: HttpRequest, model_admin: Any) -> Iterable[tuple[str, str]]:
        names = visible_clients(self.viewer).order_by("name").values_list("name", flat=True).distinct()[:MOST_OFFERED]
        return [(name, name) for name in names if name]


class TokenAssistantFilter(AssistantFilter):
    """Tokens that one assistant has used."""

    field = "clients__name"

    def apply(self, queryset: QuerySet[Any], value: str) -> QuerySet[Any]:
        # By key, since an assistant's versions are rows of their own and would show the token more than once.
        return queryset.filter(pk__in=queryset.order_by().filter(clients__name=value).values("pk"))


class RoleFilter(ChoiceFilter):
    """Rows of one role."""

    title = "role"
    parameter_name = "role"
    field = "role"

    def lookups(self, request: HttpRequest, model_admin: Any) -> Iterable[tuple[str, str]]:
        return [(role.value, role.label) for role in Role]


class LastUsedFilter(ChoiceFilter):
    """Tokens by how long ago they were last used."""

    title = "last used"
    parameter_name = "used"
    _DAYS = {"day": 1, "week": 7, "month": 30}

    def lookups(self, request: HttpRequest, model_admin: Any) -> Iterable[tuple[str, str]]:
        return [
            ("day", "in the last 24 hours"),
            ("week", "in the last 7 days"),
            ("month", "in the last 30 days"),
            ("idle", "more than 30 days ago"),
        ]

    def apply(self, queryset: QuerySet[Any], value: str) -> QuerySet[Any]:
        edge = timezone.now() - timedelta(days=self._DAYS.get(value, 30))
        return queryset.filter(last_used_at__lt=edge) if value == "idle" else queryset.filter(last_used_at__gte=edge)


class EnvironmentFilter(ChoiceFilter):
    """Live tokens, or test ones."""

    title = "environment"
    parameter_name = "env"
    field = "env"

    def lookups(self, request: HttpRequest, model_admin: Any) -> Iterable[tuple[str, str]]:
        return [("live", "live"), ("test", "test")]


class OwnerFilter(MemberFilter):
    """Tokens of one member, or of nobody who is known."""

    title = "owner"
    parameter_name = "owner"

    def lookups(self, request: HttpRequest, model_admin: Any) -> Iterable[tuple[str, str]]:
        named = list(super().lookups(request, model_admin))
        return [*named, (_NOBODY, "not known")] if self.viewer.member.sees_workspace else []

    def apply(self, queryset: QuerySet[Any], value: str) -> QuerySet[Any]:
        if value != _NOBODY:
            return super().apply(queryset, value)
        same = {"env": OuterRef("env"), "prefix": OuterRef("prefix"), "member__workspace__org_id": OuterRef("org_id")}
        return queryset.exclude(Exists(TokenClaim.objects.filter(**same)))


class BlockedFilter(ChoiceFilter):
    """Tokens that are blocked in this console, or not."""

    title = "blocked"
    parameter_name = "blocked"

    def lookups(self, request: HttpRequest, model_admin: Any) -> Iterable[tuple[str, str]]:
        return [("yes", "blocked"), ("no", "not blocked")]

    def apply(self, queryset: QuerySet[Any], value: str) -> QuerySet[Any]:
        same = {"env": OuterRef("env"), "prefix": OuterRef("prefix"), "org_id": OuterRef("org_id")}
        block = TokenBlock.objects.filter(**same, lifted_at=None)
        return queryset.filter(Exists(block) if value == "yes" else ~Exists(block))


class TargetFilter(ChoiceFilter):
    """Calls that touched one record. Set by links, so it is offered only while it is active."""

    title = "record"
    parameter_name = "target"

    def lookups(self, request: HttpRequest, model_admin: Any) -> Iterable[tuple[str, str]]:
        asked = self.value() or ""
        match = _TARGET.fullmatch(asked)
        if match is None:
            return []
        rows = visible_rows(self.viewer, model_admin.model.objects.order_by(f"-{model_admin.orders[''].field}", "-pk"))
        named = self.apply(rows, asked).exclude(target_label="").values_list("target_label", flat=True).first()
        return [(asked, f"{match['type'].replace('_', ' ')} {named or match['id']}")]

    def apply(self, queryset: QuerySet[Any], value: str) -> QuerySet[Any]:
        match = _TARGET.fullmatch(value)
        if match is None:
            return queryset.none()
        return queryset.filter(target_id__gt="", target_id=match["id"], target_type=match["type"])

    def index_branches(self, value: str) -> list[Q]:
        return []

    @property
    def label(self) -> str:
        """The record in words: its type, and the name it had last."""
        return str(self.lookup_choices[0][1]) if self.chosen else ""
