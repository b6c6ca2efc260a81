"""Count rejected requests in RejectedCredential, with limits that unknown clients cannot exhaust for others.

Requests that carried the whole token have a limit per token. All others share one limit, because they may know only a
prefix and can invent everything else.
"""

from collections import defaultdict
from collections.abc import Iterator, Mapping, Sequence
from datetime import datetime, timedelta
from itertools import islice
from typing import NamedTuple, TypeVar

from django.db.models import Count, Q

from mcpbridge.activity.observed import known_tokens
from mcpbridge.core.sanitize import sanitize_text
from mcpbridge.core.token_digest import Digests
from mcpbridge.core.types import Caller
from mcpbridge.db.bulk import upsert
from mcpbridge.db.locks import acquire_locks
from mcpbridge.models import PREFIX_LENGTH, RejectedCredential, TokenRef

ROWS_AT_MOST = 2_000
ROWS_AT_MOST_A_TOKEN = 50
KEPT_FOR = timedelta(days=90)
# Of one batch; further ones go into the overflow bucket.
_UNKNOWN_AT_MOST = 1_000
_OVERFLOW_ADDRESS = "other"
_CHUNK = 100
_LOCK = "mcpbridge rejected credentials"
_Each = TypeVar("_Each")


class Rejection(NamedTuple):
    """A rejected credential; `digests` if it contained a whole token."""

    env: str
    prefix: str
    fault: str
    client_name: str
    connection: str
    address: str
    digests: Digests = ()

    @classmethod
    def of(cls, caller: Caller, fault: str) -> "Rejection":
        """Build the rejection of a request of `caller`."""
        return cls(
            env=caller.env,
            prefix=caller.prefix,
            fault=str(fault),
            client_name=caller.client_name,
            connection=caller.connection,
            address=caller.address,
            digests=caller.digests,
        )


class Attempt(NamedTuple):
    """A rejection ready to be stored, with whether it carried the token itself."""

    env: str
    prefix: str
    fault: str
    client_name: str
    connection: str
    address: str
    matches_token: bool = False

    @property
    def pool(self) -> TokenRef:
        """Return the token whose limit applies, or an empty one for the shared limit."""
        return TokenRef(self.env, self.prefix) if self.matches_token else TokenRef("", "")

    @property
    def overflow_bucket(self) -> "Attempt":
        """Return the row that counts attempts over the limit."""
        return Attempt(*self.pool, self.fault, "", "", _OVERFLOW_ADDRESS, self.matches_token)


def overflow_bucket(fault: str) -> Rejection:
    """Build the rejection that counts requests of which only the error is kept."""
    return Rejection("", "", fault, "", "", _OVERFLOW_ADDRESS)


def attempts_of(alias: str, rejections: Mapping[Rejection, int]) -> dict[Attempt, int]:
    """Count `rejections` as attempts; those with the digest of the accepted token match the token."""
    keys = {TokenRef(each.env, each.prefix) for each in rejections if each.digests}
    tokens = known_tokens(alias, keys) if keys else {}
    counts: dict[Attempt, int] = defaultdict(int)
    for rejection, count in rejections.items():
        token = tokens.get(TokenRef(rejection.env, rejection.prefix))
        counts[_sanitized(rejection, matches_token=token is not None and token.matches(rejection.digests))] += count
    return counts


def _sanitized(rejection: Rejection, *, matches_token: bool) -> Attempt:
    return Attempt(
        env=sanitize_text(rejection.env, 4),
        prefix=sanitize_text(rejection.prefix, PREFIX_LENGTH),
        fault=sanitize_text(rejection.fault, 40),
        client_name=sanitize_text(rejection.client_name, 120),
        connection=sanitize_text(rejection.connection, 40),
        address=sanitize_text(rejection.address, 45),
        matches_token=matches_token,
    )


def upsert_rejections(alias: str, attempts: Mapping[Attempt, int], *, at: datetime) -> None:
    """Add `attempts` to the rejected credentials; those over a limit are counted in one row per error."""
    allowed = _with_a_row(alias, attempts)
    rows: dict[Attempt, int] = defaultdict(int)
    for attempt, count in attempts.items():
        rows[attempt if attempt in allowed else attempt.overflow_bucket] += count
    upsert(
        alias,
        RejectedCredential,
        [{**key._asdict(), "first_at": at, "last_at": at, "attempts": rows[key]} for key in sorted(rows)],
        key=Attempt._fields,
        added=("attempts",),
        latest=("last_at",),
        by="last_at",
    )


def _with_a_row(alias: str, attempts: Mapping[Attempt, int]) -> set[Attempt]:
    """Return those of `attempts` that have a row or may get one in this transaction."""
    own = [each for each in attempts if each.matches_token]
    unknown = list(islice((each for each in attempts if not each.matches_token), _UNKNOWN_AT_MOST))
    wanted = own + unknown
    present = set(_present(alias, wanted))
    new = [each for each in wanted if each not in present]
    if not new:
        return present
    # Locked before counting, so that concurrent writers stay within the limits.
    acquire_locks(alias, _LOCK)
    room = _remaining_rows(alias, {each.pool for each in new})
    for each in new:
        if room[each.pool] > 0:
            room[each.pool] -= 1
            present.add(each)
    return present


def _present(alias: str, wanted: Sequence[Attempt]) -> Iterator[Attempt]:
    """Yield those of `wanted` that have a row, found by the unique key."""
    for part in _chunks(wanted):
        named = Q()
        for each in part:
            named |= Q(**each._asdict())
        rows = RejectedCredential.objects.using(alias).filter(named).order_by()
        yield from (Attempt(*row) for row in rows.values_list(*Attempt._fields))


def _remaining_rows(alias: str, pools: set[TokenRef]) -> dict[TokenRef, int]:
    """Return how many more rows each of `pools` may get."""
    rows = RejectedCredential.objects.using(alias).order_by()
    room = dict.fromkeys(pools, ROWS_AT_MOST_A_TOKEN)
    shared = TokenRef("", "")
    if shared in pools:
        room[shared] = ROWS_AT_MOST - rows.filter(matches_token=False).exclude(address=_OVERFLOW_ADDRESS).count()
    prefixes = sorted({prefix for _, prefix in pools if prefix})
    for part in _chunks(prefixes):
        counts = rows.filter(prefix__in=part, matches_token=True).exclude(address=_OVERFLOW_ADDRESS)
        for env, prefix, count in counts.values_list("env", "prefix").annotate(count=Count("pk")):
            if (token := TokenRef(env, prefix)) in room:
                room[token] -= count
    return room


def _chunks(all_of_them: Sequence[_Each]) -> Iterator[Sequence[_Each]]:
    return (all_of_them[start : start + _CHUNK] for start in range(0, len(all_of_them), _CHUNK))


def delete_old_rejections(alias: str, *, now: datetime) -> None:
    """Delete credentials without an attempt for ninety days."""
    RejectedCredential.objects.using(alias).filter(last_at__lt=now - KEPT_FOR).delete()
