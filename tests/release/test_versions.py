"""What keeps a commit from being released: each reason alone, in a small repository."""

import json
import shutil
import subprocess
from collections.abc import Callable
from pathlib import Path

import pytest

from release.versions import RefusedError, check_releasable, sections

CHANGES = "# Changelog\n\n## [Unreleased]\n\n## [1.2.0] - 2026-05-03\n\nA thing.\n\n## [1.1.0] - 2026-04-01\n"
UPGRADING = "# Upgrading\n\n## 1.2.0\n\nFrom 1.1.0.\n\n## 1.1.0\n\nThe first.\n"
FILES = {
    "mcpbridge/__init__.py": '__version__ = "1.2.0"\n',
    "server.json": json.dumps({"version": "1.2.0"}),
    "pyproject.toml": '[project]\nname = "x"\ndynamic = ["version"]\n',
    "CHANGELOG.md": CHANGES,
    "docs/upgrading.md": UPGRADING,
}


class Repository:
    """A repository with one commit, which can be released."""

    def __init__(self, root: Path) -> None:
        self.root = root
        self.git("init", "--quiet")
        self.commit(**FILES)

    def git(self, *arguments: str) -> None:
        identity = ("-c", "user.name=Ana", "-c", "user.email=ana@example.com")
        subprocess.run(["git", "-C", str(self.root), *identity, *arguments], check=True)

    def write(self, **files: str) -> None:
        for name, text in files.items():
            (self.root / name).parent.mkdir(exist_ok=True)
            (self.root / name).write_text(text, encoding="utf-8")

    def commit(self, **files: str) -> None:
        self.write(**files)
        self.git("add", ".")
        self.git("commit", "--quiet", "--message", "Change files")

    def refused(self) -> list[str]:
        with pytest.raises(RefusedError) as error:
            check_releasable(self.root)
        return str(error.value).splitlines()


@pytest.fixture
def repository(tmp_path: Path, needs: Callable[[bool, str], None]) -> Repository:
    needs(shutil.which("git") is not None, "git is not installed.")
    return Repository(tmp_path)


def test_a_commit_that_states_one_version_is_released(repository: Repository) -> None:
    assert check_releasable(repository.root) == "1.2.0"
    repository.git("tag", "v1.2.0")
    assert check_releasable(repository.root) == "1.2.0"


def test_a_tree_with_changes_is_not(repository: Repository) -> None:
    repository.write(**{"new.py": ""})
    (reason,) = repository.refused()
    assert "new.py" in reason
    repository.git("add", ".")
    assert repository.refused() != []


@pytest.mark.parametrize(
    ("name", "text", "reason"),
    [
        ("server.json", '{"version": "1.1.0"}', "server.json states version 1.1.0"),
        ("pyproject.toml", '[project]\nname = "x"\nversion = "1.3.0"\n', "pyproject.toml states version 1.3.0"),
        ("mcpbridge/__init__.py", "", "states no __version__"),
        ("CHANGELOG.md", CHANGES.replace(" - 2026-05-03", ""), "gives version 1.2.0 no date"),
        ("CHANGELOG.md", CHANGES.replace("1.2.0", "1.3.0"), "CHANGELOG.md has no section of version 1.2.0"),
        ("CHANGELOG.md", CHANGES.replace("A thing.\n", ""), "CHANGELOG.md has no section"),
        (
            "CHANGELOG.md",
            CHANGES.replace("[Unreleased]\n", "[Unreleased]\n\nMore.\n"),
            "text under Unreleased",
        ),
        ("docs/upgrading.md", UPGRADING.replace("1.2.0", "1.0.0"), "docs/upgrading.md has no section"),
        ("docs/upgrading.md", f"## Unreleased\n\nMore.\n\n{UPGRADING}", "docs/upgrading.md has text under Unreleased"),
    ],
)
def test_other_statements_are_named(repository: Repository, name: str, text: str, reason: str) -> None:
    repository.commit(**{name: text})
    (found,) = repository.refused()
    assert reason in found


def test_another_version_of_the_package_differs_from_all(repository: Repository) -> None:
    repository.commit(**{"mcpbridge/__init__.py": '__version__ = "2.0.0"\n'})
    assert len(repository.refused()) == 3


def test_a_version_is_released_once(repository: Repository) -> None:
    repository.git("tag", "v1.2.0")
    repository.commit(**{"more.py": ""})
    (reason,) = repository.refused()
    assert reason.startswith("v1.2.0 is another commit")


def test_sections_are_read_by_version() -> None:
    assert sections(CHANGES) == {"Unreleased": "", "1.2.0": "A thing.", "1.1.0": ""}
