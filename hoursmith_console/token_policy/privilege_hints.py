"""Reads from what the bridge counts of each token's tools which tokens may more than they did lately.

A refused call counts like any other: it was meant. Only tokens that lack a power are refused for want of it, and
about what a token lacks nothing is said here.
"""

from collections import defaultdict
from collections.abc import Iterable
from datetime import datetime, timedelta

from django.db.models import Exists, IntegerField, OuterRef, Q, QuerySet, Subquery, Sum

from hoursmith_console.token_policy.evaluation import active
from hoursmith_console.token_policy.least_privilege import (
    LEAST_CALLS,
    LEAST_DAYS,
    MEMBERS_MAY,
    STAFF,
    WINDOW_DAYS,
    PrivilegeHint,
    privilege_hint,
)
from mcpbridge.models import ObservedToken, TokenTool
from mcpbridge.tools import READ_TOOLS


def privilege_hints(tokens: Iterable[ObservedToken], *, now: datetime) -> dict[int, PrivilegeHint]:
    """What is to be said about those of `tokens` that may more than they did, by their keys, in one query."""
    known = {token.pk: token for token in tokens}
    calls: defaultdict[int, dict[str, int]] = defaultdict(dict)
    rows = _used(now).filter(token__in=known).order_by().values_list("token_id", "tool", "calls")
    for token, tool, count in rows:
        calls[token][tool] = count
    hints = {
        pk: privilege_hint(
            role=token.role, scopes=token.scopes, first_used_at=token.first_used_at, calls=calls[pk], now=now
        )
        for pk, token in known.items()
    }
    return {pk: hint for pk, hint in hints.items() if hint is not None}


def over_privileged(tokens: QuerySet[ObservedToken], *, now: datetime) -> QuerySet[ObservedToken]:
    """Those of `tokens` that are alive and about which `privilege_hints` has something to say."""
    used = _used(now).filter(token=OuterRef("pk")).order_by()
    total = used.values("token").annotate(total=Sum("calls")).values("total")
    beyond_a_member = used.exclude(tool__in=list(MEMBERS_MAY))
    writing = used.exclude(tool__in=list(READ_TOOLS))
    # A token has at most two scopes; SQLite cannot ask a list for what it holds.
    may_write = Q(scopes__0="write") | Q(scopes__1="write")
    return (
        active(tokens)
        .filter(first_used_at__lte=now - timedelta(days=LEAST_DAYS))
        .alias(used_calls=Subquery(total, output_field=IntegerField()))
        .filter(used_calls__gte=LEAST_CALLS)
        .filter((Q(role__in=list(STAFF)) & ~Exists(beyond_a_member)) | (may_write & ~Exists(writing)))
    )


def _used(now: datetime) -> QuerySet[TokenTool]:
    """The tools that were called in the window. How often is counted from the first call on."""
    return TokenTool.objects.filter(last_at__gte=now - timedelta(days=WINDOW_DAYS))
