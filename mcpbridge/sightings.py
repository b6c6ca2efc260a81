"""What a batch of calls says about tokens, assistants and rejected credentials, added to what is known.

A batch is summed up in memory first, so that it costs a handful of statements whatever its size. Rows are
touched in one order everywhere: two workers that meet in the same rows wait for each other, not both.
"""

from collections import defaultdict
from collections.abc import Iterable, Mapping, Sequence
from datetime import datetime, timedelta
from typing import Any, NamedTuple

from mcpbridge.facts import Call, Ending
from mcpbridge.models import PREFIX_LENGTH, TOOL_KINDS, RejectedCredential, Result, SeenClient, SeenToken
from mcpbridge.recording import storable
from mcpbridge.statements import upsert

REJECTED_AT_MOST = 2_000
REJECTED_AT_MOST_A_KNOWN_PREFIX = 50
REJECTED_KEPT_FOR = timedelta(days=90)
_CATCH_ALL_ADDRESS = "other"
_CHUNK = 400

TokenKey = tuple[str, str]


class EndedCall(NamedTuple):
    """A call that is over. `is_accepted`: its identity is what Hoursmith's `/me` said for this very token."""

    call: Call
    ending: Ending
    is_accepted: bool

    @property
    def is_use(self) -> bool:
        """Whether Hoursmith accepted the token in this very call, not only in one before it."""
        return self.is_accepted and bool(self.call.identity.org_id) and self.ending.status != 401


class Rejection(NamedTuple):
    """A credential that got no further than the door."""

    env: str
    prefix: str
    fault: str
    client_name: str
    connection: str
    address: str


def known_tokens(alias: str, keys: Iterable[TokenKey]) -> dict[TokenKey, tuple[int, str]]:
    """Row id and workspace of each token among `keys` that Hoursmith has accepted before."""
    wanted = set(keys)
    prefixes = sorted({prefix for _, prefix in wanted})
    found: dict[TokenKey, tuple[int, str]] = {}
    for start in range(0, len(prefixes), _CHUNK):
        rows = SeenToken.objects.using(alias).filter(prefix__in=prefixes[start : start + _CHUNK])
        for pk, env, prefix, org_id in rows.values_list("pk", "env", "prefix", "org_id"):
            if (env, prefix) in wanted:
                found[env, prefix] = (pk, org_id)
    return found


def tokens_seen(alias: str, ended: Sequence[EndedCall]) -> None:
    """Add the accepted calls among `ended` to the tokens they were made with."""
    sums: dict[TokenKey, _Sum] = {}
    for each in ended:
        if each.is_use:
            key = (each.call.caller.env, each.call.caller.prefix)
            sums.setdefault(key, _Sum(each)).add(each)
    upsert(
        alias,
        SeenToken,
        [_token_columns(sums[key]) for key in sorted(sums)],
        key=("env", "prefix"),
        added=[*(f"calls_{kind}" for kind in TOOL_KINDS), "calls_refused"],
        # Not the workspace: a token belongs to one for good, and its history must not move to another.
        latest=("org_name", "token_name", "role", "plan", "scopes", "last_tool", "last_status", "last_used_at"),
        by="last_used_at",
    )


def clients_seen(alias: str, ended: Sequence[EndedCall], tokens: Mapping[TokenKey, tuple[int, str]]) -> None:
    """Add the accepted calls among `ended` to the assistants that made them."""
    names: dict[tuple[str, str, str], tuple[str, str, str]] = {}
    sums: dict[tuple[int, str, str, str], _Sum] = {}
    for each in ended:
        caller = each.call.caller
        token = tokens.get((caller.env, caller.prefix))
        if not each.is_use or token is None:
            continue
        said = (caller.client_name, caller.client_version, caller.connection)
        if said not in names:
            names[said] = (storable(said[0], 120), storable(said[1], 60), storable(said[2], 40))
        key = (token[0], *names[said])
        sums.setdefault(key, _Sum(each)).add(each)
    upsert(
        alias,
        SeenClient,
        [_client_columns(key, sums[key]) for key in sorted(sums)],
        key=("token", "name", "version", "connection"),
        added=("calls",),
        latest=("protocol", "transport", "address", "last_seen_at"),
        by="last_seen_at",
    )


