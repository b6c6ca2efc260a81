"""The same on PostgreSQL: what depends on the database is tested there again, in a process of its own."""

import os
import subprocess
import sys
from collections.abc import Callable
from pathlib import Path

from tests.paths import ROOT
from tests.postgres import shared_cluster

HERE = Path(__file__).parent
FILES = ("api/test_lists.py", "api/test_idempotency.py", "api/test_limits.py", "test_seed.py")
# Orders with nulls, folded case, dates, exact amounts; claims; counters; a seed that is locked and made anew.
CHOSEN = "paging or search_finds or plain_date or amounts or repeat or dead_process or windows or behind or reset_makes"


def test_lists_keys_limits_and_seed_are_the_same_on_postgresql(needs: Callable[[bool, str], None]) -> None:
    cluster = shared_cluster(needs)
    # Folding case beyond ASCII is the locale's to do there, and the test server's own locale has none.
    cluster.execute('DROP DATABASE IF EXISTS "test_sandbox"')
    cluster.execute("CREATE DATABASE \"test_sandbox\" TEMPLATE template0 LOCALE 'C.UTF-8'")
    command = [
        sys.executable,
        "-m",
        "pytest",
        "-q",
        "--reuse-db",
        "-x",
        "-k",
        CHOSEN,
        *(str(HERE / name) for name in FILES),
    ]
    environment = {**os.environ, "DATABASE_URL": cluster.url("sandbox")}
    environment = {name: value for name, value in environment.items() if not name.startswith("PYTEST_")}
    done = subprocess.run(command, env=environment, cwd=ROOT, capture_output=True, text=True, timeout=300)
    assert done.returncode == 0, done.stdout[-4000:] + done.stderr[-2000:]
    assert " passed" in done.stdout
