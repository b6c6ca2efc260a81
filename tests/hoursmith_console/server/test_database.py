"""What the start does about a database that is away, or that another release has migrated."""

from pathlib import Path
from typing import Any

import pytest
from django.core.exceptions import ImproperlyConfigured
from django.db import OperationalError, connections
from django.db.migrations.recorder import MigrationRecorder

from hoursmith_console.server import database

pytestmark = pytest.mark.django_db(databases="__all__")


@pytest.fixture
def var(settings: Any, tmp_path: Path) -> Path:
    settings.VAR_DIR = tmp_path
    return tmp_path


@pytest.fixture
def away(monkeypatch: pytest.MonkeyPatch) -> list[str]:
    """The database is away as often as there are entries; each is used up."""
    left: list[str] = []
    migrate = database.call_command

    def call(*arguments: Any, **options: Any) -> None:
        if left:
            raise OperationalError(f"{left.pop()}\nmore of it")
        migrate(*arguments, **options)

    monkeypatch.setattr(database, "call_command", call)
    monkeypatch.setattr(database, "_RETRY_S", 0.0)
    return left


def test_it_waits_for_a_database_that_it_has_not_prepared_yet_and_says_so_once(var: Path, away: list[str]) -> None:
    away += ["connection refused"] * 3
    told: list[str] = []
    assert database.prepare_databases(told.append)
    assert len(told) == 1
    assert told[0].startswith("Waiting for the database")
    assert "more of it" not in told[0]
    assert away == []


def test_it_serves_without_a_database_that_it_has_prepared(var: Path, away: list[str]) -> None:
    told: list[str] = []
    assert database.prepare_databases(told.append)
    assert told == []
    away += ["connection refused"]
    assert not database.prepare_databases(told.append)
    assert len(told) == 1
    assert "only reads are served" in told[0]


def test_what_was_prepared_is_of_one_database_and_one_release(
    var: Path, away: list[str], settings: Any, monkeypatch: pytest.MonkeyPatch
) -> None:
    assert database.prepare_databases(lambda line: None)
    said = (var / "migrated_default").read_text()
    (var / "migrated_default").write_text("another\n")
    away += ["connection refused"]
    told: list[str] = []
    assert database.prepare_databases(told.append)
    assert told[0].startswith("Waiting")
    assert (var / "migrated_default").read_text() == said


def test_tables_of_a_newer_release_are_refused_in_one_sentence(var: Path) -> None:
    MigrationRecorder(connections["default"]).record_applied("mcpbridge", "9999_of_tomorrow")
    with pytest.raises(ImproperlyConfigured, match=r"newer release .* \(mcpbridge\.9999_of_tomorrow\)"):
        database.prepare_databases(lambda line: None)


def test_what_a_library_left_that_is_gone_is_no_newer_release(var: Path) -> None:
    MigrationRecorder(connections["default"]).record_applied("gone_library", "0001_initial")
    assert database.prepare_databases(lambda line: None)