class _Sum:
    """What the calls of one token, or of one assistant with it, add up to."""

    __slots__ = ("by_kind", "first_at", "last", "refused")

    def __init__(self, first: EndedCall) -> None:
        self.first_at = first.call.at
        self.last = first
        self.by_kind = dict.fromkeys(TOOL_KINDS, 0)
        self.refused = 0

    def add(self, each: EndedCall) -> None:
        at = each.call.at
        self.by_kind[each.call.kind] += 1
        self.refused += each.ending.result is not Result.SUCCEEDED
        if at < self.first_at:
            self.first_at = at
        if at >= self.last.call.at:
            self.last = each


def _token_columns(total: _Sum) -> dict[str, Any]:
    call, ending, _ = total.last
    identity = call.identity
    return {
        "env": call.caller.env,
        "prefix": call.caller.prefix,
        "org_id": storable(identity.org_id, 64),
        "org_name": storable(identity.org_name, 200),
        "token_name": storable(identity.token_name, 200),
        "role": storable(identity.role, 16),
        "plan": storable(identity.plan, 16),
        "scopes": [storable(scope, 64) for scope in identity.scopes[:20]],
        "first_used_at": total.first_at,
        "last_used_at": call.at,
        "last_tool": storable(call.tool, 64),
        "last_status": ending.status,
        **{f"calls_{kind}": count for kind, count in total.by_kind.items()},
        "calls_refused": total.refused,
    }


def _client_columns(key: tuple[int, str, str, str], total: _Sum) -> dict[str, Any]:
    token, name, version, connection = key
    caller = total.last.call.caller
    return {
        "token": token,
        "name": name,
        "version": version,
        "connection": connection,
        "protocol": storable(caller.protocol, 16),
        "transport": storable(caller.transport, 8),
        "address": storable(caller.address, 45),
        "first_seen_at": total.first_at,
        "last_seen_at": total.last.call.at,
        "calls": sum(total.by_kind.values()),
    }


def credentials_rejected(alias: str, attempts: Mapping[Rejection, int], *, at: datetime) -> None:
    """Add `attempts` to the rejected credentials; beyond the cap they are counted together, one row a fault.

    A known token has room of its own: a stranger who knocks with a thousand made-up prefixes cannot hide the
    assistant that still holds a retired one.
    """
    counts: dict[Rejection, int] = defaultdict(int)
    for rejection, count in attempts.items():
        counts[_storable_rejection(rejection)] += count
    allowed = _within_cap(alias, list(counts))
    rows: dict[Rejection, int] = defaultdict(int)
    for rejection, count in counts.items():
        rows[rejection if rejection in allowed else catch_all(rejection.fault)] += count
    upsert(
        alias,
        RejectedCredential,
        [{**key._asdict(), "first_at": at, "last_at": at, "attempts": rows[key]} for key in sorted(rows)],
        key=Rejection._fields,
        added=("attempts",),
        latest=("last_at",),
        by="last_at",
    )


def catch_all(fault: str) -> Rejection:
    """The row that counts what has no row of its own."""
    return Rejection("", "", fault, "", "", _CATCH_ALL_ADDRESS)


def _storable_rejection(said: Rejection) -> Rejection:
    return Rejection(
        env=storable(said.env, 4),
        prefix=storable(said.prefix, PREFIX_LENGTH),
        fault=storable(said.fault, 40),
        client_name=storable(said.client_name, 120),
        connection=storable(said.connection, 40),
        address=storable(said.address, 45),
    )


def _within_cap(alias: str, wanted: list[Rejection]) -> set[Rejection]:
    """Those of `wanted` that have a row already or still may get one."""
    known = {key[1] for key in known_tokens(alias, ((each.env, each.prefix) for each in wanted if each.prefix))}
    rejected = RejectedCredential.objects.using(alias)
    present = {Rejection(*row) for row in rejected.values_list(*Rejection._fields)}
    room: dict[str, int] = defaultdict(lambda: REJECTED_AT_MOST_A_KNOWN_PREFIX)
    room[""] = REJECTED_AT_MOST
    for each in present:
        room[each.prefix if each.prefix in known else ""] -= 1
    allowed = set()
    for each in wanted:
        pool = each.prefix if each.prefix in known else ""
        if each in present:
            allowed.add(each)
        elif room[pool] > 0:
            room[pool] -= 1
            allowed.add(each)
    return allowed


def forget_old_rejections(alias: str, *, now: datetime) -> None:
    """Delete what has not knocked for ninety days."""
    RejectedCredential.objects.using(alias).filter(last_at__lt=now - REJECTED_KEPT_FOR).delete()
