"""What a batch of calls says about tokens, assistants and rejected credentials, added to what is known.

A batch is summed up in memory first, so that it costs a handful of statements whatever its size. Rows are
touched in one order everywhere: two workers that meet in the same rows wait for each other, not both.
"""

from collections import defaultdict
from collections.abc import Iterable, Mapping, Sequence
from datetime import datetime, timedelta
from typing import Any, NamedTuple

from django.db import connections, models

from mcpbridge.facts import Call, Ending
from mcpbridge.models import Kind, RejectedCredential, Result, SeenClient, SeenToken
from mcpbridge.recording import storable

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
    rows: dict[TokenKey, dict[str, Any]] = {}
    for call, ending, is_accepted in ended:
        if not is_accepted or not call.identity.org_id:
            continue
        key = (call.caller.env, call.caller.prefix)
        row = rows.get(key)
        if row is None:
            row = rows[key] = _token_row(call)
        row[f"calls_{call.kind}"] += 1
        row["calls_refused"] += ending.result != Result.SUCCEEDED
        row["first_used_at"] = min(row["first_used_at"], call.at)
        if call.at >= row["last_used_at"]:
            row.update(last_used_at=call.at, last_tool=call.tool[:64], last_status=ending.status, **_told(call))
    _upsert(
        alias,
        SeenToken,
        [rows[key] for key in sorted(rows)],
        key=("env", "prefix"),
        added=[*(f"calls_{kind}" for kind in Kind.values), "calls_refused"],
        # Not the workspace: a token belongs to one for good, and its history must not move to another.
        latest=("org_name", "token_name", "role", "plan", "scopes", "last_tool", "last_status", "last_used_at"),
        by="last_used_at",
    )


def _told(call: Call) -> dict[str, Any]:
    identity = call.identity
    return {
        "org_name": storable(identity.org_name, 200),
        "token_name": storable(identity.token_name, 200),
        "role": storable(identity.role, 16),
        "plan": storable(identity.plan, 16),
        "scopes": [storable(scope, 64) for scope in identity.scopes[:20]],
    }


def _token_row(call: Call) -> dict[str, Any]:
    return {
        "env": call.caller.env,
        "prefix": call.caller.prefix,
        "org_id": call.identity.org_id,
        "first_used_at": call.at,
        "last_used_at": call.at,
        "last_tool": "",
        "last_status": None,
        **dict.fromkeys((f"calls_{kind}" for kind in Kind.values), 0),
        "calls_refused": 0,
        **_told(call),
    }


def clients_seen(alias: str, ended: Sequence[EndedCall], tokens: Mapping[TokenKey, tuple[int, str]]) -> None:
    """Add the accepted calls among `ended` to the assistants that made them."""
    rows: dict[tuple[int, str, str, str], dict[str, Any]] = {}
    for call, _, is_accepted in ended:
        caller = call.caller
        token = tokens.get((caller.env, caller.prefix))
        if not is_accepted or not call.identity.org_id or token is None:
            continue
        key = (
            token[0],
            storable(caller.client_name, 120),
            storable(caller.client_version, 60),
            storable(caller.connection, 40),
        )
        row = rows.get(key)
        if row is None:
            names = dict(zip(("token", "name", "version", "connection"), key, strict=True))
            row = rows[key] = {**names, "first_seen_at": call.at, "last_seen_at": call.at, "calls": 0}
        row["calls"] += 1
        row["first_seen_at"] = min(row["first_seen_at"], call.at)
        row["last_seen_at"] = max(row["last_seen_at"], call.at)
        row["protocol"] = storable(caller.protocol, 16)
        row["transport"] = caller.transport[:8]
        row["address"] = storable(caller.address, 45)
    _upsert(
        alias,
        SeenClient,
        [rows[key] for key in sorted(rows)],
        key=("token", "name", "version", "connection"),
        added=("calls",),
        latest=("protocol", "transport", "address", "last_seen_at"),
        by="last_seen_at",
    )


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
    _upsert(
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


def _storable_rejection(rejection: Rejection) -> Rejection:
    limits = {name: RejectedCredential._meta.get_field(name).max_length or 0 for name in Rejection._fields}
    return Rejection(*(storable(getattr(rejection, name), limit) for name, limit in limits.items()))


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


def _upsert(
    alias: str,
    model: type[models.Model],
    rows: Sequence[Mapping[str, Any]],
    *,
    key: Sequence[str],
    added: Sequence[str],
    latest: Sequence[str],
    by: str,
) -> None:
    """Insert `rows`; where `key` is taken, add the columns `added` and let `latest` follow the newest `by`.

    One statement a few hundred rows, and right whoever else writes: both databases speak ON CONFLICT, and
    the ORM cannot say "add to what is there" in it.
    """
    if not rows:
        return
    connection = connections[alias]
    quote = connection.ops.quote_name
    fields = {name: model._meta.get_field(name) for name in rows[0]}
    table = quote(model._meta.db_table)
    columns = {name: quote(field.column) for name, field in fields.items()}
    newer = f"excluded.{columns[by]} >= {table}.{columns[by]}"
    changes = [f"{columns[name]} = {table}.{columns[name]} + excluded.{columns[name]}" for name in added]
    changes += [
        f"{columns[name]} = CASE WHEN {newer} THEN excluded.{columns[name]} ELSE {table}.{columns[name]} END"
        for name in latest
    ]
    line = f"({', '.join(['%s'] * len(fields))})"
    chunk = max(1, 900 // len(fields))
    with connection.cursor() as cursor:
        for start in range(0, len(rows), chunk):
            part = rows[start : start + chunk]
            cursor.execute(
                f"INSERT INTO {table} ({', '.join(columns.values())}) VALUES {', '.join([line] * len(part))}"  # noqa: S608 - names come from the models
                f" ON CONFLICT ({', '.join(columns[name] for name in key)}) DO UPDATE SET {', '.join(changes)}",
                [field.get_db_prep_save(row[name], connection) for row in part for name, field in fields.items()],
            )
