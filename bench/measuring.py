"""Measures one row once: warm up, come to rest, run, come to rest, and ask the record whether it is complete."""

import json
import subprocess
import time
from collections.abc import Callable, Iterator, Sequence
from contextlib import contextmanager
from dataclasses import dataclass, replace
from functools import partial
from typing import Any

from bench.callers import Caller
from bench.contest import Row, Running
from bench.machine import busy_s, cpu_s, settled_cpu_s, worker_mb
from bench.paths import PYTHON, ROOT, Cores, running_on
from bench.records import Records, WrongRecordError, check_owners, check_records, read_records

_WRITTEN_WITHIN_S = 10.0


@dataclass(frozen=True, slots=True)
class Reading:
    """What one row showed in one round. `other_load` is how many cores others kept busy."""

    calls: int
    per_second: float
    p50_ms: float
    p95_ms: float
    p99_ms: float
    cpu_ms: float
    worker_mb: float
    other_load: float


Drive = Callable[[float], dict[str, Any]]


class LoadError(Exception):
    """The load generator gave up; its own message stands on standard error."""


@contextmanager
def _generator(
    row: Row, port: int, callers: Sequence[Caller], cores: set[int], *, lines: int = 0
) -> Iterator[subprocess.Popen[str]]:
    job = {
        "port": port,
        "kind": row.kind,
        "version": row.version,
        "callers": [caller.as_json() for caller in callers],
        "lines": lines or len(callers),
    }
    with running_on(cores):
        process = subprocess.Popen(
            [str(PYTHON), "-m", "bench.load"],
            stdin=subprocess.PIPE,
            stdout=subprocess.PIPE,
            text=True,
            cwd=ROOT,
        )
    assert process.stdin is not None
    try:
        process.stdin.write(json.dumps(job) + "\n")
        process.stdin.flush()
        yield process
    finally:
        process.stdin.close()
        process.wait(timeout=30)


def _drive(generator: subprocess.Popen[str], seconds: float) -> dict[str, Any]:
    assert generator.stdin is not None
    assert generator.stdout is not None
    generator.stdin.write(f"{seconds}\n")
    generator.stdin.flush()
    line = generator.stdout.readline()
    if not line:
        raise LoadError
    seen: dict[str, Any] = json.loads(line)
    return seen


@dataclass(frozen=True, slots=True)
class Terms:
    """The same for every reading: where things run, and for how long."""

    cores: Cores
    warm_up_s: float
    seconds: float
    upstream_pid: int


@contextmanager
def driven(row: Row, running: Running, callers: Sequence[Caller], terms: Terms, *, lines: int) -> Iterator[Drive]:
    """What loads `running` for so many seconds and says what it saw, over `lines` connections."""
    with _generator(row, running.port, callers, terms.cores.load, lines=lines) as generator:
        yield partial(_drive, generator)


def measure(row: Row, running: Running, callers: Sequence[Caller], terms: Terms) -> Reading:
    """One reading of `row`; raises where a reply was not the caller's own or a call was not recorded."""
    # The upstream, measured for itself, gets the generator out of its way.
    place = terms.cores.contender if row.contender == "upstream" else terms.cores.load
    unwarmed = _recorded(running)
    with _generator(row, running.port, _sending(row, running, callers), place) as generator:
        warmed = _drive(generator, terms.warm_up_s)
        # On a busy machine a row of the warm-up could else be written, and counted, during the reading.
        _check_recorded(running, unwarmed, warmed, row)
        before, recorded = settled_cpu_s(running.pid), _recorded(running)
        ours = {running.pid, generator.pid, terms.upstream_pid}
        others = busy_s() - sum(map(cpu_s, ours))
        seen = _drive(generator, terms.seconds)
        others = busy_s() - sum(map(cpu_s, ours)) - others
        held = worker_mb(running.pid)
        used = settled_cpu_s(running.pid) - before
    _check_recorded(running, recorded, seen, row)
    if running.database is not None:
        check_owners(running.database, callers)
    return Reading(
        calls=seen["calls"],
        per_second=seen["per_second"],
        p50_ms=seen["p50_ms"],
        p95_ms=seen["p95_ms"],
        p99_ms=seen["p99_ms"],
        cpu_ms=used * 1000 / seen["calls"],
        worker_mb=held,
        other_load=max(0.0, others) / terms.seconds,
    )


def _sending(row: Row, running: Running, callers: Sequence[Caller]) -> Sequence[Caller]:
    """The callers with what they send: their token, or what they have instead once they signed in."""
    if not row.is_signed_in:
        return callers
    assert running.sign_in is not None
    sealed = running.sign_in([caller.token for caller in callers])
    return [replace(caller, token=text) for caller, text in zip(callers, sealed, strict=True)]


def _check_recorded(running: Running, before: Records | None, seen: dict[str, Any], row: Row) -> None:
    """`check_records`, once the last rows had the time to be written on a machine that others keep busy."""
    if running.database is None or before is None:
        return
    until = time.monotonic() + _WRITTEN_WITHIN_S
    while True:
        made = read_records(running.database) - before
        try:
            check_records(made, calls=seen["calls"], audit_rows=row.audit_rows)
        except WrongRecordError:
            if time.monotonic() > until:
                raise
            time.sleep(0.1)
        else:
            return


def _recorded(running: Running) -> Records | None:
    return read_records(running.database) if running.database is not None else None
