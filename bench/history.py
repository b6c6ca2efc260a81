"""Fills an empty database with years of records: activity, a chained audit record, tokens, assistants, people.

nice .venv/bin/python -m bench.history --calls 10000000 --database sqlite:////tmp/years.sqlite3

As many audit rows are made as a tenth of the calls: two for each destructive one. With `--copies 10` only the last
tenth of the time is made up, and the database repeats it nine times further back, which is much faster; the audit
record is chained through all of it. Secondary indexes and triggers are taken away meanwhile and put back, and SQLite
keeps no journal: an interrupted run leaves nothing usable.
"""

import argparse
import os
import secrets
import sqlite3
import time
from collections.abc import Iterator
from contextlib import contextmanager
from datetime import timedelta
from itertools import islice
from pathlib import Path
from typing import Any
from uuid import UUID

from bench.places import RESULTS

_CHUNK = 5_000
_TABLES = ("mcpbridge_toolcall", "mcpbridge_auditevent")


def use_database(url: str) -> None:
    """Set Django up on the database at `url`, with secrets of this database's own."""
    folder = RESULTS / "years"
    folder.mkdir(parents=True, exist_ok=True)
    key = folder / "key"
    if not key.exists():
        key.write_text(secrets.token_urlsafe(48), encoding="utf-8")
    os.environ.update(
        DJANGO_SETTINGS_MODULE="tests.settings",
        DATABASE_URL=url,
        VAR_DIR=str(folder),
        SECRET_KEY=key.read_text(encoding="utf-8"),
        AUDIT_SIGNING_KEY=key.read_text(encoding="utf-8"),
        LOG_LEVEL="WARNING",
    )
    import django

    django.setup()


@contextmanager
def _bare(connection: Any) -> Iterator[None]:
    """The tables without their secondary indexes and triggers until the end of the block."""
    names = ", ".join(f"'{name}'" for name in _TABLES)
    with connection.cursor() as cursor:
        if connection.vendor == "sqlite":
            cursor.execute(
                f"SELECT type, name, sql FROM sqlite_master WHERE tbl_name IN ({names}) AND sql IS NOT NULL"
                " AND type IN ('index', 'trigger')"
            )
            found = cursor.fetchall()
        else:
            cursor.execute(
                "SELECT 'index', indexname, indexdef FROM pg_indexes"
                f" WHERE tablename IN ({names}) AND indexname NOT IN"
                " (SELECT conname FROM pg_constraint)"
            )
            found = cursor.fetchall()
        for kind, name, _ in found:
            cursor.execute(f"DROP {kind} {name}")
    yield
    with connection.cursor() as cursor:
        for _, name, sql in sorted(found):
            started = time.perf_counter()
            cursor.execute(sql)
            print(f"  {name}: {time.perf_counter() - started:.0f} s", flush=True)


class _Loader:
    """Puts rows into one table, by COPY or by one prepared statement."""

    def __init__(self, connection: Any, model: Any) -> None:
        self._connection = connection
        self._fields = [field for field in model._meta.concrete_fields if field.get_internal_type() != "BigAutoField"]
        self._table = model._meta.db_table

    def load(self, rows: list[dict[str, Any]]) -> None:
        """Insert `rows`, each with every column."""
        from django.db import models

        plain = (models.CharField, models.IntegerField, models.FloatField)
        preparing = [None if isinstance(field, plain) else field.get_db_prep_save for field in self._fields]
        names = [field.attname for field in self._fields]
        values = [
            [
                row[name] if prepare is None else prepare(row[name], self._connection)
                for name, prepare in zip(names, preparing, strict=True)
            ]
            for row in rows
        ]
        columns = ", ".join(f'"{field.column}"' for field in self._fields)
        with self._connection.cursor() as cursor:
            if self._connection.vendor == "sqlite":
                marks = ", ".join(["%s"] * len(names))
                cursor.executemany(f"INSERT INTO {self._table} ({columns}) VALUES ({marks})", values)
            else:
                with cursor.copy(f"COPY {self._table} ({columns}) FROM STDIN") as copy:
                    for row in values:
                        copy.write_row(row)


class _Record:
    """Turns destructive calls into pairs of chained rows."""

    def __init__(self) -> None:
        from mcpbridge.chain import genesis
        from mcpbridge.models import AuditEvent

        self._genesis = genesis
        self._names = [field.attname for field in AuditEvent._meta.concrete_fields]
        self._heads: dict[str, Any] = {}
        self.rows = 0

    def of(self, call: dict[str, Any]) -> Iterator[dict[str, Any]]:
        """The intent and the outcome of one destructive call; a lost one's outcome never came."""
        said = {"org_name": "Years & Sons", "actor": "", "note": "", "snapshot_fault": ""}
        ending = {"result": call["result"], "status": call["status"], "code": call["code"]}
        snapshot = {"id": call["target_id"], "name": call["target_label"], "notes": "as it was"}
        nothing = {"result": "", "status": None, "code": "", "duration_ms": None}
        yield self._row(call, said | nothing, "intent", call["at"], snapshot)
        after = call["at"] + timedelta(milliseconds=87)
        if call["result"] == "unknown":
            yield self._row(call, said | nothing, "unknown", after + timedelta(minutes=2), None)
        else:
            yield self._row(call, said | ending, "outcome", after, None)

    def _row(self, call: dict[str, Any], said: dict[str, Any], phase: str, at: Any, snapshot: Any) -> dict[str, Any]:
        from mcpbridge.chain import link

        self.rows += 1
        row = {name: call.get(name) for name in self._names} | said
        row |= {
            "id": UUID(int=(int(at.timestamp() * 1000) << 80) | (1 << 79) | self.rows),
            "phase": phase,
            "recorded_at": at,
        }
        row["snapshot"] = snapshot
        org_id = call["org_id"]
        self._heads[org_id] = link(row, self._heads.get(org_id) or self._genesis(org_id))
        return row


