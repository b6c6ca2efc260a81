"""Find over-privileged tokens from the usage counters of their tools.

Rejected calls count like any other, because they were intended.
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
    """Return least-privilege hints for over-privileged tokens, by primary key, in one query."""
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
    """Filter: active tokens that `privilege_hints` has a hint for."""
    used = _used(now).filter(token=OuterRef("pk")).order_by()
    total = used.values("token").annotate(total=Sum("calls")).values("total")
    beyond_a_member = used.exclude(tool__in=list(MEMBERS_MAY))
    writing = used.exclude(tool__in=list(READ_TOOLS))
    # A token has at most two scopes, and SQLite has no "contains" lookup on JSON lists.
    may_write = Q(scopes__0="write") | Q(scopes__1="write")
    return (
        active(tokens)
        .filter(first_used_at__lte=now - timedelta(days=LEAST_DAYS))
        .alias(used_calls=Subquery(total, output_field=IntegerField()))
        .filter(used_calls__gte=LEAST_CALLS)
        .filter((Q(role__in=list(STAFF)) & ~Exists(beyond_a_member)) | (may_write & ~Exists(writing)))
    )


def _used(now: datetime) -> QuerySet[TokenTool]:
    """Return the tools called in the window, with their counts since first use."""
    return TokenTool.objects.filter(last_at__gte=now - timedelta(days=WINDOW_DAYS))
