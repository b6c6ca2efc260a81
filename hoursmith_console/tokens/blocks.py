"""Which tokens are blocked in this console, by whom and why, for every place that names a token."""

from collections.abc import Iterable, Mapping
from dataclasses import dataclass
from datetime import datetime

from django.db.models import Exists, OuterRef, QuerySet

from hoursmith_console.tokens.models import TokenClaim
from hoursmith_console.workspaces.models import Member
from mcpbridge.models import TokenBlock, TokenRef


@dataclass(frozen=True, slots=True)
class BlockLabel:
    """A block in force. `blocked_by` is a display identity; `blocker` only its name."""

    blocked_by: str
    reason: str
    blocked_at: datetime

    @property
    def blocker(self) -> str:
        """Name of who blocked the token, without the address."""
        return self.blocked_by.partition(" <")[0]

    @property
    def sentence(self) -> str:
        """Who blocked the token, and why."""
        return f"Blocked by {self.blocker}{f': {self.reason}' if self.reason else ''}"


def blocks_of(org_id: str, refs: Iterable[TokenRef]) -> Mapping[TokenRef, BlockLabel]:
    """Return the blocks in force of those of `refs` that the workspace has blocked, in one query."""
    wanted = set(refs)
    blocks = _labels(_in_force(org_id).filter(prefix__in=[ref.prefix for ref in wanted]))
    return {ref: block for ref, block in blocks.items() if ref in wanted}


def own_blocked_tokens(member: Member) -> Mapping[TokenRef, BlockLabel]:
    """Return the blocks in force of the tokens that `member` has claimed, in one query."""
    claims = TokenClaim.objects.filter(member=member, env=OuterRef("env"), prefix=OuterRef("prefix"))
    return _labels(_in_force(member.workspace.org_id).filter(Exists(claims)))


def _in_force(org_id: str) -> QuerySet[TokenBlock]:
    return TokenBlock.objects.filter(org_id=org_id, lifted_at=None).order_by()


def _labels(rows: QuerySet[TokenBlock]) -> dict[TokenRef, BlockLabel]:
    found = rows.values_list("env", "prefix", "blocked_by", "reason", "blocked_at")
    return {TokenRef(env, prefix): BlockLabel(by, reason, at) for env, prefix, by, reason, at in found}
