"""The operator's command: secrets planted in every kind of place are found, named by place, and never printed."""

import base64
import gzip
import io
import json
import sqlite3
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest
from django.core import signing
from django.core.cache.backends.filebased import FileBasedCache
from django.core.management import call_command
from django.db import connection

from mcpbridge.models import ObservedToken, ToolCall
from mcpbridge.secret_scan.files import _CHUNK, _OVERLAP
from mcpbridge.secret_scan.tables import _BATCH
from tests.databases import RecordDatabase
from tests.hoursmith_console.records import call_row, make_token
from tests.token_shapes import assembled_token

SECRET = "Zx9Kq2mW7vB4nT6yR8cL1sD3fG5hJ0pA"
TOKEN = assembled_token(secret=SECRET)


def scan(*arguments: object) -> tuple[int, list[str], str]:
    """Exit status, the lines that name a place, and everything that was printed."""
    out, err = io.StringIO(), io.StringIO()
    status = 0
    try:
        call_command("scan_secrets", *map(str, arguments), stdout=out, stderr=err)
    except SystemExit as end:
        status = int(end.code or 0)
    printed = out.getvalue() + err.getvalue()
    pieces = [SECRET[start : start + 6].lower() for start in range(len(SECRET) - 5)]
    assert not any(piece in printed.lower() for piece in pieces)
    return status, [line for line in printed.splitlines() if line.startswith("FOUND ")], printed


@pytest.fixture
def only_default(monkeypatch: pytest.MonkeyPatch) -> None:
    """The record's database alone; the sandbox's has no tables in these tests."""
    monkeypatch.setattr("mcpbridge.management.commands.scan_secrets.connections", ["default"])


@pytest.fixture
def empty(tmp_path: Path) -> Path:
    folder = tmp_path / "files"
    folder.mkdir()
    return folder


@pytest.mark.usefixtures("only_default")
def test_a_clean_console_exits_0_and_says_what_was_looked_through(database: RecordDatabase, empty: Path) -> None:
    make_token("org-1", "4f8a2c1bdedf")
    (empty / "console.log").write_text("INFO used hsk_live_4f8a2c1bdedf_•••• twice\n")
    status, found, printed = scan(empty)
    assert (status, found) == (0, [])
    assert "Scanned database default:" in printed
    assert "1 files" in printed
    assert printed.endswith("No token secrets found.\n")


@pytest.mark.usefixtures("only_default")
def test_each_column_of_each_row_is_looked_at_and_named_by_table_column_and_key(
    database: RecordDatabase, empty: Path
) -> None:
    seen = make_token("org-1", "4f8a2c1bdedf")
    ToolCall.objects.bulk_create([call_row(seen, target_label="Globex") for _ in range(_BATCH + 3)])
    last = ToolCall.objects.order_by("pk").last()
    assert last is not None
    # Past the columns, which would mask it.
    deep = json.dumps({"note": ["x", {"deep": base64.b64encode(f"ab{TOKEN}".encode()).decode()}]})
    with connection.cursor() as cursor:
        cursor.execute("UPDATE mcpbridge_observedtoken SET token_name = %s", [f"pasted {TOKEN}"])
        cursor.execute("UPDATE mcpbridge_toolcall SET arguments = %s WHERE id = %s", [deep, last.pk])
        cursor.execute("CREATE TABLE stranger (note text)")
        cursor.execute("INSERT INTO stranger VALUES ('nothing'), (%s)", [TOKEN.replace("_", "%5F")])
    status, found, _ = scan(empty)
    assert status == 1
    places = {line.partition(":")[0].removeprefix("FOUND database default, ") for line in found}
    assert f"table mcpbridge_observedtoken, column token_name, key {ObservedToken.objects.get().pk}" in places
    assert any(place.startswith("table mcpbridge_toolcall, column arguments, key ") for place in places)
    assert any(place.startswith("table stranger, column note, key ") for place in places)
    assert all("hsk_live_4f8a2c1bdedf_••••" in line for line in found)
    with connection.cursor() as cursor:
        cursor.execute("DROP TABLE stranger")


@pytest.mark.usefixtures("only_default")
def test_a_key_that_is_itself_a_secret_is_not_printed(database: RecordDatabase, empty: Path) -> None:
    with connection.cursor() as cursor:
        cursor.execute("CREATE TABLE django_session (session_key varchar(40) PRIMARY KEY, session_data text)")
        data = signing.dumps({"form": {"token": TOKEN}}, compress=True)
        cursor.execute("INSERT INTO django_session VALUES ('abcdefghijklmnopqrstuvwxyz012345', %s)", [data])
        cursor.execute("CREATE TABLE by_token (token varchar(80) PRIMARY KEY)")
        cursor.execute("INSERT INTO by_token VALUES (%s)", [TOKEN])
    status, found, printed = scan(empty)
    assert status == 1
    assert any("table django_session, column session_data" in line for line in found)
    assert "ghijkl" not in printed
    assert any("table by_token, column token" in line for line in found)
    with connection.cursor() as cursor:
        cursor.execute("DROP TABLE django_session")
        cursor.execute("DROP TABLE by_token")


