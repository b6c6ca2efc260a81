"""Members with their console access, two-factor methods and counts, in a fixed number of queries."""

from collections import Counter, defaultdict
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass, field

from allauth.mfa.models import Authenticator
from django.contrib.auth.models import User
from django.db.models import Count, Exists, OuterRef, Q, QuerySet
from django.urls import reverse

from hoursmith_console.rotations.models import Rotation
from hoursmith_console.tokens.models import TokenClaim
from hoursmith_console.workspaces.models import Invitation, Member
from hoursmith_console.workspaces.viewer import Viewer
from mcpbridge.models import ObservedToken

FACTORS = {"webauthn": "passkey", "totp": "app"}


@dataclass(frozen=True, slots=True)
class Person:
    """A member with the data of its table row: tokens in use, and rotations that need action."""

    member: Member
    factors: Sequence[str] = field(default_factory=list)
    tokens: int = 0
    rotations: int = 0
    is_invited: bool = False

    @property
    def tokens_address(self) -> str:
        """Return the address of the list of their tokens."""
        return reverse("console:tokens:list", query={"owner": self.member.pk})

    @property
    def rotations_address(self) -> str:
        """Return the address of the list of their rotations that need action."""
        return reverse("console:rotations:list", query={"owner": self.member.pk, "state": "under_way"})

    @property
    def account(self) -> str:
        """Return the access status: none, invited, active, revoked or left."""
        user = self.member.user
        if not self.member.is_active:
            return "left"
        if self.member.access_revoked_at is not None:
            return "revoked"
        if not isinstance(user, User):
            return "invited" if self.is_invited else "none"
        return "active"

    @property
    def account_text(self) -> str:
        """Return the access status as text."""
        return self.member.lost_access or {"none": "no account"}.get(self.account, self.account)


def visible_members(viewer: Viewer) -> QuerySet[Member]:
    """Return the members that `viewer` may see: all of the workspace, or only themselves."""
    members = Member.objects.filter(workspace_id=viewer.member.workspace_id).select_related("user", "workspace")
    if not viewer.member.sees_workspace:
        members = members.filter(pk=viewer.member.pk)
    return members.order_by("-is_active", "name", "pk")


def search_members(members: QuerySet[Member], query: str) -> QuerySet[Member]:
    """Return those of `members` whose name or address contains `query`."""
    return members.filter(Q(name__icontains=query) | Q(email__icontains=query)) if query else members


def list_people(members: Iterable[Member]) -> list[Person]:
    """Return `members` with their two-factor methods, counts and invitation status."""
    found = list(members)
    factors = _factors(found)
    used = ObservedToken.objects.filter(
        env=OuterRef("env"), prefix=OuterRef("prefix"), org_id=OuterRef("member__workspace__org_id")
    )
    tokens = _counts(TokenClaim.objects.filter(Exists(used), member__in=found), "member_id")
    rotations = _counts(Rotation.objects.needing_action().filter(owner__in=found), "owner_id")
    invited = _invited(found)
    return [
        Person(each, factors[each.user_id or 0], tokens[each.pk], rotations[each.pk], each.pk in invited)
        for each in found
    ]


def _invited(members: Iterable[Member]) -> set[int]:
    """Return the ids of members without an account who have an open invitation."""
    without = [each.pk for each in members if each.user_id is None and each.invited_at is not None]
    open_ones = Invitation.objects.open().filter(member_id__in=without) if without else Invitation.objects.none()
    return set(open_ones.order_by().values_list("member_id", flat=True))


def _factors(members: Iterable[Member]) -> Mapping[int, list[str]]:
    users = [each.user_id for each in members if each.user_id]
    rows = Authenticator.objects.filter(user_id__in=users, type__in=FACTORS).order_by("-type")
    named: defaultdict[int, list[str]] = defaultdict(list)
    for user_id, kind in rows.values_list("user_id", "type").distinct():
        named[user_id].append(FACTORS[kind])
    return named


def _counts(rows: "QuerySet[TokenClaim] | QuerySet[Rotation]", column: str) -> Counter[int]:
    return Counter(dict(rows.order_by().values_list(column).annotate(Count("pk"))))
