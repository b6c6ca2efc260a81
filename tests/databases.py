"""Databases of their own for tests of the record: real files and servers, which a test may lock, fill or kill."""

import os
import shutil
import sqlite3
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path

import psycopg
from django.conf import settings
from django.db import OperationalError, connections
from django.db.backends.base.base import BaseDatabaseWrapper

from hoursmith_console import env
from tests.paths import made_once
from tests.poolers import behind_pooler
from tests.postgres import RECORD, Cluster
from tests.prepared import prepare
from tests.python_code import RunningCode


@dataclass
class RecordDatabase:
    """A migrated database that is `default` for this process while a test runs."""

    url: str
    folder: Path
    path: Path | None = None
    cluster: Cluster | None = None

    @property
    def name(self) -> str:
        return self.url.rsplit("/", 1)[1]

    @property
    def lock_path(self) -> Path:
        return self.folder / "audit-lock"

    @contextmanager
    def held(self) -> Iterator[None]:
        """Somebody else holds the lock that every writer needs."""
        if self.path is not None:
            other = sqlite3.connect(self.path, isolation_level=None)
            other.execute("BEGIN IMMEDIATE")
            yield
            other.rollback()
            other.close()
            return
        with psycopg.connect(self.url) as connection:
            tables = "mcpbridge_auditevent, mcpbridge_toolcall, mcpbridge_observedtoken"
            connection.execute(f"LOCK TABLE {tables} IN ACCESS EXCLUSIVE MODE")
            yield
            connection.rollback()

    def disconnect_everybody(self) -> None:
        """Cut all connections from the server's side."""
        if self.cluster is not None:
            self.cluster.execute(
                "SELECT pg_terminate_backend(pid) FROM pg_stat_activity"
                " WHERE datname = current_database() AND pid <> pg_backend_pid()",
                self.name,
            )

    def run_python(self, code: str) -> RunningCode:
        """A process of its own that runs `code` with Django set up on this database."""
        url, direct_url = behind_pooler(self.url)
        environment = {
            **os.environ,
            "DATABASE_URL": url,
            **({"DATABASE_DIRECT_URL": direct_url} if direct_url else {}),
            "DJANGO_SETTINGS_MODULE": "tests.settings",
            # The test's own, where the anchors of this database lie.
            "VAR_DIR": str(settings.VAR_DIR),
        }
        return RunningCode(code, environment)


@contextmanager
def as_default(url: str, *, direct_url: str = "") -> Iterator[None]:
    """Let `default` mean the database at `url`, in this thread and in those started from now on."""
    direct_before = settings.DATABASE_DIRECT_URL
    if not direct_url:
        url, direct_url = behind_pooler(url)
        settings.DATABASE_DIRECT_URL = direct_url or direct_before
    configured = env.databases(url, direct_url=direct_url)["default"]
    options = configured["OPTIONS"]
    assert isinstance(options, dict)
    options.pop("pool", None)
    before, connection_before = connections.settings["default"], connections["default"]
    connections.settings["default"] = connections.configure_settings({"default": configured})["default"]
    del connections["default"]
    try:
        yield
    finally:
        connections["default"].close()
        connections.settings["default"] = before
        connections["default"] = connection_before
        settings.DATABASE_DIRECT_URL = direct_before


def _sqlite_template() -> Path:
    def make(folder: Path) -> None:
        prepare(folder, ("migrate", "mcpbridge", "--verbosity", "0"))

    return made_once("record", make) / "console.sqlite3"


@contextmanager
def sqlite_record(folder: Path) -> Iterator[RecordDatabase]:
    """A fresh SQLite file in `folder`."""
    path = folder / "console.sqlite3"
    shutil.copy(_sqlite_template(), path)
    url = f"sqlite:///{path}"
    with as_default(url):
        yield RecordDatabase(url, folder, path=path)


@contextmanager
def postgres_record(folder: Path, cluster: Cluster) -> Iterator[RecordDatabase]:
    """A fresh database on `cluster`."""
    url = cluster.create_database("record", template=RECORD)
    with as_default(url):
        yield RecordDatabase(url, folder, cluster=cluster)


def lose_answer_of_commit(connection: BaseDatabaseWrapper) -> None:
    """Let the next commit on `connection` succeed and its answer get lost on the way back."""
    commit = connection.commit

    def lose_the_answer() -> None:
        del connection.commit
        commit()
        raise OperationalError("server closed the connection unexpectedly")

    connection.commit = lose_the_answer  # type: ignore[method-assign]
