"""A workspace of years, made up: who called what, when, with which token. The same for the same seed.

Few tokens are hot and many cold, a few records are touched all the time and most hardly ever, work is done by day,
and now and then an assistant runs into a wall and is refused a thousand times in a row.
"""

import itertools
import random
import uuid
from collections import Counter
from collections.abc import Iterator
from dataclasses import dataclass, field
from datetime import UTC, datetime, timedelta
from typing import Any

from mcpbridge.tools import TOOLS

ORG, OTHER_ORG = "5b0e6a3c-0d3f-4a57-9f0e-6b1f5f1f7a10", "9d4f1f2e-7b1c-4c56-8f1f-0a2b3c4d5e6f"
DAYS = 730
EPOCHS = 20
_CLIENTS = ("Claude Code", "Claude Desktop", "Cursor", "n8n", "Visual Studio Code", "Windsurf", "Gemini CLI", "Zed")
_CLIENT_WEIGHTS = (40, 25, 15, 8, 6, 3, 2, 1)
_TARGETS = 200_000
_ENDINGS = (
    ("succeeded", 200, ""),
    ("refused", 403, "forbidden_scope"),
    ("refused", 404, "not_found"),
    ("refused", 422, "validation_error"),
    ("failed", 504, "upstream_timeout"),
    ("unknown", 0, ""),
)
_ENDING_WEIGHTS = (96_500, 1_200, 1_000, 700, 595, 5)
_SHARES = {"read": 81, "write": 14, "destructive": 5}
_HOURS = [1 if hour < 7 or hour > 19 else 12 for hour in range(24)]


@dataclass(slots=True)
class Token:
    """One token, and what its calls add up to. It is in use from the epoch `since` to `until`, both included."""

    number: int
    org_id: str
    prefix: str
    name: str
    role: str
    clients: list[tuple[str, str, str]]
    address: str
    since: int
    until: int
    counts: Counter[str] = field(default_factory=Counter)
    by_tool: dict[str, list[Any]] = field(default_factory=dict)
    by_network: dict[str, list[Any]] = field(default_factory=dict)
    by_hour: Counter[tuple[int, str]] = field(default_factory=Counter)
    by_client: Counter[tuple[str, str, str]] = field(default_factory=Counter)
    first: datetime | None = None
    last: datetime | None = None
    last_tool: str = ""


