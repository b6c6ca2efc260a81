"""The version that the sources state, and what keeps a commit from being released under it."""

import json
import re
import subprocess
import tomllib
from pathlib import Path

# A heading of CHANGELOG.md and docs/upgrading.md, with the date of the release.
HEADING = re.compile(r"^## \[?(?P<version>[\w.]+)\]?(?: - (?P<date>\d{4}-\d\d-\d\d))?$", re.MULTILINE)
UNRELEASED = "Unreleased"
CHANGELOG, UPGRADING, SOURCE = "CHANGELOG.md", "docs/upgrading.md", "mcpbridge/__init__.py"


class RefusedError(Exception):
    """The commit cannot be released; each line of the message is a reason."""


def sections(text: str) -> dict[str, str]:
    """Return the text below each heading of a version, newest first, by version or UNRELEASED."""
    found = list(HEADING.finditer(text))
    ends = [each.start() for each in found[1:]] + [len(text)]
    return {each["version"]: text[each.end() : end].strip() for each, end in zip(found, ends, strict=True)}


def stated_version(root: Path) -> str:
    """Return the version that the package states, the one place that does."""
    found = re.search(r'^__version__ = "(.+)"$', (root / SOURCE).read_text(encoding="utf-8"), re.MULTILINE)
    if found is None:
        raise RefusedError(f"{SOURCE} states no __version__.")
    return found[1]


def check_releasable(root: Path) -> str:
    """Return the version of the commit in `root`; raise RefusedError where it cannot be released."""
    version = stated_version(root)
    reasons = [*_uncommitted(root), *_other_versions(root, version), *_unwritten(root, version), *_tag(root, version)]
    if reasons:
        raise RefusedError("\n".join(reasons))
    return version


def git(root: Path, *arguments: str) -> str:
    """Return what git prints; raise RefusedError with its message where it fails."""
    done = subprocess.run(["git", "-C", str(root), *arguments], capture_output=True, text=True)
    if done.returncode:
        raise RefusedError(done.stderr.strip())
    return done.stdout.strip()


def _uncommitted(root: Path) -> list[str]:
    changed = git(root, "status", "--porcelain").splitlines()
    return [f"Commit or remove what the last commit does not contain: {', '.join(changed)}"] if changed else []


def _other_versions(root: Path, version: str) -> list[str]:
    stated = {"server.json": json.loads((root / "server.json").read_text(encoding="utf-8")).get("version")}
    project = tomllib.loads((root / "pyproject.toml").read_text(encoding="utf-8"))["project"]
    if "version" in project:
        stated["pyproject.toml"] = project["version"]
    return [
        f"{name} states version {other}, and {SOURCE} {version}. Run make catalogue, and state it in {SOURCE} alone."
        for name, other in stated.items()
        if other != version
    ]


def _unwritten(root: Path, version: str) -> list[str]:
    reasons = []
    for name in (CHANGELOG, UPGRADING):
        text = (root / name).read_text(encoding="utf-8")
        written = sections(text)
        newest = next((each for each in written if each != UNRELEASED), None)
        if newest != version or not written[newest]:
            reasons.append(f"{name} has no section of version {version} above all others.")
        if written.get(UNRELEASED):
            reasons.append(f"{name} has text under {UNRELEASED}: move it to the section of the version it is part of.")
    changelog = (root / CHANGELOG).read_text(encoding="utf-8")
    if any(each["version"] == version and not each["date"] for each in HEADING.finditer(changelog)):
        reasons.append(f"{CHANGELOG} gives version {version} no date.")
    return reasons


def _tag(root: Path, version: str) -> list[str]:
    tagged = git(root, "tag", "--list", f"v{version}")
    if not tagged or git(root, "rev-list", "-n", "1", tagged) == git(root, "rev-parse", "HEAD"):
        return []
    return [f"{tagged} is another commit: set the next version in {SOURCE}."]
