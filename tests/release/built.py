"""A release of the sources as they are, built once a test run."""

import shutil
from pathlib import Path

from mcpbridge import __version__
from release.artefacts import build
from tests.paths import ROOT, made_once

EPOCH = 1_790_000_000
WHEEL = f"hoursmith_console-{__version__}-py3-none-any.whl"
_FOLDERS = ("hoursmith_console", "mcpbridge", "templates", "static", "docs")


def built_release() -> Path:
    """Return the folder with its files."""
    return made_once("release", _make) / "files"


def _make(folder: Path) -> None:
    sources = folder / "sources"
    sources.mkdir()
    for path in ROOT.iterdir():
        if path.name in _FOLDERS:
            shutil.copytree(path, sources / path.name, ignore=shutil.ignore_patterns("__pycache__"))
        elif path.is_file() and path.name not in (".env", ".git"):
            shutil.copy(path, sources / path.name)
    build(sources, folder / "files", version=__version__, epoch=EPOCH)
