"""Looks into the bridge's database: was every call recorded, and every deletion with the caller's own record?"""

import json
import sqlite3
from collections.abc import Iterable
from contextlib import closing
from dataclasses import dataclass
from pathlib import Path

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


def read_records(database: Path) -> Records:
    """What the bridge at `database` has recorded so far."""
    with closing(sqlite3.connect(f"file:{database}?mode=ro", uri=True)) as connection:
        rows = [
            connection.execute(query).fetchone()[0]
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


def check_owners(database: Path, callers: Iterable[Caller]) -> None:
    """Raise WrongRecordError unless each caller was seen, and no snapshot shows another caller's record."""
    echoes = {caller.prefix: caller.echo for caller in callers}
    with closing(sqlite3.connect(f"file:{database}?mode=ro", uri=True)) as connection:
        seen = {prefix for (prefix,) in connection.execute("SELECT prefix FROM mcpbridge_seentoken")}
        snapshots = connection.execute(
            "SELECT DISTINCT prefix, snapshot FROM mcpbridge_auditevent WHERE phase = 'intent'"
        ).fetchall()
    if missing := echoes.keys() - seen:
        raise WrongRecordError(f"Never seen: {sorted(missing)}")
    for prefix, snapshot in snapshots:
        if prefix in echoes and json.loads(snapshot)["note"] != echoes[prefix]:
            raise WrongRecordError(f"The snapshot of a call by {prefix} is another caller's record.")
