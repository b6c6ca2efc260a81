"""Looks into the bridge's database: was every call recorded, and every deletion with the caller's own record?"""

import json
import sqlite3
from collections.abc import Callable, Iterable, Iterator
from contextlib import closing, contextmanager
from dataclasses import dataclass
from typing import Any

import psycopg

from bench.callers import Caller


class WrongRecordError(Exception):
    """The record does not say what happened."""


@dataclass(frozen=True, slots=True)
class Records:
    """How many rows there are."""

    calls: int
    lost: int
    audit: int

    def __sub__(self, other: "Records") -> "Records":
        return Records(self.calls - other.calls, self.lost - other.lost, self.audit - other.audit)


@contextmanager
def _database(url: str) -> Iterator[Callable[[str], list[Any]]]:
    """What asks the database at `url` one question and gives all of its answer."""
    if url.startswith("sqlite:"):
        with closing(sqlite3.connect(f"file:{url.removeprefix('sqlite:///')}?mode=ro", uri=True)) as connection:
            yield lambda query: connection.execute(query).fetchall()
    else:
        with psycopg.connect(url, autocommit=True) as server:
            yield lambda query: server.execute(query.encode()).fetchall()


def read_records(database: str) -> Records:
    """What the bridge whose database is at the URL `database` has recorded so far."""
    with _database(database) as ask:
        rows = [
            int(ask(query)[0][0])
            for query in (
                "SELECT COUNT(*) FROM mcpbridge_toolcall",
                "SELECT COALESCE(SUM(calls), 0) FROM mcpbridge_activityloss",
                "SELECT COUNT(*) FROM mcpbridge_auditevent",
            )
        ]
    return Records(*rows)


def check_records(made: Records, *, calls: int, audit_rows: int) -> None:
    """Raise WrongRecordError unless there is a row for each of `calls`, and as many `audit_rows` for each."""
    expected = Records(calls, 0, audit_rows * calls)
    if made != expected:
        raise WrongRecordError(f"Recorded {made}, but made {expected}.")


def check_owners(database: str, callers: Iterable[Caller]) -> None:
    """Raise WrongRecordError unless each caller was seen, and no snapshot shows another caller's record."""
    echoes = {caller.prefix: caller.echo for caller in callers}
    with _database(database) as ask:
        seen = {prefix for (prefix,) in ask("SELECT prefix FROM mcpbridge_observedtoken")}
        snapshots = ask(
            "SELECT DISTINCT prefix, CAST(snapshot AS text) FROM mcpbridge_auditevent WHERE phase = 'intent'"
        )
    if missing := echoes.keys() - seen:
        raise WrongRecordError(f"Never seen: {sorted(missing)}")
    for prefix, snapshot in snapshots:
        if prefix in echoes and json.loads(snapshot)["note"] != echoes[prefix]:
            raise WrongRecordError(f"The snapshot of a call by {prefix} is another caller's record.")
