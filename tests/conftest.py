"""What all tests share."""

import gc
import itertools
import json
import os
import sqlite3
from collections.abc import Callable, Generator, Iterator
from contextlib import closing
from pathlib import Path

import pytest
from django.core.cache import cache
from django.db import connections
from django.test.utils import setup_databases
from pytest_django import Settings
from pytest_django.plugin import DjangoDbBlocker

import tests.generated  # noqa: F401 – registers the profile of make test-fast
from tests.paths import run_folder
from tests.prepared import empty_databases
from tests.servers import Served, served_console
from tests.standard_setup import (  # noqa: F401 – fixtures for all
    hosted,
    hosted_console,
    issuer,
    mail,
    mail_folder,
    stop_clock,
    tenants,
    two_issuers,
)
from tests.tiers import LONGEST, is_slow, processes_forbidden, watch_processes
from tests.token_shapes import assembled_token
from tests.unavailable import audit_unavailable  # noqa: F401 – for all


def pytest_configure() -> None:
    """Make the folder that the processes of this run share, before there are others."""
    run_folder()
    watch_processes()


@pytest.hookimpl(wrapper=True)
def pytest_collection() -> Generator[None, object, object]:
    """Collect without looking for garbage: what is collected stays, and is never looked through again."""
    gc.disable()
    try:
        return (yield)
    finally:
        gc.freeze()
        gc.enable()


def pytest_collection_modifyitems(items: list[pytest.Item]) -> None:
    """Put each test in its tier, and order the files: first the longest, since one that began last would run alone.

    Then slow ones and fast ones by turns: slow ones wait for processes and clocks, and fast ones use the processors
    meanwhile. Files come in a random order in each part, as do the tests of a file.
    """
    slow = [item for item in items if is_slow(item)]
    for item in slow:
        item.add_marker(pytest.mark.slow)
    slow_files = {item.path for item in slow}
    files = dict.fromkeys(item.path for item in items)
    rank: dict[Path, float] = {path: place for place, path in enumerate(LONGEST)}
    for part in ([path for path in files if path in slow_files], [path for path in files if path not in slow_files]):
        waiting = [path for path in part if path not in rank]
        # Both parts end at the same time.
        rank |= {path: len(LONGEST) + place / len(waiting) for place, path in enumerate(waiting)}
    items.sort(key=lambda item: rank[item.path])


@pytest.hookimpl(wrapper=True)
def pytest_runtest_protocol(item: pytest.Item) -> Generator[None, object, object]:
    """Let no fast test start a process."""
    with processes_forbidden(item.get_closest_marker("slow") is None):
        return (yield)


@pytest.fixture
def token() -> str:
    return assembled_token()


@pytest.fixture(scope="session")
def needs() -> Callable[[bool, str], None]:
    """Skip with a reason where something is not installed; in CI, where all of it must be, fail instead."""

    def check(is_there: bool, reason: str) -> None:
        if not is_there:
            pytest.fail(reason) if os.environ.get("CI") == "true" else pytest.skip(reason)

    return check


@pytest.fixture(scope="module")
def console(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Served]:
    """One console with a sandbox for the tests of one file. No rate limits. Each line that it wrote was an object."""
    folder: Path = tmp_path_factory.mktemp("console")
    with served_console(folder, env={"SANDBOX_RATE_LIMITS": "off", "LOG_FORMAT": "json"}) as served:
        yield served
    for line in served.output().splitlines():
        assert {"at", "level", "message"} <= json.loads(line).keys(), line


@pytest.fixture(scope="session")
def django_db_setup(django_test_environment: None, django_db_blocker: DjangoDbBlocker) -> None:
    """Let the databases of this process's unit tests be copies, in memory, of migrated files. Tests roll back."""
    with django_db_blocker.unblock():
        if connections["default"].vendor != "sqlite":
            # Where the sandbox is tested on a server, in a process of its own.
            setup_databases(verbosity=0, interactive=False, keepdb=True)
            return
        for alias, name in (("default", "console"), ("sandbox", "console-sandbox")):
            connection = connections[alias]
            connection.close()
            connection.settings_dict["NAME"] = f"file:tests_{alias}?mode=memory&cache=shared"
            connection.ensure_connection()
            with closing(sqlite3.connect(empty_databases() / f"{name}.sqlite3")) as source:
                source.backup(connection.connection)


@pytest.fixture(scope="session")
def var_folders(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Path]:
    """Folders that are not there yet, one for each test."""
    # Counted here: pytest would look through the names of all folders to find the next one.
    folder = tmp_path_factory.mktemp("var")
    return (folder / str(number) for number in itertools.count())


@pytest.fixture(autouse=True)
def own_state(settings: Settings, var_folders: Iterator[Path]) -> None:
    """Let what the product keeps in memory and in its folder begin empty with each test."""
    settings.VAR_DIR = next(var_folders)
    settings.VAR_DIR.mkdir()
    cache.clear()