_COPIED_ID = {
    "sqlite": "substr(call_id, 1, 15) || '{copy:x}' || substr(call_id, 17)",
    "postgresql": "overlay(replace(call_id::text, '-', '') placing '{copy:x}' from 16 for 1)::uuid",
}
_COPIED_AT = {
    "sqlite": "strftime('%%Y-%%m-%%d %%H:%%M:%%f000', at, '-{days} days')",
    "postgresql": "at - interval '{days} days'",
}


def _copied(call: dict[str, Any], copy: int, days: int) -> dict[str, Any]:
    """The same call in the `copy`th repetition, as the database makes it."""
    call_id = UUID(int=call["call_id"].int | copy << 64)
    return call | {"call_id": call_id, "at": call["at"] - timedelta(days=copy * days)}


def _repeat(connection: Any, model: Any, copies: int, days: int) -> None:
    columns = [field.column for field in model._meta.concrete_fields if field.column != "id"]
    table, last = model._meta.db_table, model.objects.order_by("-pk").values_list("pk", flat=True).first()
    with connection.cursor() as cursor:
        for copy in range(1, copies):
            made = {
                "call_id": _COPIED_ID[connection.vendor].format(copy=copy),
                "at": _COPIED_AT[connection.vendor].format(days=copy * days),
            }
            values = ", ".join(made.get(column, f'"{column}"') for column in columns)
            names = ", ".join(f'"{column}"' for column in columns)
            cursor.execute(f"INSERT INTO {table} ({names}) SELECT {values} FROM {table} WHERE id <= {last}", [])


def _fill(calls: int, tokens: int, copies: int) -> None:
    from django.db import connection

    from bench.people import people_make, sightings_make
    from bench.world import DAYS, World, now_in_full_hours
    from mcpbridge.models import AuditEvent, ToolCall

    days = DAYS // copies
    world, record, started = World(calls=calls // copies, tokens=tokens), _Record(), time.perf_counter()
    if connection.vendor == "sqlite":
        # The database is made anew: no journal has to bring anything back.
        with connection.cursor() as cursor:
            for pragma in ("journal_mode=OFF", "synchronous=OFF", "cache_size=-400000", "locking_mode=EXCLUSIVE"):
                cursor.execute(f"PRAGMA {pragma}")
    from django.db import transaction

    with _bare(connection):
        activity, audit = _Loader(connection, ToolCall), _Loader(connection, AuditEvent)
        made, done = world.calls(now_in_full_hours(), days), 0
        destructive = []
        while rows := list(islice(made, _CHUNK)):
            with transaction.atomic():
                activity.load(rows)
            destructive += [call for call in rows if call["kind"] == "destructive"]
            done += len(rows)
        print(f"  {done:,} calls made up, {time.perf_counter() - started:.0f} s", flush=True)
        _repeat(connection, ToolCall, copies, days)
        print(f"  and repeated, {time.perf_counter() - started:.0f} s", flush=True)
        for copy in reversed(range(copies)):
            for start in range(0, len(destructive), _CHUNK):
                with transaction.atomic():
                    chosen = (_copied(call, copy, days) for call in destructive[start : start + _CHUNK])
                    audit.load([row for call in chosen for row in record.of(call)])
        print(f"  {record.rows:,} audit rows, {time.perf_counter() - started:.0f} s", flush=True)
        done *= copies
    with transaction.atomic():
        sightings_make(world, copies, days)
        people_make(world)
    _finish(connection)
    print(f"{done:,} calls and {record.rows:,} audit rows in {time.perf_counter() - started:.0f} s")


def _finish(connection: Any) -> None:
    """Forget the counts that no page shows, sign the chains, and let the database look at what it has."""
    from django.utils import timezone

    from mcpbridge.checkpoints import checkpoint_make
    from mcpbridge.tallies import forget_old_hours

    forget_old_hours("default", now=timezone.now())
    if connection.vendor == "sqlite":
        with connection.cursor() as cursor:
            cursor.execute("ANALYZE")
        connection.close()
        path = connection.settings_dict["NAME"]
        with sqlite3.connect(path) as plain:
            plain.execute("PRAGMA journal_mode=WAL")
    else:
        with connection.cursor() as cursor:
            cursor.execute("VACUUM (ANALYZE)")
    checkpoint_make(reason="demand")


def main() -> None:
    """Make the database."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--calls", type=int, default=1_000_000, help="rows of activity (1000000)")
    parser.add_argument("--tokens", type=int, default=2_000, help="tokens in use over the years (2000)")
    parser.add_argument("--copies", type=int, default=1, choices=range(1, 16), help="how often time repeats itself (1)")
    parser.add_argument("--database", required=True, help="URL of an empty database, or of a file that is not there")
    arguments = parser.parse_args()
    if arguments.database.startswith("sqlite:///"):
        Path(arguments.database.removeprefix("sqlite:///")).parent.mkdir(parents=True, exist_ok=True)
    use_database(arguments.database)
    from django.core.management import call_command

    call_command("migrate", verbosity=0)
    _fill(arguments.calls, arguments.tokens, arguments.copies)


if __name__ == "__main__":
    main()
