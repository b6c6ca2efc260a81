"""The files of a release. The same sources give the same bytes, whatever the folder, the time, umask or time zone."""

import gzip
import hashlib
import io
import os
import shutil
import subprocess
import sys
import tarfile
from pathlib import Path

from hoursmith_console.connections.bundle import bundle
from hoursmith_console.connections.catalogue.mcp_client import BUNDLE
from release.notes import notes

SUMS, NOTES = "SHA256SUMS", "RELEASE_NOTES.md"
# What is installed or used without the wheel, as it is in the sources.
_COPIED = ("docs/verify_audit.py", "docs/watch_audit.py", "requirements.lock", "requirements-telemetry.lock")


def build(source: Path, out: Path, *, version: str, epoch: int) -> list[str]:
    """Build all files of `version` from the clean tree in `source` into the empty folder `out`; return their names.

    `epoch` is the time of all archived files, in seconds since 1970.
    """
    out.mkdir(parents=True)
    _build_packages(source, out, epoch)
    for name in _COPIED:
        shutil.copyfile(source / name, out / Path(name).name)
    # Made for no console: the app asks for the address.
    (out / BUNDLE).write_bytes(bundle(""))
    (out / f"monitoring-{version}.tar.gz").write_bytes(_archive(source / "docs" / "monitoring", epoch))
    names = sorted(path.name for path in out.iterdir())
    (out / NOTES).write_text(notes(source, version, names), encoding="utf-8")
    names = sorted([*names, NOTES])
    sums = (f"{hashlib.sha256((out / name).read_bytes()).hexdigest()}  {name}\n" for name in names)
    (out / SUMS).write_text("".join(sums), encoding="ascii")
    for path in out.iterdir():
        path.chmod(0o644)
    return [*names, SUMS]


def _build_packages(source: Path, out: Path, epoch: int) -> None:
    """Build wheel and source archive. The environment's own builder is locked; an isolated one would be the newest."""
    done = subprocess.run(
        [sys.executable, "-m", "hatchling", "build", "--target", "sdist", "--target", "wheel", "--directory", str(out)],
        cwd=source,
        env={**os.environ, "SOURCE_DATE_EPOCH": str(epoch), "PYTHONDONTWRITEBYTECODE": "1"},
        capture_output=True,
        text=True,
    )
    if done.returncode:
        raise RuntimeError(f"The packages could not be built:\n{done.stdout}{done.stderr}")


def _archive(folder: Path, epoch: int) -> bytes:
    packed = io.BytesIO()
    with (
        gzip.GzipFile(filename="", mode="wb", fileobj=packed, mtime=epoch) as compressed,
        tarfile.open(fileobj=compressed, mode="w", format=tarfile.PAX_FORMAT) as archive,
    ):
        for path in sorted(folder.iterdir()):
            content = path.read_bytes()
            entry = tarfile.TarInfo(f"{folder.name}/{path.name}")
            entry.size, entry.mtime, entry.mode = len(content), epoch, 0o644
            archive.addfile(entry, io.BytesIO(content))
    return packed.getvalue()
