"""The same on PostgreSQL: invitations, synchronizations and identities, in a process of its own; and real races."""

import os
import subprocess
import sys
from collections.abc import Callable

import pytest

from tests.paths import ROOT
from tests.postgres import shared_cluster
from tests.prepared import EMPTY

HERE = ROOT / "tests/hoursmith_console"
PAGES = ("workspaces/test_member_sync.py", "members/test_account_takeover.py", "sign_in/oidc/test_identities.py")


@pytest.mark.parametrize("files", [PAGES, ("workspaces/races.py", "alerts/races.py")], ids=["pages", "races"])
def test_accounts_and_members_are_the_same_on_postgresql(
    needs: Callable[[bool, str], None], files: tuple[str, ...]
) -> None:
    cluster = shared_cluster(needs)
    # The process finds it migrated, and keeps it.
    cluster.create_database("test_accounts", template=EMPTY)
    command = [sys.executable, "-m", "pytest", "-q", "-x", *(str(HERE / name) for name in files)]
    environment = {**os.environ, "DATABASE_URL": cluster.url("accounts")}
    environment = {name: value for name, value in environment.items() if not name.startswith("PYTEST_")}
    done = subprocess.run(command, env=environment, cwd=ROOT, capture_output=True, text=True, timeout=400)
    assert done.returncode == 0, done.stdout[-4000:] + done.stderr[-2000:]
    assert " passed" in done.stdout
