"""List filters shared by several areas: token, owner, assistant, role, last use, status."""

import re
from collections.abc import Iterable
from datetime import timedelta
from typing import Any

from django.db.models import Exists, OuterRef, Q, QuerySet
from django.http import HttpRequest
from django.utils import timezone

from hoursmith_console.core.lists.changelist import ChoiceFilter
from hoursmith_console.tokens.models import TokenClaim
from hoursmith_console.tokens.querysets import rows_of_tokens, visible_clients, visible_tokens
from hoursmith_console.workspaces.models import Member, Role
from mcpbridge.models import TokenBlock, TokenIdentity

_KEY = re.compile(r"(?P<env>live|test)_(?P<prefix>[0-9A-Za-z]{12})")
_TARGET = re.compile(r"(?P<type>[a-z_]{1,32}):(?P<id>\S{1,64})")
MOST_OFFERED = 100
_UNKNOWN = "unknown"


def token_key(token: TokenIdentity) -> str:
    """Return the token as URLs name it: `live_4f8a2c1bdedf`."""
    return f"{token.env}_{token.prefix}"


class TokenFilter(ChoiceFilter):
    """Filter by token."""

    title = "token"
    parameter_name = "token"

    def lookups(self, request: HttpRequest, model_admin: Any) -> Iterable[tuple[str, str]]:
        # Offer recently used tokens; others can be searched for, or linked to.
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
    """Filter by the owner of the token; only for members who see the whole workspace."""

    title = "member"
    parameter_name = "member"

    def lookups(self, request: HttpRequest, model_admin: Any) -> Iterable[tuple[str, str]]:
        if not self.viewer.member.sees_workspace:
            return []
        members = Member.objects.filter(workspace_id=self.viewer.member.workspace_id)
        named = members.filter(pk__in=TokenClaim.objects.order_by().values("member"))[:MOST_OFFERED]
        offered = {str(pk): name for pk, name in named.values_list("pk", "name")}
        asked = self.value() or ""
        if asked not in offered and asked.isdecimal():
            # Links lead here for every member.
            offered.update((str(pk), name) for pk, name in members.filter(pk=asked[:18]).values_list("pk", "name"))
        return list(offered.items())

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
    """Filter by assistant, by its reported name."""

    title = "assistant"
    parameter_name = "assistant"
    field = "client_name"

    def lookups(self, request: HttpRequest, model_admin: Any) -> Iterable[tuple[str, str]]:
        seen = visible_clients(self.viewer).exclude(name="").order_by("name")
        names = list(seen.values_list("name", flat=True).distinct()[:MOST_OFFERED])
        asked = self.value() or ""
        if asked and asked not in names and seen.filter(name=asked).exists():
            names.append(asked)
        return [(name, name) for name in names]


class TokenAssistantFilter(AssistantFilter):
    """Filter tokens by an assistant that used them."""

    field = "clients__name"

    def apply(self, queryset: QuerySet[Any], value: str) -> QuerySet[Any]:
        # By primary key: an assistant has a row for each version, which would repeat the token.
        return queryset.filter(pk__in=queryset.order_by().filter(clients__name=value).values("pk"))


class RoleFilter(ChoiceFilter):
    """Filter by role."""

    title = "role"
    parameter_name = "role"
    field = "role"

    def lookups(self, request: HttpRequest, model_admin: Any) -> Iterable[tuple[str, str]]:
        return [*((role.value, role.label) for role in Role), (_UNKNOWN, "unknown")]

    def apply(self, queryset: QuerySet[Any], value: str) -> QuerySet[Any]:
        return queryset.exclude(role__in=Role.values) if value == _UNKNOWN else super().apply(queryset, value)


class LastUsedFilter(ChoiceFilter):
    """Filter tokens by last use."""

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
    """Filter live or test tokens."""

    title = "environment"
    parameter_name = "env"
    field = "env"

    def lookups(self, request: HttpRequest, model_admin: Any) -> Iterable[tuple[str, str]]:
        return [("live", "live"), ("test", "test")]


class OwnerFilter(MemberFilter):
    """Filter tokens by owner, or those without a known owner."""

    title = "owner"
    parameter_name = "owner"

    def lookups(self, request: HttpRequest, model_admin: Any) -> Iterable[tuple[str, str]]:
        named = list(super().lookups(request, model_admin))
        return [*named, (_UNKNOWN, "unknown")] if self.viewer.member.sees_workspace else []

    def apply(self, queryset: QuerySet[Any], value: str) -> QuerySet[Any]:
        if value != _UNKNOWN:
            return super().apply(queryset, value)
        same = {"env": OuterRef("env"), "prefix": OuterRef("prefix"), "member__workspace__org_id": OuterRef("org_id")}
        return queryset.exclude(Exists(TokenClaim.objects.filter(**same)))


class BlockedFilter(ChoiceFilter):
    """Filter tokens by whether they are blocked in this console."""

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
        rows = model_admin.visible_to(self.viewer).order_by(f"-{model_admin.orders[''].field}", "-pk")
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
