"""docs/upgrading.md lists every migration once, in the section of the release that has it first."""

import re
import sqlite3
from contextlib import closing
from pathlib import Path

from django.db.migrations.loader import MigrationLoader

from release.versions import UNRELEASED, UPGRADING, sections
from tests.paths import ROOT
from tests.upgrades.released import BEFORE, load_sqlite

_MIGRATION = re.compile(r"`(\w+\.\d{4}_\w+)`")
OURS = ("hoursmith_console.", "mcpbridge.")


def listed() -> dict[str, list[str]]:
    """Return the migrations that each section lists, newest first."""
    text = (ROOT / UPGRADING).read_text(encoding="utf-8")
    return {version: _MIGRATION.findall(section) for version, section in sections(text).items()}


def test_every_migration_has_a_note() -> None:
    found = MigrationLoader(None).disk_migrations
    ours = [f"{app}.{name}" for (app, name), each in found.items() if each.__module__.startswith(OURS)]
    assert sorted(name for names in listed().values() for name in names) == sorted(ours)


def test_what_the_release_before_lacks_is_listed_under_later_ones(tmp_path: Path) -> None:
    """Migrations of libraries, which a new version of one brings, count as well."""
    load_sqlite(tmp_path)
    with closing(sqlite3.connect(tmp_path / "console.sqlite3")) as connection:
        applied = {f"{app}.{name}" for app, name in connection.execute("SELECT app, name FROM django_migrations")}
    missing = {f"{app}.{name}" for app, name in MigrationLoader(None).disk_migrations} - applied
    versions = list(listed())
    later = versions[: versions.index(BEFORE.name)]
    assert {name for version in later for name in listed()[version]} == missing


def test_the_sections_are_those_of_the_changelog() -> None:
    changelog = sections((ROOT / "CHANGELOG.md").read_text(encoding="utf-8"))
    assert [each for each in listed() if each != UNRELEASED] == [each for each in changelog if each != UNRELEASED]
