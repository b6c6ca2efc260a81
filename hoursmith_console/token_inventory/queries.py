"""Queries of the token list: its sortable columns, its search, and the counts beside its filters."""

from collections.abc import Mapping
from datetime import timedelta

from django.db.models import Count, Exists, OuterRef, Q, QuerySet, Subquery, Value
from django.db.models.functions import Coalesce, Lower
from django.utils import timezone

from hoursmith_console.core.lists.pagination import Order
from hoursmith_console.token_policy.evaluation import PolicyStatus, in_status
from hoursmith_console.token_policy.services import get_policy
from hoursmith_console.tokens.models import TokenClaim
from hoursmith_console.tokens.numbers import CALLS
from hoursmith_console.tokens.querysets import visible_tokens
from hoursmith_console.workspaces.models import Role
from hoursmith_console.workspaces.viewer import Viewer
from mcpbridge.models import ObservedToken, TokenBlock

IDLE_DAYS = 30
ORDERS: Mapping[str, Order] = {
    "": Order("last_used_at", label="last used first"),
    "unused": Order("last_used_at", is_descending=False, label="longest unused first"),
    "name": Order("name_key", is_descending=False, is_instant=False, is_text=True, label="name, A to Z"),
    "name-desc": Order("name_key", is_instant=False, is_text=True, label="name, Z to A"),
    "owner": Order("owner_key", is_descending=False, is_instant=False, is_text=True, label="owner, A to Z"),
    "owner-desc": Order("owner_key", is_instant=False, is_text=True, label="owner, Z to A"),
    "role": Order("role", is_descending=False, is_instant=False, is_text=True, label="role, A to Z"),
    "role-desc": Order("role", is_instant=False, is_text=True, label="role, Z to A"),
    "oldest": Order("first_used_at", is_descending=False, label="oldest first"),
    "newest": Order("first_used_at", label="newest first"),
    "calls": Order("calls_made", is_instant=False, label="most calls first"),
    "fewest": Order("calls_made", is_descending=False, is_instant=False, label="fewest calls first"),
    "destructive": Order("calls_destructive", is_instant=False, label="most destructive first"),
    "harmless": Order("calls_destructive", is_descending=False, is_instant=False, label="fewest destructive first"),
}
SORT_COLUMNS: Mapping[str, tuple[str, str]] = {
    "name": ("name", "name-desc"),
    "owner": ("owner", "owner-desc"),
    "role": ("role", "role-desc"),
    "used": ("", "unused"),
    "age": ("oldest", "newest"),
    "calls": ("calls", "fewest"),
    "destructive": ("destructive", "harmless"),
}


def sortable_tokens(viewer: Viewer) -> QuerySet[ObservedToken]:
    """Return the tokens that `viewer` sees, with what they can be ordered by."""
    owners = TokenClaim.objects.filter(
        env=OuterRef("env"), prefix=OuterRef("prefix"), member__workspace__org_id=OuterRef("org_id")
    )
    rows: QuerySet[ObservedToken] = visible_tokens(viewer).annotate(
        calls_made=CALLS.column,
        name_key=Lower("token_name"),
        owner_key=Lower(Coalesce(Subquery(owners.order_by().values("member__name")[:1]), Value(""))),
    )
    return rows


def search_tokens(viewer: Viewer, tokens: QuerySet[ObservedToken], text: str) -> QuerySet[ObservedToken]:
    """Filter: every word of `text` is in the prefix, the name, the owner or an assistant of the token."""
    for word in text.split():
        claims = TokenClaim.objects.filter(
            env=OuterRef("env"), prefix=OuterRef("prefix"), member__workspace_id=viewer.member.workspace_id
        )
        named = claims.filter(Q(member__name__icontains=word) | Q(member__email__icontains=word))
        clients = ObservedToken.objects.filter(org_id=viewer.org_id, clients__name__icontains=word)
        tokens = tokens.filter(
            Q(prefix__icontains=word)
            | Q(token_name__icontains=word)
            | Q(Exists(named))
            | Q(pk__in=clients.order_by().values("pk"))
        )
    return tokens


def choice_counts(viewer: Viewer) -> Mapping[str, Mapping[str, int]]:
    """Return the number of visible tokens by filter and value, in one query over the tokens alone."""
    now = timezone.now()
    same = {"env": OuterRef("env"), "prefix": OuterRef("prefix"), "org_id": OuterRef("org_id")}
    tokens = visible_tokens(viewer).order_by()
    policy = get_policy(viewer.member.workspace)
    due = in_status(tokens, PolicyStatus.DUE, policy, now=now)
    wanted = {
        **{("role", role.value): Q(role=role.value) for role in Role},
        **{("env", env): Q(env=env) for env in ("live", "test")},
        ("used", "day"): Q(last_used_at__gte=now - timedelta(days=1)),
        ("used", "week"): Q(last_used_at__gte=now - timedelta(days=7)),
        ("used", "month"): Q(last_used_at__gte=now - timedelta(days=IDLE_DAYS)),
        ("used", "idle"): Q(last_used_at__lt=now - timedelta(days=IDLE_DAYS)),
        ("blocked", "yes"): Q(Exists(TokenBlock.objects.filter(**same, lifted_at=None))),
        ("policy", "due"): Q(pk__in=due.values("pk")),
    }
    counted = tokens.aggregate(
        **{f"{name}_{value}": Count("pk", filter=which) for (name, value), which in wanted.items()}
    )
    found: dict[str, dict[str, int]] = {}
    for name, value in wanted:
        found.setdefault(name, {})[value] = counted[f"{name}_{value}"]
    return found
