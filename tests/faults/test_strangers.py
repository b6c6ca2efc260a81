"""Strangers who know the prefix of a token cannot get in the way of whoever has the token."""

import os
import signal
from collections import Counter
from collections.abc import Iterator
from pathlib import Path

import pytest

from tests.faults.conftest import prefix_of
from tests.faults.mcp import call_tool
from tests.servers import Served, served_console
from tests.token_shapes import assembled_token

WRONG_SECRETS, CALLS = 16, 36


@pytest.fixture
def console(tmp_path: Path) -> Iterator[Served]:
    """A console with two workers, in front of the sandbox with all its limits."""
    with served_console(tmp_path, workers=2, static=False) as served:
        yield served


def restarted(console: Served) -> None:
    console.stop()
    console.start()


def reloaded(console: Served) -> None:
    old = set(console.worker_pids())
    os.kill(console.pid, signal.SIGHUP)
    while old & set(console.worker_pids()) or len(console.worker_pids()) < 2:
        call_tool(console, "", "get_me")


@pytest.mark.parametrize("begun_again", [restarted, reloaded])
def test_wrong_secrets_with_the_prefix_never_lock_the_token_out(console: Served, begun_again: object) -> None:
    token = console.mint_for("OWNER")
    assert call_tool(console, token, "get_me").status == 200
    _written(console, token)
    assert callable(begun_again)
    begun_again(console)
    wrong = [assembled_token(prefix_of(token), secret=f"wrong{number:03}") for number in range(WRONG_SECRETS)]
    refused = Counter(call_tool(console, each, "get_me").status for each in wrong)
    assert set(refused) <= {401, 429}
    assert Counter(call_tool(console, token, "get_me").status for _ in range(CALLS)) == {200: CALLS}


def _written(console: Served, token: str) -> None:
    """Wait until the recorder has written the token down."""
    code = f"""
import json, time
from mcpbridge.models import ObservedToken
while not ObservedToken.objects.filter(prefix="{prefix_of(token)}", token_digest__isnull=False).exists():
    time.sleep(0.05)
print(json.dumps(True))
"""
    assert console.shell(code) is True
