"""What consoles of tests begin with: migrated and seeded databases and static files, made once a test process."""

import atexit
import functools
import os
import secrets
import shutil
import tempfile
from contextlib import closing
from pathlib import Path

import psycopg
from psycopg import sql

from tests.management import Manager
from tests.places import ROOT


def console_environment(
    folder: Path, port: int, workers: int, env: dict[str, str], database_url: str | None
) -> dict[str, str]:
    """The variables of a console of its own in `folder`."""
    return {
        **os.environ,
        "DJANGO_SETTINGS_MODULE": "hoursmith_console.settings",
        "VAR_DIR": str(folder),
        "PORT": str(port),
        "WEB_CONCURRENCY": str(workers),
        "SECRET_KEY": secrets.token_urlsafe(48),
        "AUDIT_SIGNING_KEY": secrets.token_urlsafe(48),
        "PYTHONPATH": str(ROOT),
        "DATABASE_URL": database_url or f"sqlite:///{folder}/console.sqlite3",
        **env,
    }


@functools.cache
def _sqlite() -> tuple[Path, str]:
    """A folder with the files of an empty and of a seeded console, and what the seed printed."""
    folder = Path(tempfile.mkdtemp(prefix="console-prepared-"))
    atexit.register(shutil.rmtree, folder, ignore_errors=True)
    environment = console_environment(folder, 0, 1, {}, None)
    with closing(Manager(environment)) as manager:
        manager.run("migrate", "--verbosity", "0")
        shutil.copy(folder / "console.sqlite3", folder / "empty-console.sqlite3")
        seed = manager.run("sandbox_seed", "--json")
        manager.run("collectstatic", "--no-input", "--verbosity", "0")
    return folder, seed


def copy_static(folder: Path) -> None:
    """Put the collected static files where a console in `folder` looks for them."""
    shutil.copytree(_sqlite()[0] / "static", folder / "static", dirs_exist_ok=True)


def fill_database(database_url: str, *, seed: bool) -> str:
    """Put into the database at `database_url` all that a console begins with; what the seed printed, if there was one.

    A database on a server is made anew for it, in its place on the disk.
    """
    path = database_url.removeprefix("sqlite:///")
    return _fill_postgres(database_url, seed) if path == database_url else _fill_sqlite(Path(path), seed)


def _fill_sqlite(path: Path, seed: bool) -> str:
    prepared, printed = _sqlite()
    shutil.copy(prepared / ("console.sqlite3" if seed else "empty-console.sqlite3"), path)
    if seed:
        shutil.copy(prepared / "console-sandbox.sqlite3", path.with_name(f"{path.stem}-sandbox.sqlite3"))
    return printed if seed else ""


def _fill_postgres(database_url: str, seed: bool) -> str:
    server, name = database_url.rsplit("/", 1)
    template, printed = _postgres(server, seed)
    with psycopg.connect(f"{server}/postgres", autocommit=True) as connection:
        found = connection.execute(
            "SELECT spcname FROM pg_database d JOIN pg_tablespace t ON t.oid = d.dattablespace WHERE datname = %s",
            [name],
        ).fetchone()
        names = map(sql.Identifier, (name, template, str(found[0]) if found else "pg_default"))
        connection.execute(sql.SQL("DROP DATABASE IF EXISTS {} WITH (FORCE)").format(sql.Identifier(name)))
        connection.execute(sql.SQL("CREATE DATABASE {} TEMPLATE {} TABLESPACE {}").format(*names))
    return printed


@functools.cache
def _postgres(server: str, seed: bool) -> tuple[str, str]:
    """The name of a database on `server` that others are copies of, and what the seed printed."""
    name = "console_seeded" if seed else "console_empty"
    with psycopg.connect(f"{server}/postgres", autocommit=True) as connection:
        connection.execute(sql.SQL("CREATE DATABASE {}").format(sql.Identifier(name)))
    folder = Path(tempfile.mkdtemp(prefix="console-prepared-"))
    atexit.register(shutil.rmtree, folder, ignore_errors=True)
    environment = console_environment(folder, 0, 1, {}, f"{server}/{name}")
    with closing(Manager(environment)) as manager:
        manager.run("migrate", "--verbosity", "0")
        return name, manager.run("sandbox_seed", "--json") if seed else ""
