"""Usage counters: calls per hour, and tools and networks of each token, updated with each batch.

Pages draw charts from these counters and never count activity rows.
"""

import ipaddress
from collections.abc import Iterable, Mapping, Sequence
from datetime import UTC, datetime, timedelta
from functools import lru_cache
from typing import Any

from mcpbridge.activity.observed import KnownToken
from mcpbridge.db.bulk import upsert
from mcpbridge.models import CallHour, CallKind, Result, TokenNetwork, TokenRef, TokenTool

# No page shows older hours.
HOURS_KEPT_FOR = timedelta(days=92)
_EPOCH = datetime(1970, 1, 1, tzinfo=UTC)
_COUNTS = ("calls_read", "calls_write", "calls_destructive", "calls_attempted", "calls_refused")

Row = Mapping[str, Any]


def hour_of(instant: datetime) -> int:
    """Return the hour of `instant`, in hours since 1970 (UTC)."""
    return int((instant - _EPOCH).total_seconds() // 3600)


@lru_cache(maxsize=4096)
def network_of(address: str) -> str:
    """Return the network of `address`, such as `203.0.113.0/24` or `2001:db8:7::/48`; empty if it is invalid."""
    try:
        found = ipaddress.ip_address(address.partition("%")[0])
    except ValueError:
        return ""
    if isinstance(found, ipaddress.IPv6Address) and found.ipv4_mapped:
        found = found.ipv4_mapped
    return str(ipaddress.ip_network((found, 24 if found.version == 4 else 48), strict=False))


def add_to_usage_counters(alias: str, rows: Sequence[Row], tokens: Mapping[TokenRef, KnownToken]) -> None:
    """Add activity `rows` to the usage counters. `tokens` are the tokens that Hoursmith has accepted."""
    # All writers share the workspace's hour row, so it is updated last and locked for the shortest time.
    _add_to_tools(alias, rows, tokens)
    _add_to_networks(alias, rows, tokens)
    _add_to_hours(alias, rows)


def _add_to_hours(alias: str, rows: Iterable[Row]) -> None:
    sums: dict[tuple[str, str, str, int], dict[str, int]] = {}
    for row in rows:
        if not row["org_id"]:
            continue
        series = row["kind"] if row["result"] == Result.SUCCEEDED.value else "refused"
        is_destructive = row["kind"] == CallKind.DESTRUCTIVE.value
        hour = hour_of(row["at"])
        for prefix, env in ((row["prefix"], row["env"]), ("", "")):
            counts = sums.setdefault((row["org_id"], prefix, env, hour), dict.fromkeys(_COUNTS, 0))
            counts[f"calls_{series}"] += 1
            counts["calls_attempted"] += is_destructive
    # Descending, so that the workspace's row with the empty prefix is last.
    upsert(
        alias,
        CallHour,
        [
            {"org_id": key[0], "prefix": key[1], "env": key[2], "hour": key[3], **sums[key]}
            for key in sorted(sums, reverse=True)
        ],
        key=("org_id", "prefix", "env", "hour"),
        added=_COUNTS,
        latest=(),
        by="hour",
    )


def _add_to_tools(alias: str, rows: Iterable[Row], tokens: Mapping[TokenRef, KnownToken]) -> None:
    sums: dict[tuple[int, str], dict[str, Any]] = {}
    for row in rows:
        if token := _token_of(row, tokens):
            total = _sum(sums, (token, row["tool"]), row["at"])
            total["refused"] = total.get("refused", 0) + (row["result"] != Result.SUCCEEDED.value)
    upsert(
        alias,
        TokenTool,
        [{"token": key[0], "tool": key[1], **sums[key]} for key in sorted(sums)],
        key=("token", "tool"),
        added=("calls", "refused"),
        latest=("last_at",),
        by="last_at",
    )


def _add_to_networks(alias: str, rows: Iterable[Row], tokens: Mapping[TokenRef, KnownToken]) -> None:
    sums: dict[tuple[int, str], dict[str, Any]] = {}
    for row in rows:
        if (token := _token_of(row, tokens)) and (network := network_of(row["address"])):
            _sum(sums, (token, network), row["at"])
    upsert(
        alias,
        TokenNetwork,
        [{"token": key[0], "network": key[1], **sums[key]} for key in sorted(sums)],
        key=("token", "network"),
        added=("calls",),
        latest=("last_at",),
        by="last_at",
    )


def _token_of(row: Row, tokens: Mapping[TokenRef, KnownToken]) -> int | None:
    token = tokens.get(TokenRef(row["env"], row["prefix"]))
    return token.pk if token is not None and token.org_id == row["org_id"] else None


def _sum(sums: dict[tuple[int, str], dict[str, Any]], key: tuple[int, str], at: datetime) -> dict[str, Any]:
    total = sums.setdefault(key, {"calls": 0, "first_at": at, "last_at": at})
    total["calls"] += 1
    total["first_at"], total["last_at"] = min(total["first_at"], at), max(total["last_at"], at)
    return total


def delete_old_hours(alias: str, *, now: datetime) -> None:
    """Delete the counters of hours that no page shows any more."""
    CallHour.objects.using(alias).filter(hour__lt=hour_of(now - HOURS_KEPT_FOR)).delete()
