"""Usage counters: calls per hour, and tools and networks of each token, updated with each batch.

Pages draw charts from these counters and never count activity rows.
"""

import ipaddress
from collections.abc import Iterable, Mapping
from dataclasses import asdict, dataclass
from datetime import datetime, timedelta
from functools import lru_cache
from operator import itemgetter
from typing import Any, NamedTuple

from mcpbridge.activity.observed import KnownToken
from mcpbridge.db.bulk import upsert
from mcpbridge.models import CallHour, CallKind, Result, TokenNetwork, TokenRef, TokenTool

# No page shows older hours.
HOURS_KEPT_FOR = timedelta(days=92)
_COUNTS = ("calls_read", "calls_write", "calls_destructive", "calls_attempted", "calls_refused")

Row = Mapping[str, Any]


def hour_of(instant: datetime) -> int:
    """Return the hour of `instant`, in hours since 1970 (UTC)."""
    return int(instant.timestamp() // 3600)


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


class _Group(NamedTuple):
    """What the calls have in common that are counted together: all that a counter looks at."""

    org_id: str
    env: str
    prefix: str
    tool: str
    kind: str
    result: str
    address: str
    hour: int


@dataclass(slots=True)
class _Sum:
    """The sum of some calls, and when the first and the last of them began."""

    first_at: datetime
    last_at: datetime
    calls: int = 0
    refused: int = 0

    def add(self, group: _Group, calls: "_Sum") -> None:
        self.calls += calls.calls
        if group.result != Result.SUCCEEDED.value:
            self.refused += calls.calls
        self.first_at, self.last_at = min(self.first_at, calls.first_at), max(self.last_at, calls.last_at)


_Groups = Mapping[_Group, _Sum]
_same_of = itemgetter(*_Group._fields[:-1])


def add_to_usage_counters(alias: str, rows: Iterable[Row], tokens: Mapping[TokenRef, KnownToken]) -> None:
    """Add activity `rows` to the usage counters. `tokens` are the tokens that Hoursmith has accepted."""
    groups = _grouped(rows)
    # All writers share the workspace's hour row, so it is updated last and locked for the shortest time.
    _add_to_tools(alias, groups, tokens)
    _add_to_networks(alias, groups, tokens)
    _add_to_hours(alias, groups)


def _grouped(rows: Iterable[Row]) -> _Groups:
    """Sum up `rows` once: a batch has thousands of them, and few groups."""
    groups: dict[_Group, _Sum] = {}
    for row in rows:
        at = row["at"]
        key = _Group._make((*_same_of(row), hour_of(at)))
        total = groups.get(key)
        if total is None:
            total = groups[key] = _Sum(at, at)
        total.calls += 1
        if at < total.first_at:
            total.first_at = at
        elif at > total.last_at:
            total.last_at = at
    return groups


def _add_to_hours(alias: str, groups: _Groups) -> None:
    sums: dict[tuple[str, str, str, int], dict[str, int]] = {}
    for group, calls in groups.items():
        if not group.org_id:
            continue
        series = group.kind if group.result == Result.SUCCEEDED.value else "refused"
        for prefix, env in ((group.prefix, group.env), ("", "")):
            counts = sums.setdefault((group.org_id, prefix, env, group.hour), dict.fromkeys(_COUNTS, 0))
            counts[f"calls_{series}"] += calls.calls
            if group.kind == CallKind.DESTRUCTIVE.value:
                counts["calls_attempted"] += calls.calls
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


def _add_to_tools(alias: str, groups: _Groups, tokens: Mapping[TokenRef, KnownToken]) -> None:
    sums: dict[tuple[int, str], _Sum] = {}
    for group, calls in groups.items():
        if token := _token_of(group, tokens):
            sums.setdefault((token, group.tool), _Sum(calls.first_at, calls.last_at)).add(group, calls)
    upsert(
        alias,
        TokenTool,
        [{"token": key[0], "tool": key[1], **asdict(sums[key])} for key in sorted(sums)],
        key=("token", "tool"),
        added=("calls", "refused"),
        latest=("last_at",),
        by="last_at",
    )


def _add_to_networks(alias: str, groups: _Groups, tokens: Mapping[TokenRef, KnownToken]) -> None:
    sums: dict[tuple[int, str], _Sum] = {}
    for group, calls in groups.items():
        if (token := _token_of(group, tokens)) and (network := network_of(group.address)):
            sums.setdefault((token, network), _Sum(calls.first_at, calls.last_at)).add(group, calls)
    upsert(
        alias,
        TokenNetwork,
        [
            {
                "token": key[0],
                "network": key[1],
                "first_at": total.first_at,
                "last_at": total.last_at,
                "calls": total.calls,
            }
            for key, total in sorted(sums.items(), key=lambda each: each[0])
        ],
        key=("token", "network"),
        added=("calls",),
        latest=("last_at",),
        by="last_at",
    )


def _token_of(group: _Group, tokens: Mapping[TokenRef, KnownToken]) -> int | None:
    token = tokens.get(TokenRef(group.env, group.prefix))
    return token.pk if token is not None and token.org_id == group.org_id else None


def delete_old_hours(alias: str, *, now: datetime) -> None:
    """Delete the counters of hours that no page shows any more."""
    CallHour.objects.using(alias).filter(hour__lt=hour_of(now - HOURS_KEPT_FOR)).delete()
