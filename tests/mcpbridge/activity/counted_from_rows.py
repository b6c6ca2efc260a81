"""Count the calls of the activity log by SQL over its rows, as the counters beside it should read."""

import ipaddress
from collections.abc import Iterable
from datetime import timedelta
from typing import Any

from django.utils import timezone

CALLS, TOKENS = "mcpbridge_toolcall", "mcpbridge_observedtoken"
HOURS, TOOLS, NETWORKS = "mcpbridge_callhour", "mcpbridge_tokentool", "mcpbridge_tokennetwork"
# Rows are grouped by what is quick to cut off, and only the groups' hours are counted from 1970.
CUT = {"sqlite": "substr(at, 1, 13)", "postgresql": "date_trunc('hour', at)"}
HOUR = {
    "sqlite": "CAST(strftime('%%s', cut || ':00:00') AS INTEGER) / 3600",
    "postgresql": "CAST(floor(extract(epoch FROM cut) / 3600) AS integer)",
}
# No chart looks further back.
KEPT_FOR = timedelta(days=92)
UNSUCCESSFUL = "result <> 'succeeded'"


def series(kind: str) -> str:
    return f"SUM(CASE WHEN kind = '{kind}' AND NOT {UNSUCCESSFUL} THEN 1 ELSE 0 END)"


def hours(vendor: str, who: str) -> str:
    """The counts of every hour: of each token, or with empty texts for `who` of each workspace."""
    keys = "org_id, prefix, env" if who == "prefix, env" else "org_id"
    return (
        f"INSERT INTO {HOURS} (org_id, prefix, env, hour, calls_read, calls_write, calls_destructive, calls_attempted,"
        f" calls_refused) SELECT org_id, {who}, {HOUR[vendor]}, reads, writes, destroyed, attempted, refused FROM ("
        f"SELECT {keys}, {CUT[vendor]} AS cut, {series('read')} AS reads, {series('write')} AS writes,"
        f" {series('destructive')} AS destroyed, SUM(CASE WHEN kind = 'destructive' THEN 1 ELSE 0 END) AS attempted,"
        f" SUM(CASE WHEN {UNSUCCESSFUL} THEN 1 ELSE 0 END) AS refused"
        f" FROM {CALLS} WHERE org_id <> '' AND at >= %s GROUP BY {keys}, cut) AS counted"
    )


TOOL_COUNTS = (
    f"INSERT INTO {TOOLS} (token_id, tool, calls, refused, first_at, last_at)"
    f" SELECT t.id, c.tool, COUNT(*), SUM(CASE WHEN c.{UNSUCCESSFUL} THEN 1 ELSE 0 END), MIN(c.at), MAX(c.at)"
    f" FROM {CALLS} c JOIN {TOKENS} t ON t.env = c.env AND t.prefix = c.prefix AND t.org_id = c.org_id"
    " GROUP BY t.id, c.tool"
)
ADDRESSES = (
    "SELECT t.id, c.address, COUNT(*), MIN(c.at), MAX(c.at)"
    f" FROM {CALLS} c JOIN {TOKENS} t ON t.env = c.env AND t.prefix = c.prefix AND t.org_id = c.org_id"
    " WHERE c.address > '' GROUP BY t.id, c.address"
)


def network_of(address: str) -> str:
    try:
        found: ipaddress.IPv4Address | ipaddress.IPv6Address = ipaddress.ip_address(address.partition("%")[0])
    except ValueError:
        return ""
    if isinstance(found, ipaddress.IPv6Address) and found.ipv4_mapped:
        found = found.ipv4_mapped
    return str(ipaddress.ip_network((found, 24 if found.version == 4 else 48), strict=False))


def networks(rows: Iterable[tuple[int, str, int, Any, Any]]) -> list[tuple[Any, ...]]:
    """The rows of addresses, summed up by network."""
    found: dict[tuple[int, str], tuple[int, Any, Any]] = {}
    for token, address, calls, first, last in rows:
        if network := network_of(address):
            before = found.get((token, network), (0, first, last))
            found[token, network] = (before[0] + calls, min(before[1], first), max(before[2], last))
    return [(*key, *counts) for key, counts in found.items()]


def fill(connection: Any) -> None:
    """Count all calls; the tables must be empty."""
    since = connection.ops.adapt_datetimefield_value(timezone.now() - KEPT_FOR)
    with connection.cursor() as cursor:
        cursor.execute(hours(connection.vendor, "prefix, env"), [since])
        cursor.execute(hours(connection.vendor, "'', ''"), [since])
        cursor.execute(TOOL_COUNTS)
        cursor.execute(ADDRESSES)
        rows = networks(cursor.fetchall())
        if rows:
            cursor.executemany(
                f"INSERT INTO {NETWORKS} (token_id, network, calls, first_at, last_at) VALUES (%s, %s, %s, %s, %s)",
                rows,
            )
