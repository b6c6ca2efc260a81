"""Times both verifiers on an untouched chain, as it lies in the database and as an export of it.

.venv/bin/python -m bench.verify --rows 100000
"""

import argparse
import json
import os
import resource
import secrets
import subprocess
import sys
import tempfile
import time
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from dataclasses import replace
from pathlib import Path
from typing import Any

from bench.paths import RESULTS, ROOT

_ORG = "5b0e6a3c-0d3f-4a57-9f0e-6b1f5f1f7a10"
_ROWS_A_COMMIT = 500
_ROWS_A_CHECKPOINT = 1000


@contextmanager
def _console() -> Iterator[Path]:
    """A folder of the bench's own, with a migrated database that is Django's until the end of the block."""
    RESULTS.mkdir(parents=True, exist_ok=True)
    with tempfile.TemporaryDirectory(dir=RESULTS, prefix="verify-") as folder:
        os.environ.update(
            DJANGO_SETTINGS_MODULE="hoursmith_console.settings",
            DATABASE_URL=f"sqlite:///{folder}/console.sqlite3",
            VAR_DIR=folder,
            SECRET_KEY=secrets.token_urlsafe(48),
            AUDIT_SIGNING_KEY=secrets.token_urlsafe(48),
            LOG_LEVEL="WARNING",
        )
        import django

        django.setup()
        from django.core.management import call_command
        from django.db import connections

        call_command("migrate", "mcpbridge", verbosity=0)
        yield Path(folder)
        connections.close_all()


def _fill(rows: int) -> None:
    """Write `rows` rows by the bridge's own writer, intent and outcome in turns, and sign checkpoints on the way."""
    from django.db import transaction

    from bench.upstream import time_entry
    from mcpbridge.audit.checkpoints import make_checkpoints
    from mcpbridge.audit.rows import append_rows, intent_row, outcome_row
    from tests.call_records import OWNER, SUCCEEDED, a_call

    identity = replace(OWNER, org_id=_ORG)
    for start in range(0, rows, _ROWS_A_COMMIT):
        made: list[Any] = []
        for number in range(start, min(start + _ROWS_A_COMMIT, rows), 2):
            call = a_call(identity=identity, target_id=f"entry-{number}", target_label="Glöbex")
            made += [
                intent_row(call, snapshot=time_entry(f"entry-{number}", "a note"), snapshot_fault=""),
                outcome_row(call, SUCCEEDED),
            ]
        with transaction.atomic():
            append_rows("default", made[: rows - start])
        if (start + len(made)) % _ROWS_A_CHECKPOINT == 0:
            make_checkpoints(reason="rows")
    make_checkpoints(reason="shutdown")


def _timed(name: str, rows: int, work: Callable[[], bool]) -> None:
    """Do `work` and print what it took; it says whether the chain holds."""
    started, cpu = time.perf_counter(), _cpu_s()
    holds = work()
    took, cpu = time.perf_counter() - started, _cpu_s() - cpu
    verdict = "holds" if holds else "DOES NOT HOLD"
    print(f"{name:<34} {verdict:<14} {took:>7.2f} s {took / rows * 1e6:>7.1f} µs a row, CPU {cpu / rows * 1e6:>6.1f}")
    if not holds:
        sys.exit(1)


def _cpu_s() -> float:
    both = (resource.getrusage(who) for who in (resource.RUSAGE_SELF, resource.RUSAGE_CHILDREN))
    return sum(used.ru_utime + used.ru_stime for used in both)


def _alone(export: Path, keys: Path) -> bool:
    """Whether the chain holds by the file that stands alone, in a process of its own."""
    command = [sys.executable, "-I", str(ROOT / "docs" / "verify_audit.py"), str(export), str(keys)]
    command += ["--fingerprint", json.loads(keys.read_text(encoding="utf-8"))["keys"][0]["fingerprint"]]
    return subprocess.run(command, check=False, stdout=subprocess.DEVNULL).returncode == 0


def _measure(rows: int, folder: Path) -> None:
    from mcpbridge.audit.export.jsonl import lines
    from mcpbridge.audit.export.source import Selection
    from mcpbridge.audit.keyring import key_line, published_keys
    from mcpbridge.audit.verification.sources import verify_export, verify_stored

    export, keys = folder / "export.jsonl", folder / "key.json"
    keys.write_text(json.dumps(published_keys()), encoding="utf-8")

    def written() -> bool:
        with export.open("wb") as file:
            file.writelines(lines(Selection(workspace=_ORG)))
        return True

    def from_export() -> bool:
        with export.open("rb") as file:
            return verify_export(file, key_line("default")).is_ok

    _timed("console's, in the database", rows, lambda: verify_stored(workspace=_ORG).is_ok)
    _timed("exporting it", rows, written)
    _timed("console's, on the export", rows, from_export)
    _timed("docs/verify_audit.py, a process", rows, lambda: _alone(export, keys))
    print(f"The export has {export.stat().st_size / rows:,.0f} bytes a row.")


def main() -> None:
    """Make the chain, and time the verifiers."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--rows", type=int, default=100_000, help="length of the chain (100000)")
    arguments = parser.parse_args()
    if not 1 <= arguments.rows <= 10_000_000:
        parser.error("rows: 1 to 10,000,000")
    with _console() as folder:
        _timed("writing the chain", arguments.rows, lambda: _fill(arguments.rows) is None)
        _measure(arguments.rows, folder)


if __name__ == "__main__":
    main()
