"""Ends the tokens of a member who leaves, and says what is known of them and what is not."""

from collections import Counter
from collections.abc import Sequence
from dataclasses import dataclass

from django.db import transaction
from django.db.models import Exists, OuterRef, QuerySet

from hoursmith_console.connections.models import Connection
from hoursmith_console.rotations.models import Rotation, RotationKind
from hoursmith_console.rotations.services import start_rotation
from hoursmith_console.token_policy.evaluation import active
from hoursmith_console.tokens.labels import Key
from hoursmith_console.tokens.models import TokenClaim
from hoursmith_console.workspaces.models import Member
from mcpbridge.models import ObservedToken

MOST_NAMED = 20


@dataclass(frozen=True, slots=True)
class OffboardingSummary:
    """What the console knows of the tokens of a member who leaves.

    `left` may still work, as far as is known. `said` are rotations whose old token somebody said to have revoked at
    Hoursmith; it was not accepted since. `nearby` have no known owner and called on one of the member's connections;
    `unowned_count` is how many of the member's role have no known owner at all, those included.
    """

    left: Sequence[Key]
    said: Sequence[Rotation]
    nearby: Sequence[ObservedToken]
    unowned_count: int


def offboarding_summary(member: Member) -> OffboardingSummary:
    """Return what is known of the tokens of `member`, in a few queries."""
    unowned = active(unowned_tokens(member).filter(role=member.role))
    slugs = Connection.objects.filter(owner=member).order_by().values("slug")
    nearby = active(unowned_tokens(member).filter(clients__connection__in=slugs)).distinct()
    claimed = set(_claims(member))
    said = Rotation.objects.retiring().filter(workspace=member.workspace_id, is_revocation_reported=True)
    return OffboardingSummary(
        left=active_tokens_of(member),
        said=[rotation for rotation in said.select_related("revoked_by") if rotation.old_key in claimed],
        nearby=list(nearby.order_by("-last_used_at", "-pk")[:MOST_NAMED]),
        unowned_count=unowned.order_by().count(),
    )


def unowned_tokens(member: Member) -> QuerySet[ObservedToken]:
    """Return the tokens of the workspace of `member` that nobody is known to own."""
    claims = TokenClaim.objects.filter(
        env=OuterRef("env"), prefix=OuterRef("prefix"), member__workspace=member.workspace_id
    )
    return ObservedToken.objects.filter(org_id=member.workspace.org_id).exclude(Exists(claims))


def offboard_member(*, member: Member, actor: str, reason: str = "") -> list[Rotation]:
    """Start a rotation without successor for each token of `member` that may still work; all of them, or none.

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


def active_tokens_of(member: Member) -> list[Key]:
    """Return the tokens known as `member`'s that may still work: not revoked, or accepted since that was said."""
    gone = _retired(member.workspace_id)
    return [key for key in _claims(member) if key not in gone]


def active_token_counts(workspace_id: int) -> Counter[int]:
    """Return how many such tokens each member has, by their key; in two queries."""
    gone = _retired(workspace_id)
    claims = TokenClaim.objects.filter(member__workspace=workspace_id).order_by()
    return Counter(
        member for member, env, prefix in claims.values_list("member_id", "env", "prefix") if (env, prefix) not in gone
    )


def _claims(member: Member) -> list[Key]:
    claims = TokenClaim.objects.filter(member=member).order_by("claimed_at", "pk")
    return list(claims.values_list("env", "prefix"))


def _retired(workspace_id: int) -> set[Key]:
    rotations = Rotation.objects.retiring().filter(workspace=workspace_id)
    return set(rotations.order_by().values_list("env", "prefix"))
