"""Fills an empty database with years of records: activity, a chained audit record, tokens, assistants, people.

.venv/bin/python -m bench.history --calls 10000000 --copies 15 --database sqlite:////tmp/years.sqlite3

As many audit rows are made as a tenth of the calls: two for each destructive one. With `--copies 15` only the last
fifteenth of the time is made up, and the database repeats it further back, which is much faster; the audit record is
chained through all of it. Secondary indexes and triggers are taken away meanwhile and put back, and SQLite
keeps no journal: an interrupted run leaves nothing usable.
"""

import argparse
import os
import secrets
import sqlite3
import time
from collections.abc import Iterator
from datetime import timedelta
from itertools import islice
from pathlib import Path
from typing import Any
from uuid import UUID

from bench.loading import Loader, bare, be_quick, copied, repeat
from bench.paths import RESULTS

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
        LOG_LEVEL="ERROR",
    )
    import django

    django.setup()


class _Record:
    """Turns destructive calls into pairs of chained rows."""

    def __init__(self) -> None:
        from mcpbridge.audit.hashchain import genesis
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
        from mcpbridge.audit.hashchain import link

        self.rows += 1
        row = {name: call.get(name) for name in self._names} | said
        row |= {
            "id": UUID(int=(int(at.timestamp() * 1000) << 80) | (1 << 79) | self.rows),
            "phase": phase,
            "recorded_at": at,
        }
        row["snapshot"] = snapshot
        org_id = call["org_id"]
        self._heads[org_id] = link(row, self._heads.get(org_id) or self._genesis(org_id), epoch=1)
        return row


def _months_back(connection: Any, days: int) -> None:
    """Let the activity of the last `days` days lie in months, as it does where it came day by day."""
    from django.utils import timezone

    from mcpbridge.activity.partitions import make_month, month_of, months_of

    first, begin = months_of("default").first, month_of(timezone.now() - timedelta(days=days))
    table, start = "mcpbridge_toolcall", begin
    with connection.cursor() as cursor:
        cursor.execute(f"ALTER TABLE {table} DETACH PARTITION {table}_earlier")
        while begin < first:
            make_month(cursor, begin)
            begin = month_of(begin, 1)
        cursor.execute(
            f"ALTER TABLE {table} ATTACH PARTITION {table}_earlier FOR VALUES FROM (MINVALUE) TO (%s)", [start]
        )


def _fill(calls: int, tokens: int, copies: int) -> None:
    from django.db import connection

    from bench.fixtures import DAYS, World, now_in_full_hours
    from bench.people import people_make, sightings_make
    from mcpbridge.models import AuditEvent, ToolCall

    days = DAYS // copies
    world, record, started = World(calls=calls // copies, tokens=tokens), _Record(), time.perf_counter()
    be_quick(connection)
    from django.db import transaction

    if connection.vendor == "postgresql":
        _months_back(connection, days * copies)
    with bare(connection, _TABLES):
        activity, audit = Loader(connection, ToolCall), Loader(connection, AuditEvent)
        made, done = world.calls(now_in_full_hours(), days), 0
        destructive = []
        while rows := list(islice(made, _CHUNK)):
            with transaction.atomic():
                activity.load(rows)
            destructive += [call for call in rows if call["kind"] == "destructive"]
            done += len(rows)
        print(f"  {done:,} calls made up, {time.perf_counter() - started:.0f} s", flush=True)
        repeat(connection, ToolCall, copies, days)
        print(f"  and repeated, {time.perf_counter() - started:.0f} s", flush=True)
        for copy in reversed(range(copies)):
            for start in range(0, len(destructive), _CHUNK):
                with transaction.atomic():
                    chosen = (copied(call, copy, days) for call in destructive[start : start + _CHUNK])
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

    from mcpbridge.activity.usage import delete_old_hours
    from mcpbridge.audit.anchors.adoption import adopt_log
    from mcpbridge.audit.checkpoints import make_checkpoints
    from mcpbridge.audit.heads import chain_statuses

    delete_old_hours("default", now=timezone.now())
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
    for status in chain_statuses("default"):
        adopt_log(org_id=status.org_id, reason="The rows were loaded.", actor="bench")
    make_checkpoints(reason="demand")


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
