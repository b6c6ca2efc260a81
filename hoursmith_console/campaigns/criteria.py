"""Criteria that select the tokens of a campaign, and their description."""

from dataclasses import asdict, dataclass
from datetime import datetime, timedelta
from typing import Any

from django.db.models import Exists, OuterRef, Q, QuerySet

from hoursmith_console.connections.grants.labels import in_force
from hoursmith_console.token_policy.evaluation import active
from hoursmith_console.token_policy.privilege_hints import over_privileged
from hoursmith_console.tokens.models import TokenClaim
from hoursmith_console.workspaces.models import Member, Workspace
from mcpbridge.models import Grant, ObservedToken


@dataclass(frozen=True, slots=True)
class Criteria:
    """All given criteria must match; without any, every token matches."""

    older_than_days: int | None = None
    idle_days: int | None = None
    role: str = ""
    member: int | None = None
    assistant: str = ""
    is_over_privileged: bool = False
    # A single token, by its prefix as URLs name it.
    token: str = ""
    # How many tokens were selected in the list; they are named by the campaign's rotations alone.
    selected: int = 0

    def to_json(self) -> dict[str, Any]:
        """Return the given criteria as the campaign stores them."""
        return {name: value for name, value in asdict(self).items() if value}

    @classmethod
    def from_json(cls, kept: dict[str, Any]) -> "Criteria":
        """Parse what `to_json` returned."""
        return cls(**{name: value for name, value in kept.items() if name in cls.__slots__})

    def describe(self, workspace: Workspace) -> list[str]:
        """Return the given criteria as text."""
        found = [f"older than {self.older_than_days} days"] if self.older_than_days else []
        if self.idle_days:
            found.append(f"unused for {self.idle_days} days")
        if self.role:
            found.append(f"role {self.role}")
        if self.member:
            owner = Member.objects.filter(workspace=workspace, pk=self.member).first()
            found.append(f"tokens of {owner.name if owner else 'a former member'}")
        if self.assistant:
            found.append(f"used by {self.assistant}")
        if self.is_over_privileged:
            found.append("over-privileged")
        if self.token:
            found.append(f"token hsk_{self.token}_••••")
        if self.selected:
            found.append(f"{self.selected} selected token{'' if self.selected == 1 else 's'}")
        return found or ["all tokens"]


def tokens_matching(workspace: Workspace, criteria: Criteria, *, now: datetime) -> QuerySet[ObservedToken]:
    """Return the matching active tokens of the workspace, oldest first."""
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
        callers = ObservedToken.objects.filter(org_id=workspace.org_id, clients__name=criteria.assistant)
        # An assistant that was authorized holds the token, whatever name it calls under.
        grants = Grant.objects.filter(in_force(), org_id=workspace.org_id, client_name=criteria.assistant)
        held = grants.order_by().filter(env=OuterRef("env"), prefix=OuterRef("prefix"))
        tokens = tokens.filter(Q(pk__in=callers.order_by().values("pk")) | Exists(held))
    if criteria.is_over_privileged:
        tokens = over_privileged(tokens, now=now)
    if criteria.token:
        env, _, prefix = criteria.token.partition("_")
        tokens = tokens.filter(env=env, prefix=prefix)
    return tokens.order_by("first_used_at", "pk")
