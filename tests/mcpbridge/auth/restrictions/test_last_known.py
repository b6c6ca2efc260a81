"""The restrictions outlive a restart without a database, and nobody can make them up."""

import asyncio
import json
import sqlite3
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Any

import pytest
from django.db import connection

from mcpbridge.auth.restrictions import polling
from mcpbridge.auth.restrictions.blocks import block_token, unblock_token
from mcpbridge.auth.restrictions.last_known import NAME, LastKnownFile, NoUsableCopyError
from mcpbridge.auth.restrictions.notices import set_notice
from mcpbridge.auth.restrictions.pauses import pause_destructive_tools
from mcpbridge.auth.restrictions.polling import restriction_store
from mcpbridge.auth.restrictions.snapshots import turn_off_snapshots
from mcpbridge.auth.restrictions.store import RestrictionsUnknownError
from mcpbridge.models import TokenBlock, TokenRef
from tests.databases import RecordDatabase, as_default
from tests.waiting import eventually_async

TOKEN = {"env": "live", "prefix": "4f8a2c1bdedf"}


@pytest.fixture(autouse=True)
def folder(tmp_path: Path, settings: Any) -> Path:
    settings.VAR_DIR = tmp_path / "var"
    settings.VAR_DIR.mkdir()
    return tmp_path / "var"


