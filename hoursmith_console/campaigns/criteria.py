"""Which tokens an admin asks about: what they have in common, and the words for it."""

from dataclasses import asdict, dataclass
from datetime import datetime, timedelta
from typing import Any

from django.db.models import Exists, OuterRef, QuerySet

from hoursmith_console.rotations.models import Rotation
from hoursmith_console.token_policy.evaluation import active
from hoursmith_console.token_policy.privilege_hints import over_privileged
from hoursmith_console.tokens.models import TokenClaim
from hoursmith_console.workspaces.models import Member, Workspace
from mcpbridge.models import ObservedToken


@dataclass(frozen=True, slots=True)
class Criteria:
    """A token fits when all that is given holds for it; where nothing is given, every token does."""

    older_than_days: int | None = None
    idle_days: int | None = None
    role: str = ""
    member: int | None = None
    assistant: str = ""
    is_over_privileged: bool = False
    # One token alone, by its public part as addresses name it.
    token: str = ""

    def as_json(self) -> dict[str, Any]:
        """What is given, as the campaign keeps it."""
        return {name: value for name, value in asdict(self).items() if value}

    @classmethod
    def of_json(cls, kept: dict[str, Any]) -> "Criteria":
        """The criteria that `as_json` gave."""
        return cls(**{name: value for name, value in kept.items() if name in cls.__slots__})

    def words(self, workspace: Workspace) -> list[str]:
        """What is given, each in words."""
        found = [f"older than {self.older_than_days} days"] if self.older_than_days else []
        if self.idle_days:
            found.append(f"unused for {self.idle_days} days")
        if self.role:
            found.append(f"role {self.role}")
        if self.member:
            owner = Member.objects.filter(workspace=workspace, pk=self.member).first()
            found.append(f"tokens of {owner.name if owner else 'somebody who is gone'}")
        if self.assistant:
            found.append(f"used by {self.assistant}")
        if self.is_over_privileged:
            found.append("more power than it uses")
        if self.token:
            found.append(f"token hsk_{self.token}_••••")
        return found or ["every token"]


def tokens_matching(workspace: Workspace, criteria: Criteria, *, now: datetime) -> QuerySet[ObservedToken]:
    """The active tokens of the workspace that fit, those first that are known for longest."""
    tokens = active(ObservedToken.objects.filter(org_id=workspace.org_id))
    if criteria.older_than_days:
        tokens = tokens.filter(first_used_at__lte=now - timedelta(days=criteria.older_than_days))
    if criteria.idle_days:
        tokens = tokens.filter(last_used_at__lte=now - timedelta(days=criteria.idle_days))
    if criteria.role:
        tokens = tokens.filter(role=criteria.role)
    if criteria.member:
        claims = TokenClaim.objects.filter(member=criteria.member, env=OuterRef("env"), prefix=OuterRef("prefix"))
        tokens = tokens.filter(Exists(claims))
    if criteria.assistant:
        tokens = tokens.filter(
            pk__in=ObservedToken.objects.filter(org_id=workspace.org_id, clients__name=criteria.assistant)
            .order_by()
            .values("pk")
        )
    if criteria.is_over_privileged:
        tokens = over_privileged(tokens, now=now)
    if criteria.token:
        env, _, prefix = criteria.token.partition("_")
        tokens = tokens.filter(env=env, prefix=prefix)
    return tokens.order_by("first_used_at", "pk")


def in_other_campaign(tokens: QuerySet[ObservedToken]) -> QuerySet[ObservedToken]:
    """Those of `tokens` that another campaign asks for already."""
    asked = Rotation.objects.filter(
        env=OuterRef("env"),
        prefix=OuterRef("prefix"),
        workspace__org_id=OuterRef("org_id"),
        ended_at=None,
        campaign__closed_at=None,
    ).exclude(campaign=None)
    return tokens.filter(Exists(asked))
