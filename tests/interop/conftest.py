"""What the interop tests share: a console on two workers, a token of its owner, and Node.js."""

import sqlite3
import time
from collections.abc import Callable, Iterator
from contextlib import closing
from pathlib import Path
from typing import Any, Protocol

import pytest

from tests.interop.node import Node, NodeUnavailableError, installed_node
from tests.interop.python_sdk_1 import ClientUnavailableError, installed_python
from tests.servers import Served, served_console

RECORDED_WITHIN_S = 5.0
# All clients here use one token, which is more than its budget would bear.
UNLIMITED = {"SANDBOX_RATE_LIMITS": "off"}


@pytest.fixture(scope="module")
def console(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Served]:
    """A console on two workers, so that nothing can live in one worker's memory unnoticed."""
    folder = tmp_path_factory.mktemp("interop-console")
    with served_console(folder, env=UNLIMITED, workers=2) as served:
        yield served
        assert "Traceback" not in served.output()


@pytest.fixture(scope="module")
def owner_token(console: Served) -> str:
    return console.mint_for("OWNER", "Interop")


@pytest.fixture(scope="session")
def node(needs: Callable[[bool, str], None]) -> Node:
    try:
        return installed_node()
    except NodeUnavailableError as error:
        needs(False, str(error))
        raise


@pytest.fixture(scope="session")
def python_1(needs: Callable[[bool, str], None]) -> Path:
    """The Python that has the official client 1.x."""
    try:
        return installed_python()
    except ClientUnavailableError as error:
        needs(False, str(error))
        raise


@pytest.fixture
def home(tmp_path: Path) -> Path:
    """An empty home folder for programs that keep things there."""
    folder = tmp_path / "home"
    folder.mkdir()
    return folder


class CallsBy(Protocol):
    """Finds the activity of one client, of rows with these `columns`; waits for `count` calls, a short while."""

    def __call__(self, name: str, count: int, **columns: str) -> list[dict[str, Any]]: ...


@pytest.fixture
def calls_by(console: Served) -> CallsBy:
    """The activity that the console recorded of clients whose name begins so, the oldest call first."""

    def look(name: str, count: int, **columns: str) -> list[dict[str, Any]]:
        # Activity is written in batches, a moment after the answer.
        until = time.monotonic() + RECORDED_WITHIN_S
        while len(calls := _recorded(console, name, columns)) < count and time.monotonic() < until:
            time.sleep(0.05)
        return calls

    return look


def _recorded(console: Served, name: str, columns: dict[str, str]) -> list[dict[str, Any]]:
    # Straight from the file: starting Django for each look would take longer than the rest of a test.
    with closing(sqlite3.connect(f"file:{console.var}/console.sqlite3?mode=ro", uri=True)) as database:
        database.row_factory = sqlite3.Row
        rows = database.execute(
            "SELECT tool, client_version, protocol, transport, result FROM mcpbridge_toolcall "
            "WHERE substr(client_name, 1, ?) = ? ORDER BY at",
            (len(name), name),
        )
        return [dict(row) for row in rows if columns.items() <= dict(row).items()]
