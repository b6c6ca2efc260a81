"""Timeline of a token: first and last use, first deletion, new networks and assistants, blocks, rotations."""

from dataclasses import dataclass
from datetime import datetime

from django.db.models import F, Min

from hoursmith_console.rotations.models import Rotation, RotationOutcome
from mcpbridge.models import CallKind, ObservedToken, TokenBlock
from mcpbridge.tools import TOOLS

_MAX_PER_KIND = 5
_DESTRUCTIVE = [tool.name for tool in TOOLS.values() if tool.kind is CallKind.DESTRUCTIVE]


@dataclass(frozen=True, slots=True)
class Milestone:
    """One event of a token. `tone` styles its mark."""

    at: datetime
    what: str
    detail: str = ""
    tone: str = ""


def timeline(token: ObservedToken) -> list[Milestone]:
    """Return the events of `token`, newest first, with the first few of each kind."""
    found = [Milestone(token.first_used_at, "First used"), Milestone(token.last_used_at, "Last used", token.last_tool)]
    same = {"env": token.env, "prefix": token.prefix, "org_id": token.org_id}
    # The first assistant and network belong to the first use.
    clients = token.clients.order_by("first_seen_at", "pk")[1 : 1 + _MAX_PER_KIND]
    networks = token.networks.order_by("first_at", "pk")[1 : 1 + _MAX_PER_KIND]
    found += [Milestone(each.first_seen_at, "New assistant", str(each) or "unnamed") for each in clients]
    found += [Milestone(each.first_at, "New network", each.network) for each in networks]
    destroyed = token.tools.filter(tool__in=_DESTRUCTIVE, calls__gt=F("refused")).aggregate(first=Min("first_at"))[
        "first"
    ]
    if destroyed:
        found.append(Milestone(destroyed, "First deletion", tone="failed"))
    for block in TokenBlock.objects.filter(**same)[:_MAX_PER_KIND]:
        found.append(Milestone(block.blocked_at, "Blocked", f"by {block.blocked_by}", tone="refused"))
        if block.lifted_at:
            found.append(Milestone(block.lifted_at, "Unblocked", f"by {block.lifted_by}", tone="succeeded"))
    ours = Rotation.objects.filter(env=token.env, prefix=token.prefix, workspace__org_id=token.org_id)
    for rotation in ours.select_related("revoked_by")[:_MAX_PER_KIND]:
        found += _of_rotation(rotation)
    return sorted(found, key=lambda milestone: milestone.at, reverse=True)


def _of_rotation(rotation: Rotation) -> list[Milestone]:
    what = "Revocation requested" if rotation.ends_without_new_token else "Rotation requested"
    found = [Milestone(rotation.requested_at, what, f"by {rotation.requester}")]
    if rotation.revoked_at:
        new_token = f"new token hsk_{rotation.new_env}_{rotation.new_prefix}" if rotation.new_prefix else ""
        what = "Revoked"
        if rotation.is_revocation_reported:
            what = f"Reported as revoked by {rotation.revoked_by.name if rotation.revoked_by else 'a member'}"
        found.append(Milestone(rotation.revoked_at, what, new_token, tone="refused"))
    if rotation.outcome == RotationOutcome.CANCELLED and rotation.ended_at:
        found.append(Milestone(rotation.ended_at, "Rotation cancelled", tone="failed"))
    return found
