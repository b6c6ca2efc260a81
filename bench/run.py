"""Measures the bridge beside the direct call, the floor and plain forwarders, in one run, and prints one table.

make bench, or .venv/bin/python -m bench.run --help
"""

import argparse
import json
import time
from contextlib import ExitStack
from dataclasses import asdict

from bench.callers import make_callers
from bench.contest import CONTENDERS, IN_NODE, ROWS, Row, Running, start_upstream
from bench.machine import description
from bench.measuring import Reading, Terms, measure
from bench.node import installed_node
from bench.paths import RESULTS, cores, running_on
from bench.table import print_table, summary

Readings = dict[tuple[str, int], list[Reading]]


def _arguments() -> argparse.Namespace:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    names = [row.name for row in ROWS]
    parser.add_argument("--callers", type=int, nargs="+", default=[1, 16, 64], help="callers at once (1 16 64)")
    parser.add_argument("--seconds", type=float, default=5.0, help="length of one reading (5)")
    parser.add_argument("--warm-up", type=float, default=1.0, help="seconds of load before it (1)")
    parser.add_argument("--rounds", type=int, default=3, help="readings of each row, in turns (3)")
    parser.add_argument(
        "--only", nargs="+", choices=names, default=names, metavar="ROW", help=", ".join(names).replace("%", "%%")
    )
    parser.add_argument("--no-pin", action="store_true", help="let the system choose the cores")
    arguments = parser.parse_args()
    if not (
        0 < arguments.seconds <= 60 and 1 <= arguments.rounds <= 20 and all(1 <= n <= 256 for n in arguments.callers)
    ):
        parser.error("seconds: up to 60, rounds: up to 20, callers: up to 256")
    return arguments


def rows_here(names: list[str]) -> list[Row]:
    """Return the rows named, without those that this machine has no Node.js for."""
    rows = [row for row in ROWS if row.name in names]
    left_out = [row.name for row in rows if row.contender in IN_NODE]
    if not left_out or installed_node() is not None:
        return rows
    print(f"Left out: {', '.join(left_out)}. They need Node.js and npm, with which `make bench` installs the rest.")
    return [row for row in rows if row.name not in left_out]


def _start(rows: list[Row], arguments: argparse.Namespace, stack: ExitStack) -> tuple[dict[str, Running], Terms]:
    """Start the upstream and whatever the rows need; all of it ends with `stack`."""
    places = cores(pinned=not arguments.no_pin)
    with running_on(places.upstream):
        upstream = stack.enter_context(start_upstream())
    running = {"upstream": upstream}
    with running_on(places.contender):
        for name in dict.fromkeys(row.contender for row in rows):
            if name not in running:
                print(f"Starting {name} …", flush=True)
                running[name] = stack.enter_context(CONTENDERS[name](upstream.port))
    return running, Terms(places, arguments.warm_up, arguments.seconds, upstream.pid)


def _measure_all(rows: list[Row], arguments: argparse.Namespace) -> Readings:
    callers = make_callers(max(arguments.callers))
    readings: Readings = {(row.name, count): [] for count in arguments.callers for row in rows}
    with ExitStack() as stack:
        running, terms = _start(rows, arguments, stack)
        for each in range(1, arguments.rounds + 1):
            for row, count in ((row, count) for count in arguments.callers for row in rows):
                reading = measure(row, running[row.contender], callers[:count], terms)
                readings[row.name, count].append(reading)
                print(
                    f"  round {each}  {row.name:<16} {count:>3} callers {reading.per_second:>8,.0f} calls/s"
                    f" {reading.cpu_ms:>7.3f} CPU ms a call",
                    flush=True,
                )
    return readings


def main() -> None:
    """Run the bench, print the table and keep the readings in var/bench/."""
    arguments = _arguments()
    machine = description()
    rows = rows_here(arguments.only)
    readings = _measure_all(rows, arguments)
    lines = summary(rows, arguments.callers, readings)
    print_table(lines, machine, arguments)
    RESULTS.mkdir(parents=True, exist_ok=True)
    path = RESULTS / f"{time.strftime('%Y%m%d-%H%M%S')}.json"
    kept = {
        "machine": machine,
        "arguments": vars(arguments),
        "summary": lines,
        "readings": {
            f"{name} × {count}": [asdict(each) for each in several] for (name, count), several in readings.items()
        },
    }
    path.write_text(json.dumps(kept, indent=2, ensure_ascii=False) + "\n", encoding="utf-8")
    print(f"All readings: {path}")


if __name__ == "__main__":
    main()
