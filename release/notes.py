"""The notes of a version: its section of the changelog, how to upgrade to it, and its files."""

import re
from collections.abc import Sequence
from pathlib import Path

from release.versions import CHANGELOG, UPGRADING, sections

# The notes are read where the documents are not.
_RELATIVE_LINK = re.compile(r"\[([^\]]+)\]\((?!https?:)[^)]*\)")


def notes(root: Path, version: str, files: Sequence[str]) -> str:
    """Return the notes as Markdown; links to the documents become their text."""
    changes, upgrading = (
        sections((root / name).read_text(encoding="utf-8"))[version] for name in (CHANGELOG, UPGRADING)
    )
    parts = [
        f"# Hoursmith console {version}",
        changes,
        "### Upgrading",
        upgrading.replace("\n### ", "\n#### "),
        "### Files",
        "\n".join(f"- `{name}`" for name in files),
        "Check downloads with `sha256sum --check --ignore-missing SHA256SUMS`.",
    ]
    return _RELATIVE_LINK.sub(r"\1", "\n\n".join(parts)) + "\n"
