"""What consoles of tests begin with: migrated and seeded databases and static files, made once a test run."""

import hashlib
import os
import secrets
import shutil
from contextlib import closing
from pathlib import Path

import psycopg
from psycopg import sql

from tests.management import Manager
from tests.paths import ROOT, made_once, run_folder

# Databases on a prepared server that others are copies of; `tests.postgres` makes them.
EMPTY, SEEDED = "console_empty", "console_seeded"
POSTGRES = "postgres"
SEED_PRINTED = "seed.json"
ANCHORS = "anchors"


def console_environment(
    folder: Path, port: int, workers: int, env: dict[str, str], database_url: str | None
) -> dict[str, str]:
    """The variables of a console of its own in `folder`."""
    return {
        **os.environ,
        "DJANGO_SETTINGS_MODULE": "tests.served_settings",
        "VAR_DIR": str(folder),
        "PORT": str(port),
        "WEB_CONCURRENCY": str(workers),
        "SECRET_KEY": secrets.token_urlsafe(48),
        "OAUTH_SEALING_KEY": secrets.token_urlsafe(48),
        # One for the whole run: what was prepared has anchors of the audit log, which it signed.
        "AUDIT_SIGNING_KEY": hashlib.sha256(str(run_folder()).encode()).hexdigest(),
        "PYTHONPATH": str(ROOT),
        "DATABASE_URL": database_url or f"sqlite:///{folder}/console.sqlite3",
        **env,
    }


def prepare(folder: Path, *commands: tuple[str, ...], database_url: str | None = None) -> str:
    """Run `manage.py` with each of `commands` for a console in `folder`; what the last one printed."""
    printed = ""
    with closing(Manager(console_environment(folder, 0, 1, {}, database_url))) as manager:
        for command in commands:
            printed = manager.run(*command)
    return printed


def _make_empty(folder: Path) -> None:
    prepare(folder, ("migrate", "--verbosity", "0"), ("migrate", "--database", "sandbox", "--verbosity", "0"))


def _make_seeded(folder: Path) -> None:
    _copy_databases(empty_databases(), folder)
    (folder / SEED_PRINTED).write_text(prepare(folder, ("sandbox_seed", "--json")), encoding="utf-8")


def _make_static(folder: Path) -> None:
    prepare(folder, ("collectstatic", "--no-input", "--verbosity", "0"))


def _copy_databases(source: Path, folder: Path) -> None:
    for path in source.glob("*.sqlite3"):
        shutil.copy(path, folder / path.name)


def empty_databases() -> Path:
    """Return the folder with the migrated files `console.sqlite3` and `console-sandbox.sqlite3`."""
    return made_once("empty", _make_empty)


def copy_static(folder: Path) -> None:
    """Put the collected static files where a console in `folder` looks for them: eight hundred, which none changes."""
    if not (folder / "static").exists():
        shutil.copytree(made_once("static", _make_static) / "static", folder / "static", copy_function=os.link)


def fill_database(database_url: str, *, folder: Path, seed: bool) -> str:
    """Put into the database at `database_url` all that a console begins with; what the seed printed, if there was one.

    A database on a server is replaced, in its place on the disk. The anchors in `folder`, the console's own, become
    those of the database.
    """
    path = database_url.removeprefix("sqlite:///")
    is_sqlite = path != database_url
    printed = _fill_sqlite(Path(path), seed) if is_sqlite else _fill_postgres(database_url, seed)
    shutil.rmtree(folder / ANCHORS, ignore_errors=True)
    made = run_folder() / ("seeded" if is_sqlite else POSTGRES) / ANCHORS
    if seed and made.exists():
        shutil.copytree(made, folder / ANCHORS)
    return printed


def _fill_sqlite(path: Path, seed: bool) -> str:
    prepared = made_once("seeded", _make_seeded) if seed else empty_databases()
    shutil.copy(prepared / "console.sqlite3", path)
    if not seed:
        return ""
    shutil.copy(prepared / "console-sandbox.sqlite3", path.with_name(f"{path.stem}-sandbox.sqlite3"))
    return (prepared / SEED_PRINTED).read_text(encoding="utf-8")


def _fill_postgres(database_url: str, seed: bool) -> str:
    server, name = database_url.rsplit("/", 1)
    with psycopg.connect(f"{server}/postgres", autocommit=True) as connection:
        found = connection.execute(
            "SELECT spcname FROM pg_database d JOIN pg_tablespace t ON t.oid = d.dattablespace WHERE datname = %s",
            [name],
        ).fetchone()
        given = (name, SEEDED if seed else EMPTY, str(found[0]) if found else "pg_default")
        connection.execute(sql.SQL("DROP DATABASE IF EXISTS {} WITH (FORCE)").format(sql.Identifier(name)))
        connection.execute(sql.SQL("CREATE DATABASE {} TEMPLATE {} TABLESPACE {}").format(*map(sql.Identifier, given)))
    return (run_folder() / POSTGRES / SEED_PRINTED).read_text(encoding="utf-8") if seed else ""
