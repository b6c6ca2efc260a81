"""Times every page of the console over a database that `bench.history` filled: first pages and pages 1,000 deep.

.venv/bin/python -m bench.pages --database sqlite:////tmp/years.sqlite3

Requests go through Django's own test client: what is timed is the server's work, middleware and template included. A
line stands for a sort of page; its figures are over all its addresses. Each is asked for several times and the fastest
counts, so that what else the machine does weighs less. CPU is this process's and, where PostgreSQL runs on the same
machine, that of the process which answers it: what the page would take on a machine of its own.
"""

import argparse
import itertools
import os
import random
import re
import statistics
import time
from collections.abc import Iterator
from dataclasses import dataclass, field
from http import HTTPStatus
from pathlib import Path
from typing import Any
from urllib.parse import urlencode

from bench.history import use_database

_DEEP = 1_000
_PICKS = 3
_LISTS = ("/", "/activity/", "/audit/", "/tokens/")
_SEARCHES = ("Record 77", "claude", "nowhere to be found", "farid’s cursor")


@dataclass(slots=True)
class Sort:
    """One sort of page: how long each request took, in milliseconds, and the most queries that one made."""

    name: str
    times: list[float] = field(default_factory=list)
    cpu: list[float] = field(default_factory=list)
    addresses: int = 0
    queries: int = 0
    slowest: tuple[float, float, str] = (0.0, 0.0, "")

    def line(self) -> str:
        """A row of the table."""
        return (
            f"| {self.name} | {self.addresses} | {statistics.median(self.times):.0f} | {_at95(self.times):.0f}"
            f" | {max(self.times):.0f} | {statistics.median(self.cpu):.0f} | {_at95(self.cpu):.0f}"
            f" | {max(self.cpu):.0f} | {self.queries} |"
        )


def _at95(times: list[float]) -> float:
    return sorted(times)[min(len(times) - 1, int(len(times) * 0.95))]


def _choices(area: str, request: Any, chance: random.Random) -> dict[str, list[str]]:
    """What each filter of the area offers: the first option, the last and one of the others."""
    from bench.fixtures import ORG
    from hoursmith_console.core.lists.time_filter import TimeFilter
    from hoursmith_console.core.site import site
    from mcpbridge.models import ToolCall

    admin = next(each for each in site.areas() if each.area == area)
    found: dict[str, list[str]] = {}
    for spec in admin.get_changelist_instance(request).filter_specs:
        if isinstance(spec, TimeFilter):
            found["range"], found["until"] = ["24h", "30d"], ["2026-03-01"]
        else:
            values = [str(option["value"]) for option in spec.options()]
            found[spec.parameter_name] = list(dict.fromkeys([values[0], values[-1], chance.choice(values)]))[:_PICKS]
    if area in ("activity", "audit"):
        rows = ToolCall.objects.filter(org_id=ORG).exclude(target_id="").exclude(connection="")
        row = rows.order_by("-at")[1000]
        found["target"] = [f"{row.target_type}:{row.target_id}"]
        found["connection"] = [row.connection]
    found["q"] = list(_SEARCHES)
    return found


def _combinations(choices: dict[str, list[str]], size: int, most: int, chance: random.Random) -> list[dict[str, str]]:
    every = [
        dict(zip(names, values, strict=True))
        for names in itertools.combinations(choices, size)
        for values in itertools.product(*(choices[name] for name in names))
    ]
    return chance.sample(every, min(most, len(every)))


def _deep(area: str, request: Any, *, is_indexed: bool) -> str:
    """The place a thousand pages deep: of the list of `request`, or of the whole list where that has no index.

    Where the list is not that long, it is its end.
    """
    from hoursmith_console.core.site import site

    admin = next(each for each in site.areas() if each.area == area)
    changes = admin.get_changelist_instance(request)
    rows = changes.queryset if is_indexed else changes.root_queryset
    keys = rows.order_by(*changes.order.columns).values_list("pk", flat=True)
    place = _DEEP * changes.list_per_page
    found = keys[place : place + 1] or keys.reverse()[:1]
    return str(changes.cursor(rows.get(pk=found[0]))) if found else ""


def _lists(request_of: Any, chance: random.Random, only: str, most: int) -> Iterator[tuple[str, str]]:
    """A sort and an address of every list, or of the area `only`: `most` of each number of filters at most."""
    for area in ("activity", "audit", "tokens"):
        if not area.startswith(only):
            continue
        choices = _choices(area, request_of(f"/{area}/"), chance)
        sizes = [("no filter", [{}])]
        sizes += [
            (f"{size} filter{'s' * (size > 1)}", _combinations(choices, size, most, chance)) for size in (1, 2, 3)
        ]
        if area == "tokens":
            orders = ("calls", "destructive", "oldest")
            sizes.append(("by another order", [{"sort": sort} for sort in orders]))
        for name, combinations in sizes:
            for given in combinations:
                address = f"/{area}/?{urlencode(given)}"
                yield f"{area}, {name}", address
                if area == "tokens":
                    continue
                is_indexed = len(given) < 2 and "q" not in given and "outcome" not in given
                if cursor := _deep(area, request_of(address), is_indexed=is_indexed):
                    yield f"{area}, {name}, page 1,000", f"{address}&before={cursor}"


