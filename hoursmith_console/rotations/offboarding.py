"""Revoke the tokens of a member who leaves, and list tokens that may be theirs."""

from collections import Counter
from collections.abc import Sequence
from dataclasses import dataclass

from django.db import transaction
from django.db.models import Exists, OuterRef, QuerySet

from hoursmith_console.connections.models import Connection
from hoursmith_console.rotations.models import Rotation, RotationKind
from hoursmith_console.rotations.services import start_rotation
from hoursmith_console.token_policy.evaluation import active
from hoursmith_console.tokens.lifecycle import is_revoked
from hoursmith_console.tokens.models import TokenClaim
from hoursmith_console.workspaces.models import Member
from mcpbridge.models import ObservedToken, TokenRef

MOST_NAMED = 20


@dataclass(frozen=True, slots=True)
class OffboardingSummary:
    """What the console knows about the tokens of a member who leaves.

    `active`: tokens that may still work. `reported`: rotations whose old token a member reported as revoked and that
    Hoursmith has not accepted since. `possible`: tokens without a known owner, used on one of the member's
    connections. `unowned_count`: all tokens of the member's role without a known owner that are not revoked.
    """

    active: Sequence[TokenRef]
    reported: Sequence[Rotation]
    possible: Sequence[ObservedToken]
    unowned_count: int


def offboarding_summary(member: Member) -> OffboardingSummary:
    """Return what is known about the tokens of `member`, in a constant number of queries."""
    unowned = unowned_tokens(member).filter(role=member.role).exclude(is_revoked())
    slugs = Connection.objects.filter(owner=member).order_by().values("slug")
    possible = active(unowned_tokens(member).filter(clients__connection__in=slugs)).distinct()
    claimed = set(_claims(member))
    reported = Rotation.objects.revoked().filter(workspace=member.workspace_id, is_revocation_reported=True)
    return OffboardingSummary(
        active=active_tokens_of(member),
        reported=[rotation for rotation in reported.select_related("revoked_by") if rotation.old_ref in claimed],
        possible=list(possible.order_by("-last_used_at", "-pk")[:MOST_NAMED]),
        unowned_count=unowned.order_by().count(),
    )


def unowned_tokens(member: Member) -> QuerySet[ObservedToken]:
    """Return the tokens of the member's workspace without a known owner."""
    claims = TokenClaim.objects.filter(
        env=OuterRef("env"), prefix=OuterRef("prefix"), member__workspace=member.workspace_id
    )
    return ObservedToken.objects.filter(org_id=member.workspace.org_id).exclude(Exists(claims))


def offboard_member(*, member: Member, actor: str, reason: str = "") -> list[Rotation]:
    """Start an offboarding rotation for each active token of `member`: for all of them, or none.

    Raises AuditUnavailableError; then nothing was started.
    """
    with transaction.atomic():
        return [
            start_rotation(
                env=env,
                prefix=prefix,
                workspace=member.workspace,
                kind=RotationKind.OFFBOARDING,
                owner=member,
                actor=actor,
                reason=reason,
            )
            for env, prefix in active_tokens_of(member)
        ]


def active_tokens_of(member: Member) -> list[TokenRef]:
    """Return the tokens of `member` that may still work: not revoked, or accepted since the reported revocation."""
    revoked = _revoked(member.workspace_id)
    return [key for key in _claims(member) if key not in revoked]


def active_token_counts(workspace_id: int) -> Counter[int]:
    """Return the number of active tokens of each member of the workspace, by primary key, in two queries."""
    revoked = _revoked(workspace_id)
    claims = TokenClaim.objects.filter(member__workspace=workspace_id).order_by()
    return Counter(
        member
        for member, env, prefix in claims.values_list("member_id", "env", "prefix")
        if (env, prefix) not in revoked
    )


def _claims(member: Member) -> list[TokenRef]:
    claims = TokenClaim.objects.filter(member=member).order_by("claimed_at", "pk")
    return [TokenRef(env, prefix) for env, prefix in claims.values_list("env", "prefix")]


def _revoked(workspace_id: int) -> set[TokenRef]:
    rotations = Rotation.objects.revoked().filter(workspace=workspace_id)
    return {TokenRef(env, prefix) for env, prefix in rotations.order_by().values_list("env", "prefix")}
