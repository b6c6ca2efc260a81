"""What a batch of rejected requests adds to what is kept, within a bound that no stranger can use up for others.

A request that carried the token itself has room of its own, kept for its token. All others share one room: they know
a prefix at most, and what they say beside it is made up as easily.
"""

from collections import defaultdict
from collections.abc import Iterator, Mapping, Sequence
from datetime import datetime, timedelta
from itertools import islice
from typing import NamedTuple, TypeVar

from django.db import connections
from django.db.models import Count, Q

from mcpbridge.activity.observed import known_tokens
from mcpbridge.core.sanitize import sanitize_text
from mcpbridge.core.token_digest import Digests
from mcpbridge.core.types import Caller
from mcpbridge.db.bulk import upsert
from mcpbridge.models import PREFIX_LENGTH, RejectedCredential, TokenRef

ROWS_AT_MOST = 2_000
ROWS_AT_MOST_A_TOKEN = 50
KEPT_FOR = timedelta(days=90)
# Of one batch; what is beyond that is counted, but not looked at one by one.
_STRANGERS_AT_MOST = 1_000
_OVERFLOW_ADDRESS = "other"
_CHUNK = 100
_LOCK = "mcpbridge rejected credentials"
_Each = TypeVar("_Each")


class Rejection(NamedTuple):
    """A credential that got no further than the entry; `digests` where a whole token was in it."""

    env: str
    prefix: str
    fault: str
    client_name: str
    connection: str
    address: str
    digests: Digests = ()

    @classmethod
    def of(cls, caller: Caller, fault: str) -> "Rejection":
        """What is kept of a request of `caller` that was rejected."""
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
    """The same, fit to be stored, once it is known whether it carried the token itself."""

    env: str
    prefix: str
    fault: str
    client_name: str
    connection: str
    address: str
    matches_token: bool = False

    @property
    def pool(self) -> TokenRef:
        """Whose room its row takes: that of its token, or the one that all strangers share."""
        return TokenRef(self.env, self.prefix) if self.matches_token else TokenRef("", "")

    @property
    def overflow_bucket(self) -> "Attempt":
        """The row that counts it where it has none of its own."""
        return Attempt(*self.pool, self.fault, "", "", _OVERFLOW_ADDRESS, self.matches_token)


def overflow_bucket(fault: str) -> Rejection:
    """Stands for a rejected request of which nothing was kept but its fault."""
    return Rejection("", "", fault, "", "", _OVERFLOW_ADDRESS)


def attempts_of(alias: str, rejections: Mapping[Rejection, int]) -> dict[Attempt, int]:
    """`rejections` as attempts: those with the digest that Hoursmith accepted for their prefix are the token's own."""
    keys = {TokenRef(each.env, each.prefix) for each in rejections if each.digests}
    tokens = known_tokens(alias, keys) if keys else {}
    counts: dict[Attempt, int] = defaultdict(int)
    for said, count in rejections.items():
        token = tokens.get(TokenRef(said.env, said.prefix))
        counts[_storable(said, matches_token=token is not None and token.is_it(said.digests))] += count
    return counts


def _storable(said: Rejection, *, matches_token: bool) -> Attempt:
    return Attempt(
        env=sanitize_text(said.env, 4),
        prefix=sanitize_text(said.prefix, PREFIX_LENGTH),
        fault=sanitize_text(said.fault, 40),
        client_name=sanitize_text(said.client_name, 120),
        connection=sanitize_text(said.connection, 40),
        address=sanitize_text(said.address, 45),
        matches_token=matches_token,
    )


def upsert_rejections(alias: str, attempts: Mapping[Attempt, int], *, at: datetime) -> None:
    """Add `attempts` to the rejected credentials; what finds no room is counted together, one row a fault."""
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
    """Those of `attempts` that have a row already or may get one in this transaction."""
    own = [each for each in attempts if each.matches_token]
    strangers = list(islice((each for each in attempts if not each.matches_token), _STRANGERS_AT_MOST))
    wanted = own + strangers
    present = set(_present(alias, wanted))
    new = [each for each in wanted if each not in present]
    if not new:
        return present
    _hold(alias)
    room = _room(alias, {each.pool for each in new})
    for each in new:
        if room[each.pool] > 0:
            room[each.pool] -= 1
            present.add(each)
    return present


def _present(alias: str, wanted: Sequence[Attempt]) -> Iterator[Attempt]:
    """Those of `wanted` that have a row, each found by the key."""
    for part in _chunks(wanted):
        named = Q()
        for each in part:
            named |= Q(**each._asdict())
        rows = RejectedCredential.objects.using(alias).filter(named).order_by()
        yield from (Attempt(*row) for row in rows.values_list(*Attempt._fields))


def _hold(alias: str) -> None:
    """Let no other writer make rows until this transaction ends: who counts first must also be first to add."""
    connection = connections[alias]
    if connection.vendor == "postgresql":
        with connection.cursor() as cursor:
            cursor.execute("SELECT pg_advisory_xact_lock(hashtextextended(%s, 0))", [_LOCK])
    # SQLite has one writer from the transaction's beginning on.


def _room(alias: str, pools: set[TokenRef]) -> dict[TokenRef, int]:
    """How many rows more each of `pools` may get; asks about these and no others, and not about their rows."""
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


def forget_old_rejections(alias: str, *, now: datetime) -> None:
    """Delete what has not been tried for ninety days."""
    RejectedCredential.objects.using(alias).filter(last_at__lt=now - KEPT_FOR).delete()
