"""The version is stated once, in mcpbridge/__init__.py; everything that names it reads it there."""

import re
import tomllib
from pathlib import Path

from mcpbridge import __version__
from tests.paths import ROOT


def test_packaging_reads_it() -> None:
    project = tomllib.loads((ROOT / "pyproject.toml").read_text(encoding="utf-8"))
    assert "version" in project["project"]["dynamic"]
    assert "version" not in project["project"]
    assert project["tool"]["hatch"]["version"]["path"] == "mcpbridge/__init__.py"


def test_the_newest_release_in_the_changelog_is_this_one() -> None:
    text = (ROOT / "CHANGELOG.md").read_text(encoding="utf-8")
    sections = re.findall(r"^## \[(.+?)\](?: - (\d{4}-\d{2}-\d{2}))?$", text, re.MULTILINE)
    assert sections[0] == ("Unreleased", "")
    assert sections[1][0] == __version__
    assert all(date for _, date in sections[1:])


def test_no_other_file_states_a_version_of_the_product() -> None:
    stated = re.compile(r"^_*(?:AGENT|VERSION|version)_*\s*=\s*f?\"[^\"{]*\d+\.\d+", re.MULTILINE)
    files = [*Path(ROOT / "mcpbridge").rglob("*.py"), *Path(ROOT / "hoursmith_console").rglob("*.py")]
    found = [path.relative_to(ROOT).as_posix() for path in files if stated.search(path.read_text(encoding="utf-8"))]
    assert found == ["mcpbridge/__init__.py"]