@pytest.fixture(autouse=True)
def _impatient(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(polling, "START_TIMEOUT_S", 0.3)


def run_until(runner: asyncio.Runner, check: Callable[[Any], bool]) -> Any:
    """A book that was started, came to pass `check`, and ended."""
    book = restriction_store()
    runner.run(book.start())
    runner.run(eventually_async(lambda: check(book)))
    return book


def kept(folder: Path) -> dict[str, Any]:
    """What the copy says, whoever sealed it."""
    path = folder / NAME
    found: dict[str, Any] = json.loads(path.read_bytes().partition(b"\n")[2]) if path.exists() else {"rows": [[]]}
    return found


@contextmanager
def away(database: RecordDatabase) -> Iterator[None]:
    """The database does not answer."""
    connection.close()
    if database.cluster is not None:
        database.cluster.stop()
    elif database.path is not None:
        database.path.rename(database.path.with_suffix(".away"))
    try:
        yield
    finally:
        if database.cluster is not None:
            database.cluster.start()
        elif database.path is not None:
            database.path.with_suffix(".away").rename(database.path)


def test_every_restriction_outlives_a_start_without_the_database(
    database: RecordDatabase, runner: asyncio.Runner, folder: Path
) -> None:
    block_token(**TOKEN, org_id="org-1", actor="Ana", reason="leaked")
    pause_destructive_tools(org_id="org-2", actor="Ana", reason="audit")
    turn_off_snapshots(org_id="org-3", actor="Ana")
    set_notice(**TOKEN, org_id="org-1", text="Rotate today.")
    book = run_until(runner, lambda book: len(kept(folder)["rows"][0]) == 1)
    before = book.now()
    runner.run(book.stop())
    assert (folder / NAME).stat().st_mode & 0o777 == 0o600
    with away(database):
        again = restriction_store()
        runner.run(again.start())
        assert again.now() == before
        assert again.now().is_blocked(TokenRef(**TOKEN))
        assert "copy on disk" in again.fault()
        runner.run(again.stop())
        (folder / NAME).unlink()
        unknown = restriction_store()
        runner.run(unknown.start())
        with pytest.raises(RestrictionsUnknownError):
            unknown.now()
        assert "503" in unknown.fault()
    runner.run(eventually_async(lambda: not unknown.fault()))
    assert unknown.now().is_blocked(TokenRef(**TOKEN))
    runner.run(unknown.stop())


def test_what_is_lifted_is_lifted_in_the_copy_too(
    database: RecordDatabase, runner: asyncio.Runner, folder: Path
) -> None:
    block = block_token(**TOKEN, org_id="org-1", actor="Ana", reason="leaked")
    book = run_until(runner, lambda book: len(kept(folder)["rows"][0]) == 1)
    unblock_token(block=TokenBlock.objects.get(pk=block.pk), actor="Ben")
    runner.run(eventually_async(lambda: kept(folder)["rows"][0] == []))
    runner.run(book.stop())


@pytest.mark.parametrize("fault", ["locked", "corrupt", "empty", "without tables"])
def test_a_sqlite_file_that_cannot_be_read_is_a_database_that_is_away(
    sqlite_database: RecordDatabase, runner: asyncio.Runner, folder: Path, fault: str
) -> None:
    block_token(**TOKEN, org_id="org-1", actor="Ana", reason="leaked")
    book = run_until(runner, lambda book: len(kept(folder)["rows"][0]) == 1)
    runner.run(book.stop())
    connection.close()
    path = sqlite_database.path
    assert path is not None
    other = None
    if fault == "locked":
        other = sqlite3.connect(path, isolation_level=None)
        other.execute("PRAGMA journal_mode=DELETE")
        other.execute("BEGIN EXCLUSIVE")
    else:
        for part in path.parent.glob(f"{path.name}-*"):
            part.unlink()
        path.write_bytes({"corrupt": b"x" * 8192}.get(fault, b""))
        if fault == "without tables":
            with sqlite3.connect(path) as empty:
                empty.execute("CREATE TABLE other (id INTEGER)")
            empty.close()
    again = restriction_store()
    runner.run(again.start())
    assert again.now().is_blocked(TokenRef(**TOKEN))
    runner.run(again.stop())
    if other is not None:
        other.close()


@pytest.mark.parametrize("fault", ["missing", "damaged", "cut short", "forged", "other key", "other database"])
def test_a_copy_that_is_not_ours_is_not_used(tmp_path: Path, settings: Any, fault: str) -> None:
    file = LastKnownFile(tmp_path, database="sqlite /a")
    file.write([[["live", "4f8a2c1bdedf"]], [], [], [], []])
    assert file.read()[0].is_blocked(TokenRef(**TOKEN))
    path = tmp_path / NAME
    content = path.read_bytes()
    match fault:
        case "missing":
            path.unlink()
        case "damaged":
            path.write_bytes(content.replace(b"4f8a2c1bdedf", b"4f8a2c1bdede"))
        case "cut short":
            path.write_bytes(content[:-1])
        case "forged":
            path.write_bytes(b"0" * 64 + b"\n" + content.partition(b"\n")[2])
        case "other key":
            settings.SECRET_KEY = "another one " * 5
        case "other database":
            file = LastKnownFile(tmp_path, database="sqlite /b")
    with pytest.raises(NoUsableCopyError):
        file.read()


def test_a_copy_sealed_under_an_older_key_is_used(tmp_path: Path, settings: Any) -> None:
    file = LastKnownFile(tmp_path, database="sqlite /a")
    file.write([[["live", "4f8a2c1bdedf"]], [], [], [], []])
    settings.SECRET_KEY_FALLBACKS = [settings.SECRET_KEY]
    settings.SECRET_KEY = "another one " * 5
    assert file.read()[0].is_blocked(TokenRef(**TOKEN))


def test_who_finds_another_process_writing_reads_nothing_that_could_be_older(tmp_path: Path) -> None:
    file = LastKnownFile(tmp_path, database="sqlite /a")
    with file.alone() as is_ours, LastKnownFile(tmp_path, database="sqlite /a").alone() as is_theirs:
        assert (is_ours, is_theirs) == (True, False)
    with file.alone() as is_ours:
        assert is_ours


def test_a_database_that_answers_decides_whatever_the_copy_says(
    sqlite_database: RecordDatabase, runner: asyncio.Runner, folder: Path
) -> None:
    LastKnownFile(folder, database=f"sqlite {sqlite_database.path}").write(
        [[["live", TOKEN["prefix"]]], [], [], [], []]
    )
    book = run_until(runner, lambda book: kept(folder)["rows"][0] == [])
    assert not book.now().is_blocked(TokenRef(**TOKEN))
    assert not book.fault()
    runner.run(book.stop())


def test_a_file_that_was_replaced_is_read_anew(
    sqlite_database: RecordDatabase, runner: asyncio.Runner, tmp_path: Path
) -> None:
    path = sqlite_database.path
    assert path is not None
    block_token(**TOKEN, org_id="org-1", actor="Ana", reason="leaked")
    connection.close()
    backup = tmp_path / "backup.sqlite3"
    with sqlite3.connect(path) as source, sqlite3.connect(backup) as target:
        source.backup(target)
    source.close()
    target.close()
    with as_default(sqlite_database.url):
        unblock_token(block=TokenBlock.objects.get(), actor="Ben")
    book = restriction_store()
    runner.run(book.start())
    assert not book.now().is_blocked(TokenRef(**TOKEN))
    for part in path.parent.glob(f"{path.name}-*"):
        part.unlink()
    backup.replace(path)
    runner.run(eventually_async(lambda: bool(book.now().is_blocked(TokenRef(**TOKEN)))))
    runner.run(book.stop())
