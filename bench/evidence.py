"""Times evidence of one call and of a filtered list, out of a long log: how long it takes to make and to verify.

.venv/bin/python -m bench.evidence --rows 1000000 [--database postgres://…]
"""

import argparse
import os
import resource
import secrets
import subprocess
import sys
import tempfile
import time
import uuid
from collections.abc import Iterator
from contextlib import contextmanager
from datetime import UTC, datetime, timedelta
from pathlib import Path
from typing import Any

from bench.paths import RESULTS, ROOT

_ORG = "5b0e6a3c-0d3f-4a57-9f0e-6b1f5f1f7a10"
_LOAD = 10_000
# Every hundredth call is of another tool: those of the filtered list.
_RARE, _USUAL, _EVERY = "archive_project", "delete_client", 100
_BEGIN = datetime(2026, 1, 1, tzinfo=UTC)


@contextmanager
def _console(database: str) -> Iterator[Path]:
    """A folder of the bench's own, with a migrated database that is Django's until the end of the block."""
    RESULTS.mkdir(parents=True, exist_ok=True)
    with tempfile.TemporaryDirectory(dir=RESULTS, prefix="evidence-") as folder:
        os.environ.update(
            DJANGO_SETTINGS_MODULE="hoursmith_console.settings",
            DATABASE_URL=database or f"sqlite:///{folder}/console.sqlite3",
            VAR_DIR=folder,
            SECRET_KEY=secrets.token_urlsafe(48),
            AUDIT_SIGNING_KEY=secrets.token_urlsafe(48),
            LOG_LEVEL="WARNING",
        )
        import django

        django.setup()
        from django.core.management import call_command
        from django.db import connections

        call_command("migrate", verbosity=0)
        yield Path(folder)
        connections.close_all()


def _rows(count: int) -> Iterator[dict[str, Any]]:
    """The columns of the rows: intent and outcome in turns, as links of one chain of format 2."""
    from mcpbridge.audit.hashchain import genesis, link

    head = genesis(_ORG)
    for number in range(count):
        is_intent = number % 2 == 0
        call = number // 2
        at = _BEGIN + timedelta(seconds=call)
        name = f"Client {call % 997}"
        row: dict[str, Any] = {
            **{"id": uuid.UUID(int=number + 1), "call_id": uuid.UUID(int=(1 << 90) + call), "org_id": _ORG},
            **{"phase": "intent" if is_intent else "outcome", "recorded_at": at, "at": at, "org_name": "Studio Nord"},
            **{"tool": _USUAL if call % _EVERY else _RARE, "kind": "destructive", "target_type": "client"},
            **{"target_id": str(uuid.UUID(int=call % 997)), "target_label": name, "snapshot_fault": ""},
            **{"arguments": {"id": str(uuid.UUID(int=call % 997))}, "code": "", "actor": "", "note": ""},
            **{"snapshot": {"name": name, "notes": "as it was", "rate": "85.00"} if is_intent else None},
            **{"result": "" if is_intent else "succeeded", "status": None if is_intent else 204},
            **{"duration_ms": None if is_intent else 87.5, "env": "live", "prefix": "4f8a2c1bdedf"},
            **{"token_name": "Ana's laptop", "role": "OWNER", "client_name": "Claude Desktop"},
            **{"client_version": "1.2", "connection": "", "protocol": "2026-07-28", "transport": "http"},
            **{"address": "198.51.100.7", "request_id": f"r-{call}"},
        }
        head = link(row, head, epoch=1)
        yield row


def _fill(count: int) -> None:
    from django.db import connection, transaction

    from bench.loading import Loader, bare
    from mcpbridge.models import AuditEvent

    loader, batch = Loader(connection, AuditEvent), []
    with bare(connection, ("mcpbridge_auditevent",)):
        for row in _rows(count):
            batch.append(row)
            if len(batch) == _LOAD:
                with transaction.atomic():
                    loader.load(batch)
                batch.clear()
        with transaction.atomic():
            loader.load(batch)
    with connection.cursor() as cursor:
        cursor.execute("ANALYZE")


