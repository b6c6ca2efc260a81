"""Whether a grant can still be used: until it ends or expires, and only if the assistant collected it in time."""

from datetime import datetime

from django.db.models import Q

from mcpbridge.grants.config import CODE_LIFETIME
from mcpbridge.models import Grant


def in_force_at(now: datetime) -> Q:
    """Return the condition that a grant can be used at `now`, or is being collected."""
    is_collected = Q(redeemed_at__isnull=False) | Q(created_at__gt=now - CODE_LIFETIME)
    return Q(ended_at=None, expires_at__gt=now) & is_collected


def over_since(grant: Grant, now: datetime) -> datetime | None:
    """Return when the grant ended, expired or was left uncollected; None while it is in force."""
    if grant.ended_at is not None:
        return grant.ended_at
    until = grant.expires_at
    if grant.redeemed_at is None:
        until = min(until, grant.created_at + CODE_LIFETIME)
    return until if until <= now else None
