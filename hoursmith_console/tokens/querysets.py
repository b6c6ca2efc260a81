"""Which of the bridge's rows a viewer sees: every page, list, count and export starts from these querysets.

Owner, Admin and Auditor see the rows of their workspace; Manager and Member those of their own tokens.
"""

from collections import defaultdict
from collections.abc import Iterable
from typing import TypeVar

from django.db.models import Exists, Model, OuterRef, Q, QuerySet

from hoursmith_console.tokens.models import TokenClaim
from hoursmith_console.workspaces.viewer import Viewer
from mcpbridge.models import ActivityLoss, ObservedClient, ObservedToken, RejectedCredential

Row = TypeVar("Row", bound=Model)


def visible_rows(viewer: Viewer, rows: QuerySet[Row]) -> QuerySet[Row]:
    """Return those of `rows` that `viewer` sees; the model has `org_id`, `env` and `prefix`."""
    scoped = rows.filter(org_id=viewer.org_id)
    return scoped if viewer.member.sees_workspace else scoped.filter(of_own_tokens(viewer))


def visible_tokens(viewer: Viewer) -> QuerySet[ObservedToken]:
    """Return the tokens that `viewer` sees."""
    return visible_rows(viewer, ObservedToken.objects.all())


def visible_clients(viewer: Viewer) -> QuerySet[ObservedClient]:
    """Return the assistants that used a token that `viewer` sees."""
    return ObservedClient.objects.filter(token__in=visible_tokens(viewer).order_by())


def visible_rejections(viewer: Viewer) -> QuerySet[RejectedCredential]:
    """Return rejected requests that carried the whole token, for the tokens that `viewer` sees.

    Requests that only named a prefix are left out: a stranger can send them, so they say nothing about a token.
    """
    return rejections_of(visible_tokens(viewer))


def rejections_of(tokens: QuerySet[ObservedToken]) -> QuerySet[RejectedCredential]:
    """Return rejected requests that carried one of `tokens` itself."""
    known = tokens.order_by().filter(env=OuterRef("env"), prefix=OuterRef("prefix"))
    return RejectedCredential.objects.filter(Exists(known), matches_token=True)


def visible_losses(viewer: Viewer) -> QuerySet[ActivityLoss]:
    """Return the calls that were not recorded. They carry no token, so Manager and Member see none."""
    rows = ActivityLoss.objects.filter(org_id=viewer.org_id)
    return rows if viewer.member.sees_workspace else rows.none()


def own_branches(viewer: Viewer) -> list[Q] | None:
    """Return what `visible_rows` adds to the workspace, one condition per token; None where it adds nothing."""
    if viewer.member.sees_workspace:
        return None
    return [Q(env=env, prefix=prefix) for env, prefix in _own_keys(viewer)]


def of_own_tokens(viewer: Viewer) -> Q:
    """Return the condition that a row is of one of the viewer's own tokens."""
    return rows_of_tokens(_own_keys(viewer))


def rows_of_tokens(keys: Iterable[tuple[str, str]]) -> Q:
    """Return the condition that a row is of one of the tokens with these environments and prefixes."""
    prefixes = defaultdict(list)
    for env, prefix in keys:
        prefixes[env].append(prefix)
    # An empty `in` matches nothing, which is right for a member without tokens.
    rows = Q(prefix__in=[])
    for env, known in prefixes.items():
        rows |= Q(env=env, prefix__in=known)
    return rows


def _own_keys(viewer: Viewer) -> list[tuple[str, str]]:
    if "own_tokens" not in viewer.cache:
        claims = TokenClaim.objects.filter(member=viewer.member).order_by()
        viewer.cache["own_tokens"] = list(claims.values_list("env", "prefix"))
    own: list[tuple[str, str]] = viewer.cache["own_tokens"]
    return own