def _others(client: Any) -> Iterator[tuple[str, str]]:
    """A sort and an address of every other page."""
    from bench.fixtures import ORG
    from hoursmith_console.connections.models import Connection
    from hoursmith_console.workspaces.models import Member
    from mcpbridge.models import AuditEvent, ObservedToken, ToolCall
    from tests.page_urls import console_routes

    for days in ("1", "7", "30"):
        yield "overview", f"/?days={days}"
    ours = ObservedToken.objects.filter(org_id=ORG)
    for token in (*ours.order_by("-calls_read")[:4], *ours.order_by("last_used_at")[:2]):
        yield "a token", f"/tokens/{token.pk}/"
    for call in ToolCall.objects.filter(org_id=ORG).order_by("-at")[:3]:
        yield "a call", f"/activity/{call.pk}/"
    for row in AuditEvent.objects.filter(org_id=ORG, phase="intent").order_by("-recorded_at")[:3]:
        yield "an audit entry", f"/audit/{row.call_id}/"
    for member in Member.objects.filter(workspace__org_id=ORG).order_by("pk")[:3]:
        yield "a member", f"/members/{member.pk}/"
    for connection in Connection.objects.filter(workspace__org_id=ORG).order_by("pk")[:3]:
        yield "a connection", f"/connections/{connection.slug}/"
    for route in console_routes():
        if "<" not in route and f"/{route}" not in _LISTS and client.get(f"/{route}").status_code == HTTPStatus.OK:
            yield f"{route.partition('/')[0]}, other pages", f"/{route}"
    page = client.get("/activity/").content.decode().replace("&amp;", "&")
    if match := re.search(r'hx-get="(/activity/tail/[^"]*)"', page):
        yield "live tail, nothing new", match[1]


def measure(repeat: int, person: str, only: str, most: int) -> list[Sort]:
    """Ask for every address once, counting queries, and then `repeat` times."""
    from django.contrib.auth.models import User
    from django.db import connection
    from django.test import Client, RequestFactory
    from django.test.utils import CaptureQueriesContext

    from hoursmith_console.workspaces.viewer import find_viewer

    user, client, chance = User.objects.get(email=person), Client(SERVER_NAME="localhost"), random.Random(5)
    client.force_login(user)

    def request_of(address: str) -> Any:
        request = RequestFactory(SERVER_NAME="localhost").get(address)
        request.user, request.session = user, client.session
        request.viewer = find_viewer(request)
        return request

    sorts: dict[str, Sort] = {}
    for name, address in itertools.chain(_others(client), _lists(request_of, chance, only, most)):
        if not name.startswith(only):
            continue
        sort = sorts.setdefault(name, Sort(name))
        sort.addresses += 1
        with CaptureQueriesContext(connection) as asked:
            answer = client.get(address)
            assert answer.status_code == 200, (address, answer.status_code)
        sort.queries = max(sort.queries, len(asked))
        readings = [_timed(client, connection, address) for _ in range(repeat)]
        sort.times.append(min(took for took, _ in readings))
        sort.cpu.append(min(cpu for _, cpu in readings))
        sort.slowest = max(sort.slowest, (sort.cpu[-1], sort.times[-1], address))
    return list(sorts.values())


def _timed(client: Any, connection: Any, address: str) -> tuple[float, float]:
    """The time and the CPU of one request, in milliseconds."""
    started, cpu = time.perf_counter(), _cpu_s(connection)
    client.get(address)
    return (time.perf_counter() - started) * 1e3, (_cpu_s(connection) - cpu) * 1e3


def _cpu_s(connection: Any) -> float:
    """The CPU that this process has used, and the database's own that works for it where that can be seen."""
    used = time.process_time()
    if connection.vendor == "postgresql":
        connection.ensure_connection()
        told = Path(f"/proc/{connection.connection.info.backend_pid}/schedstat")
        used += int(told.read_text(encoding="ascii").split()[0]) / 1e9 if told.exists() else 0
    return used


def main() -> None:
    """Print the table."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--database", required=True)
    parser.add_argument("--repeat", type=int, default=5, help="requests for each address, after the first (5)")
    parser.add_argument("--most", type=int, default=60, help="combinations of each number of filters (60)")
    parser.add_argument("--only", default="", help="one area, such as audit")
    parser.add_argument("--person", default="owner@example.com", help="who looks (owner@example.com)")
    arguments = parser.parse_args()
    use_database(arguments.database)
    sorts = measure(arguments.repeat, arguments.person, arguments.only, arguments.most)
    print(
        "| Page | addresses | p50 ms | p95 ms | slowest ms | CPU p50 ms | CPU p95 ms | CPU most ms | queries at most |"
    )
    print("|---|---|---|---|---|---|---|---|---|")
    for sort in sorts:
        print(sort.line())
    for cpu, took, address in sorted((sort.slowest for sort in sorts), reverse=True)[:12]:
        print(f"{cpu:.0f} ms CPU, {took:.0f} ms: {address}")
    print(f"load average {os.getloadavg()[0]:.1f}")


if __name__ == "__main__":
    main()