class World:
    """The tokens, and the calls of all of them in the order of time."""

    def __init__(self, *, calls: int, tokens: int, seed: int = 7) -> None:
        self._random = random.Random(seed)
        self._calls = calls
        self.tokens = [self._token(number) for number in range(tokens)]
        self._pools = [self._pool(epoch) for epoch in range(EPOCHS)]
        kinds = {name: tool.kind.value for name, tool in TOOLS.items()}
        counts = Counter(kinds.values())
        self._tools = list(TOOLS)
        # Within a kind the first named are the most used, each twice as much as the one after the next.
        ranks: Counter[str] = Counter()
        weights = {}
        for name in self._tools:
            ranks[kinds[name]] += 1
            weights[name] = 2.0 ** (-ranks[kinds[name]] / 2)
        sums = {kind: sum(weights[name] for name in weights if kinds[name] == kind) for kind in counts}
        shares = [_SHARES[kinds[name]] * weight / sums[kinds[name]] for name, weight in weights.items()]
        self._tool_weights = list(itertools.accumulate(shares))
        self._kinds = kinds

    def _token(self, number: int) -> Token:
        chance = self._random
        since = chance.choices(range(EPOCHS), weights=[3, *[1] * (EPOCHS - 1)])[0]
        until = EPOCHS - 1 if chance.random() < 0.5 else chance.randrange(since, EPOCHS)
        names = chance.choices(_CLIENTS, weights=_CLIENT_WEIGHTS, k=chance.choice((1, 1, 2, 3)))
        return Token(
            number=number,
            org_id=OTHER_ORG if number % 10 == 9 else ORG,
            prefix=f"{chance.getrandbits(48):012x}",
            name=f"{chance.choice(('Ana', 'Bob', 'Chloé', 'Dmitri', 'Eve', 'Farid'))}’s {names[0]} {number}",
            role=chance.choices(("OWNER", "ADMIN", "MANAGER", "MEMBER"), weights=(1, 4, 25, 70))[0],
            clients=[
                (name, f"{chance.randrange(1, 4)}.{chance.randrange(9)}", f"c{number:08x}" if number % 3 else "")
                for name in sorted(set(names))
            ],
            address=f"{chance.randrange(11, 220)}.{chance.randrange(256)}.{chance.randrange(256)}.7",
            since=since,
            until=until,
        )

    def _pool(self, epoch: int) -> tuple[list[Token], list[float]]:
        pool = [token for token in self.tokens if token.since <= epoch <= token.until] or self.tokens[:1]
        # Zipf: the hundredth is used a hundredth as much as the first.
        return pool, list(itertools.accumulate(1 / (token.number % len(pool) + 1) for token in pool))

    def calls(self, now: datetime, days: int) -> Iterator[dict[str, Any]]:
        """Every call of the last `days` days, oldest first, as the columns of the activity."""
        start = now - timedelta(days=days)
        hours = [start + timedelta(hours=number) for number in range(days * 24)]
        weights = [_HOURS[hour.hour] * (1 if hour.weekday() < 5 else 0.1) for hour in hours]
        scale, owed, number = self._calls / sum(weights), 0.0, 0
        for place, (hour, weight) in enumerate(zip(hours, weights, strict=True)):
            owed += weight * scale
            count, owed = int(owed), owed - int(owed)
            pool, shares = self._pools[place * EPOCHS // len(hours)]
            chosen = self._random.choices(pool, cum_weights=shares, k=count)
            if count and self._random.random() < 0.01:
                chosen[: count // 2] = [chosen[0]] * (count // 2)
                burst = count // 2
            else:
                burst = 0
            tools = self._random.choices(self._tools, cum_weights=self._tool_weights, k=count)
            endings = self._random.choices(_ENDINGS, weights=_ENDING_WEIGHTS, k=count)
            for index, (token, tool, ending) in enumerate(zip(chosen, tools, endings, strict=True)):
                at = hour + timedelta(seconds=3600 * index / count)
                number += 1
                yield self._call(number, at, token, tool, _ENDINGS[1] if index < burst else ending)

    def _call(self, number: int, at: datetime, token: Token, tool: str, ending: tuple[str, int, str]) -> dict[str, Any]:
        chance = self._random.random()
        kind = self._kinds[tool]
        target = target_label = ""
        if tool.startswith(("get_", "update_", "delete_", "archive_")) and tool not in ("get_me", "get_organization"):
            # Two thirds fall on a hundredth of the records.
            place = int(chance * 1.5 * _TARGETS / 100) if chance < 0.66 else int(chance * _TARGETS)
            target, target_label = f"{place:08x}-0000-4000-8000-{token.org_id[-12:]}", f"Record {place}"
        said = token.clients[number % len(token.clients)]
        result, status, code = ending
        series = "refused" if result != "succeeded" else ""
        counted = [series or kind, *(["attempted"] if kind == "destructive" else [])]
        token.counts.update(counted)
        token.by_client[said] += 1
        address = token.address if number % 500 else f"203.0.{token.number % 256}.9"
        token.by_hour.update((int(at.timestamp()) // 3600, each) for each in counted)
        _add(token.by_tool, tool, at, series)
        _add(token.by_network, address, at, "")
        token.first, token.last, token.last_tool = token.first or at, at, tool
        return {
            "org_id": token.org_id,
            "call_id": uuid.UUID(int=(int(at.timestamp() * 1000) << 80) | number),
            "at": at,
            "tool": tool,
            "kind": kind,
            "target_type": TOOLS[tool].target_type if target else "",
            "target_id": target,
            "target_label": target_label,
            "arguments": {"id": target} if target else {"limit": 50},
            "env": "live",
            "prefix": token.prefix,
            "token_name": token.name,
            "role": token.role,
            "client_name": said[0],
            "client_version": said[1],
            "connection": said[2],
            "protocol": "2026-07-28",
            "transport": "http",
            "address": address,
            "request_id": f"{number:032x}",
            "result": result,
            "status": status,
            "code": code,
            "duration_ms": round(12 + 200 * chance * chance, 3),
        }


def _add(sums: dict[str, list[Any]], key: str, at: datetime, series: str) -> None:
    """Count one more: calls, refused ones, and the first and the last instant."""
    total = sums.setdefault(key, [0, 0, at, at])
    total[0] += 1
    total[1] += bool(series)
    total[3] = at


def now_in_full_hours() -> datetime:
    """This hour's begin, so that the last call is a moment ago at most."""
    return datetime.now(UTC).replace(minute=0, second=0, microsecond=0) + timedelta(hours=1)