@pytest.mark.usefixtures("only_default")
def test_a_database_that_cannot_be_asked_is_no_clean_bill(
    database: RecordDatabase, empty: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr("mcpbridge.management.commands.scan_secrets.connections", ["default"])
    with connection.cursor() as cursor:
        cursor.execute("CREATE TABLE a_first (note text)")
    if connection.vendor == "sqlite":
        assert database.path is not None
        connection.close()
        database.path.write_bytes(b"not a database any more" * 1000)
        for more in ("-wal", "-shm"):
            Path(f"{database.path}{more}").unlink(missing_ok=True)
    else:
        assert database.cluster is not None
        connection.close()
        database.cluster.execute(f'ALTER DATABASE "{database.name}" ALLOW_CONNECTIONS false')
        # A pooler keeps those that it has.
        database.cluster.execute(
            f"SELECT pg_terminate_backend(pid) FROM pg_stat_activity WHERE datname = '{database.name}'"
        )
    status, found, printed = scan(empty)
    assert (status, found) == (2, [])
    assert "The database default could not be scanned" in printed


def _write(path: Path, content: bytes) -> None:
    path.parent.mkdir(parents=True, exist_ok=True)
    path.write_bytes(content)


def _sqlite_with_a_deleted_row(path: Path) -> None:
    made = sqlite3.connect(path)
    made.execute("PRAGMA secure_delete = off")
    made.execute("CREATE TABLE notes (text)")
    made.executemany("INSERT INTO notes VALUES (?)", [("x" * 200,), (f"deleted {TOKEN}",), ("y" * 200,)])
    made.execute("DELETE FROM notes WHERE text LIKE 'deleted%'")
    made.commit()
    made.close()


PLACES: dict[str, tuple[Callable[[Path], Any], str]] = {
    "a log": (lambda folder: _write(folder / "a.log", b"1\n2\n3 " + TOKEN.encode()), "a.log, line 3"),
    "a log's JSON": (
        lambda folder: _write(folder / "j.log", json.dumps({"message": f"got {TOKEN}"}).encode()),
        "j.log, line 1",
    ),
    "a log that was rotated and packed": (
        lambda folder: _write(folder / "b.log.1.gz", gzip.compress(b"1\n2 " + TOKEN.encode())),
        "b.log.1.gz, line 2",
    ),
    "between two pieces of a large log": (
        lambda folder: _write(folder / "c.log", b"x\n" * (_CHUNK // 2 - 15) + TOKEN.encode() + b"\n" + b"y" * _CHUNK),
        f"c.log, line {_CHUNK // 2 - 14}",
    ),
    "far into a large log": (
        lambda folder: _write(folder / "d.log", b"x\n" * (3 * _CHUNK // 2 + _OVERLAP) + TOKEN.encode()),
        f"d.log, line {3 * _CHUNK // 2 + _OVERLAP + 1}",
    ),
    "a static file": (
        lambda folder: _write(folder / "static" / "a.js", f'const t = "{TOKEN[:30]}" +\n "{TOKEN[30:]}";'.encode()),
        "a.js, line 1",
    ),
    "a cache file": (lambda folder: FileBasedCache(str(folder), {}).set("key", {"token": TOKEN}), ".djcache, byte"),
    "a row that was deleted": (lambda folder: _sqlite_with_a_deleted_row(folder / "old.sqlite3"), "old.sqlite3, byte"),
    "a file's name": (lambda folder: _write(folder / f"{TOKEN}.json", b""), "its name"),
}


@pytest.mark.parametrize("place", PLACES)
def test_each_kind_of_file_is_looked_into_and_named_with_the_line(tmp_path: Path, place: str) -> None:
    plant, expected = PLACES[place]
    plant(tmp_path)
    status, found, _ = scan(tmp_path, "--files-only")
    assert status == 1
    assert len(found) == 1
    assert expected in found[0]


def test_without_paths_the_consoles_own_folder_is_looked_through(tmp_path: Path, settings: Any) -> None:
    settings.VAR_DIR, settings.STATIC_ROOT, settings.BASE_DIR = tmp_path / "var", tmp_path / "var/static", tmp_path
    _write(tmp_path / "var/static/x.css", b"")
    _write(tmp_path / ".env", f"HOURSMITH_API_TOKEN={TOKEN}\n".encode())
    status, found, printed = scan("--files-only")
    assert status == 1
    assert len(found) == 1
    assert ".env, line 1" in found[0]
    assert "2 files" in printed


def test_what_cannot_be_read_is_no_clean_bill(tmp_path: Path) -> None:
    _write(tmp_path / "broken.gz", gzip.compress(b"x" * 1000)[:20])
    status, found, printed = scan(tmp_path, tmp_path / "nowhere", "--files-only")
    assert (status, found) == (2, [])
    assert "broken.gz cannot be read" in printed
    assert "nowhere does not exist" in printed
