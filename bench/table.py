"""Draws the medians and ratios together into one table."""

import argparse
from collections.abc import Callable, Mapping, Sequence
from statistics import median
from typing import Any

from bench.contest import Row
from bench.measuring import Reading

_COLUMNS: tuple[tuple[str, str, Callable[[Any], str]], ...] = (
    ("row", "", str),
    ("callers", "callers", str),
    ("per_second", "calls/s", lambda value: f"{value:,.0f}"),
    ("over_plain", "× FastMCP", lambda value: f"{value:.2f}"),
    ("over_floor", "× floor", lambda value: f"{value:.2f}"),
    ("price", "price", lambda value: f"{value:.2f}"),
    ("cpu_price", "CPU price", lambda value: f"{value:.2f}"),
    ("p50_ms", "p50 ms", lambda value: f"{value:.2f}"),
    ("p95_ms", "p95", lambda value: f"{value:.2f}"),
    ("p99_ms", "p99", lambda value: f"{value:.2f}"),
    ("cpu_ms", "CPU ms/call", lambda value: f"{value:.3f}"),
    ("cpu_under_plain", "CPU: FastMCP ÷", lambda value: f"{value:.2f}"),
    ("worker_mb", "worker MB", lambda value: f"{value:.0f}"),
    ("other_load", "others' cores", lambda value: f"{value:.2f}"),
)


def summary(
    rows: Sequence[Row], counts: Sequence[int], readings: Mapping[tuple[str, int], Sequence[Reading]]
) -> list[dict[str, Any]]:
    """One line for each row and number of callers: medians, and medians of the ratios within each round."""
    lines = []
    for count in counts:
        for row in rows:
            own = readings[row.name, count]
            plain, floor = readings.get((row.plain, count)), readings.get(("floor", count))
            line: dict[str, Any] = {"row": row.name, "callers": count}
            for name in ("per_second", "p50_ms", "p95_ms", "p99_ms", "cpu_ms", "worker_mb", "other_load"):
                line[name] = median(getattr(each, name) for each in own)
            line["over_plain"] = _ratio(own, plain, "per_second")
            line["over_floor"] = _ratio(own, floor, "per_second")
            priced = readings.get((row.priced, count))
            line["price"] = _ratio(own, priced, "per_second")
            line["cpu_price"] = _ratio(priced, own, "cpu_ms")
            line["cpu_under_plain"] = _ratio(plain, own, "cpu_ms")
            lines.append(line)
    return lines


def _ratio(one: Sequence[Reading] | None, other: Sequence[Reading] | None, name: str) -> float | None:
    if one is None or other is None:
        return None
    # Round by round: what disturbs the machine for a while disturbs both.
    ratios = [float(getattr(mine, name) / getattr(theirs, name)) for mine, theirs in zip(one, other, strict=True)]
    return median(ratios)


def print_table(lines: Sequence[Mapping[str, Any]], machine: Mapping[str, Any], arguments: argparse.Namespace) -> None:
    """The table for people, and a line about the machine."""
    cells = [[title for _, title, _ in _COLUMNS]]
    cells += [["–" if line[key] is None else show(line[key]) for key, _, show in _COLUMNS] for line in lines]
    widths = [max(map(len, column)) for column in zip(*cells, strict=True)]
    print()
    for first, *others in cells:
        numbers = (cell.rjust(width) for cell, width in zip(others, widths[1:], strict=True))
        print("  ".join([first.ljust(widths[0]), *numbers]))
    pinned = "each contender alone on one core" if not arguments.no_pin else "not pinned"
    versions = ", ".join(f"{name} {version}" for name, version in machine["versions"].items())
    where = f"{machine['cores']} cores of {machine['cpu']}, Linux {machine['kernel']}, Python {machine['python']}"
    print("\nEvery reply was checked to be its caller's own, and every call through the bridge to have its rows.")
    print(f"{where}; {pinned}; medians of {arguments.rounds} rounds of {arguments.seconds:g} s.\n{versions}.")
