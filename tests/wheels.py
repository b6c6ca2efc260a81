"""Builds a newer release, and gathers what a release needs for machines without a package index."""

import hashlib
import shutil
import subprocess
import sys
from pathlib import Path

from mcpbridge import __version__
from tests.paths import ROOT, made_once
from tests.release.built import built_release

NEWER_VERSION = "999.0.0"


def _run(*arguments: str, folder: Path) -> None:
    done = subprocess.run([sys.executable, "-m", *arguments], cwd=folder, capture_output=True, text=True)
    assert done.returncode == 0, done.stdout + done.stderr


def newer_release(folder: Path) -> list[Path]:
    """Return what an upgrade needs of a release that differs from the checkout in its version alone, made in `folder`.

    The wheel, the locked packages and the sums of both.
    """
    source, files = folder / "source", folder / "files"
    shutil.copytree(built_release().parent / "sources", source)
    stated = source / "mcpbridge" / "__init__.py"
    text = stated.read_text(encoding="utf-8")
    assert text.count(f'"{__version__}"') == 1
    stated.write_text(text.replace(f'"{__version__}"', f'"{NEWER_VERSION}"'), encoding="utf-8")
    _run("hatchling", "build", "--target", "wheel", "--directory", str(files), folder=source)
    shutil.copy(ROOT / "requirements.lock", files)
    sums = [f"{hashlib.sha256(path.read_bytes()).hexdigest()}  {path.name}\n" for path in files.iterdir()]
    (files / "SHA256SUMS").write_text("".join(sums), encoding="ascii")
    return list(files.iterdir())


def locked_packages(*, python: str) -> Path:
    """Return the folder with the packages of requirements.lock for the Python of that version, as an index offers them.

    None is built from source: a machine with Python alone has no compiler.
    """

    def download(folder: Path) -> None:
        quiet = ("--quiet", "--disable-pip-version-check")
        which = ("--only-binary=:all:", f"--python-version={python}", "--no-deps", "--require-hashes")
        _run("pip", "download", *quiet, *which, "--requirement=requirements.lock", f"--dest={folder}", folder=ROOT)

    return made_once(f"packages-{python}", download)
