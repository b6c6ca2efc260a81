"""What the bridge costs as its record, its tokens and its age grow. SQLite, one worker, sixteen connections.

.venv/bin/python -m bench.growth rows --sizes 10000 100000 1000000
.venv/bin/python -m bench.growth tokens --sizes 10 1000 10000 100000
.venv/bin/python -m bench.growth calls --calls 200000

`rows` begins with that many rows of activity, and a tenth as many of audit, made up by `bench.history`, and reads and
deletes on top of them. `tokens` has that many tokens in use, each call with the next one; Hoursmith is asked whom each
acts as, once in IDENTITY_TTL_S. `calls` goes on for so many calls, and says what the worker holds on the way.
"""

import argparse
import subprocess
import sys
import tempfile
import time
from contextlib import ExitStack
from pathlib import Path

from bench.callers import make_callers
from bench.contest import CONTENDERS, ROWS, Row, Running, grown_bridge, start_upstream
from bench.machine import description, settled_cpu_s, worker_mb
from bench.measuring import Terms, driven, measure
from bench.paths import RESULTS, cores, running_on

_LINES = 16
# From here on the database repeats what was made up: to make up each row takes twenty minutes for ten million.
_MANY, _COPIES = 1_000_000, 15
_READ = next(row for row in ROWS if row.name == "bridge")
_DELETION = next(row for row in ROWS if row.name == "bridge-delete")


def _started(stack: ExitStack, filled: Path | None = None) -> tuple[Running, Terms]:
    places = cores(pinned=True)
    with running_on(places.upstream):
        upstream = stack.enter_context(start_upstream())
    with running_on(places.contender):
        start = CONTENDERS["bridge"] if filled is None else grown_bridge(filled)
        running = stack.enter_context(start(upstream.port))
    return running, Terms(places, warm_up_s=1.0, seconds=0.0, upstream_pid=upstream.pid)


def _rows(sizes: list[int], seconds: float) -> None:
    print(f"{'rows':>10}  {'':<13} {'calls/s':>8} {'p50 ms':>7} {'p99':>7} {'CPU ms/call':>12} {'worker MB':>10}")
    RESULTS.mkdir(parents=True, exist_ok=True)
    for size in sizes:
        with tempfile.TemporaryDirectory(dir=RESULTS, prefix="rows-") as folder, ExitStack() as stack:
            filled = Path(folder) / "years.sqlite3"
            copies = _COPIES if size >= _MANY else 1
            command = ["-m", "bench.history", "--calls", str(size), "--copies", str(copies)]
            # What it says goes aside: the table is ours.
            subprocess.run(
                [sys.executable, *command, "--database", f"sqlite:///{filled}"], check=True, stdout=subprocess.DEVNULL
            )
            running, terms = _started(stack, filled)
            for row in (_READ, _DELETION):
                _show_rows(size, row, running, Terms(terms.cores, terms.warm_up_s, seconds, terms.upstream_pid))


def _show_rows(size: int, row: Row, running: Running, terms: Terms) -> None:
    seen = measure(row, running, make_callers(_LINES), terms)
    print(
        f"{size:>10,}  {row.name:<13} {seen.per_second:>8,.0f} {seen.p50_ms:>7.2f} {seen.p99_ms:>7.2f}"
        f" {seen.cpu_ms:>12.3f} {seen.worker_mb:>10.0f}",
        flush=True,
    )


def _tokens(sizes: list[int], seconds: float) -> None:
    print(f"{'tokens':>10} {'calls/s':>8} {'p50 ms':>7} {'p99':>7} {'CPU ms/call':>12} {'worker MB':>10}")
    for size in sizes:
        with ExitStack() as stack:
            running, terms = _started(stack)
            drive = stack.enter_context(driven(_READ, running, make_callers(size), terms, lines=_LINES))
            drive(terms.warm_up_s)
            before = settled_cpu_s(running.pid)
            seen = drive(seconds)
            used = settled_cpu_s(running.pid) - before
            print(
                f"{size:>10,} {seen['per_second']:>8,.0f} {seen['p50_ms']:>7.2f} {seen['p99_ms']:>7.2f}"
                f" {used * 1000 / seen['calls']:>12.3f} {worker_mb(running.pid):>10.0f}",
                flush=True,
            )


def _calls(wanted: int, seconds: float) -> None:
    print(f"{'calls':>10} {'calls/s':>8} {'worker MB':>10}")
    with ExitStack() as stack:
        running, terms = _started(stack)
        drive = stack.enter_context(driven(_READ, running, make_callers(_LINES), terms, lines=_LINES))
        made, began = 0, time.monotonic()
        print(f"{made:>10,} {'':>8} {worker_mb(running.pid):>10.1f}", flush=True)
        while made < wanted:
            seen = drive(seconds)
            made += seen["calls"]
            print(f"{made:>10,} {seen['per_second']:>8,.0f} {worker_mb(running.pid):>10.1f}", flush=True)
        print(f"{made:,} calls in {time.monotonic() - began:,.0f} s.")


def main() -> None:
    """Measure what was asked for, and print it as a table."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("what", choices=["rows", "tokens", "calls"])
    parser.add_argument("--sizes", type=int, nargs="+", default=[10, 10_000], help="rows, or tokens in use")
    parser.add_argument("--calls", type=int, default=200_000, help="how many calls (200000)")
    parser.add_argument("--seconds", type=float, default=5.0, help="length of one reading (5)")
    arguments = parser.parse_args()
    if arguments.what == "rows":
        _rows(arguments.sizes, arguments.seconds)
    elif arguments.what == "tokens":
        _tokens(arguments.sizes, arguments.seconds)
    else:
        _calls(arguments.calls, arguments.seconds)
    machine = description()
    print(f"{machine['cores']} cores of {machine['cpu']}, Python {machine['python']}, load {machine['load_before']}.")


if __name__ == "__main__":
    main()