def _sign(count: int) -> None:
    """Build the tiles, and sign the whole log."""
    from django.db import transaction
    from django.utils import timezone

    from mcpbridge.audit.hashchain import instant
    from mcpbridge.audit.heads import head_of
    from mcpbridge.audit.keyring import register_first_key
    from mcpbridge.audit.log_tree.tiles import extend_stored, stored_leaves
    from mcpbridge.audit.signing import configured_key
    from mcpbridge.audit.tree.merkle import CompactRange
    from mcpbridge.audit.tree.statements import CheckpointStatement
    from mcpbridge.models import SigningHead

    tree = CompactRange()
    tree.extend(stored_leaves("default", _ORG, 1, count + 1))
    with transaction.atomic():
        assert extend_stored("default", _ORG, first=1, to=tree)
    register_first_key("default")
    at, key, head = timezone.now(), configured_key(), head_of("default", _ORG)
    statement = CheckpointStatement(f"bench/{_ORG}/1", head.sequence, head.hash, tree.root().hex(), instant(at))
    SigningHead.objects.create(
        org_id=_ORG, sequence=head.sequence, hash=head.hash, at=at, key_id=key.key_id, reason="rows",
        signature=key.sign(statement.message), origin=statement.origin, root=statement.root,
        signed_note=statement.head.signed(key),
    )  # fmt: skip


def _cpu_s(who: int) -> float:
    used = resource.getrusage(who)
    return used.ru_utime + used.ru_stime


def _measure(folder: Path, name: str, scope: Any) -> None:
    from hoursmith_console.audit.evidence.options import Options
    from hoursmith_console.audit.evidence.package import EvidencePackage, Maker, selected
    from hoursmith_console.audit.evidence.stored import open_log

    started, cpu, path = time.perf_counter(), _cpu_s(resource.RUSAGE_SELF), folder / "evidence.zip"
    numbers = selected(scope)
    log = open_log(_ORG, until=numbers[-1])
    package = EvidencePackage(scope, numbers, Options(), log, Maker("Ana <ana@example.com>", "Studio Nord"))
    first = None
    with path.open("wb") as file:
        for _, part in package.parts():
            first = first or time.perf_counter() - started
            file.write(part)
    made, made_cpu = time.perf_counter() - started, _cpu_s(resource.RUSAGE_SELF) - cpu
    command = [sys.executable, "-I", str(ROOT / "docs" / "verify_audit.py"), str(path)]
    started, cpu = time.perf_counter(), _cpu_s(resource.RUSAGE_CHILDREN)
    told = subprocess.run([*command, "--fingerprint", log.fingerprint], check=False, capture_output=True, text=True)
    verified, verified_cpu = time.perf_counter() - started, _cpu_s(resource.RUSAGE_CHILDREN) - cpu
    print(
        f"{name}, {len(package.shown):,} entries: made in {made:.2f} s (CPU {made_cpu:.2f}, first byte after"
        f" {first:.2f}), {path.stat().st_size:,} bytes, verified in {verified:.2f} s (CPU {verified_cpu:.2f}),"
        f" exit code {told.returncode}"
    )
    print(told.stdout + told.stderr)


def main() -> None:
    """Make the log, and time the evidence."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--rows", type=int, default=1_000_000, help="length of the log (1000000)")
    parser.add_argument("--database", default="", help="URL of an empty database (a SQLite file of its own)")
    arguments = parser.parse_args()
    with _console(arguments.database) as folder:
        from hoursmith_console.audit.evidence.scopes import Scope, scope_of_call
        from hoursmith_console.audit.exporting import Filtered
        from mcpbridge.audit.export.source import Selection
        from mcpbridge.models import AuditEvent

        started = time.perf_counter()
        _fill(arguments.rows)
        print(f"{arguments.rows:,} rows after {time.perf_counter() - started:.0f} s", flush=True)
        _sign(arguments.rows)
        print(f"signed after {time.perf_counter() - started:.0f} s", flush=True)
        call = AuditEvent.objects.get(org_id=_ORG, sequence=arguments.rows // 2 + 1)
        for _ in range(2):
            _measure(folder, "One call", scope_of_call(call))
        listed = AuditEvent.objects.filter(org_id=_ORG, tool=_RARE, phase__in=("intent", "event"))
        selection = Selection(workspace=_ORG, narrow=Filtered(listed), also=(("page", f"tool={_RARE}"),))
        _measure(folder, "A filtered list", Scope(_RARE, _RARE, "evidence", selection, "/audit/", "Audit log"))


if __name__ == "__main__":
    main()
