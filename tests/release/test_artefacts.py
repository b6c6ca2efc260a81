"""The files of a release: complete, and the same bytes when they are built again from the source archive."""

import hashlib
import io
import json
import os
import shutil
import subprocess
import tarfile
import time
import zipfile
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from pathlib import Path

import pytest

from mcpbridge import __version__
from release.artefacts import NOTES, SUMS, build
from tests.paths import ROOT
from tests.release.built import EPOCH, WHEEL, built_release

SOURCES = f"hoursmith_console-{__version__}.tar.gz"
MONITORING = f"monitoring-{__version__}.tar.gz"


@contextmanager
def elsewhere() -> Iterator[None]:
    """Let files be private and the clock be Tokyo's in the block, also for processes that start in it."""
    umask, zone = os.umask(0o077), os.environ.get("TZ")
    os.environ["TZ"] = "Asia/Tokyo"
    time.tzset()
    try:
        yield
    finally:
        os.umask(umask)
        os.environ.pop("TZ") if zone is None else os.environ.update(TZ=zone)
        time.tzset()


@pytest.fixture(scope="module")
def released(needs: Callable[[bool, str], None]) -> Path:
    needs(shutil.which("tar") is not None, "tar is not installed.")
    return built_release()


def contents(folder: Path) -> dict[str, bytes]:
    return {path.name: path.read_bytes() for path in folder.iterdir()}


def test_it_is_built_again_from_its_source_archive(released: Path, tmp_path: Path) -> None:
    with elsewhere():
        # Without the times of the archive.
        subprocess.run(["tar", "-xzmf", str(released / SOURCES), "-C", str(tmp_path)], check=True)
        (unpacked,) = tmp_path.iterdir()
        build(unpacked, tmp_path / "again", version=__version__, epoch=EPOCH)
    first, again = contents(released), contents(tmp_path / "again")
    assert sorted(first) == sorted(again)
    assert [name for name in first if first[name] != again[name]] == []
    assert {path.stat().st_mode & 0o777 for path in (tmp_path / "again").iterdir()} == {0o644}


def test_it_has_all_files_and_their_sums(released: Path) -> None:
    found = contents(released)
    assert set(found) == {
        *(WHEEL, SOURCES, MONITORING, "hoursmith.mcpb", "verify_audit.py", "watch_audit.py"),
        *("requirements.lock", "requirements-telemetry.lock", NOTES, SUMS),
    }
    sums = dict(reversed(line.split("  ")) for line in found.pop(SUMS).decode().splitlines())
    assert sums == {name: hashlib.sha256(content).hexdigest() for name, content in found.items()}
    for name in ("verify_audit.py", "watch_audit.py"):
        assert found[name] == (ROOT / "docs" / name).read_bytes()


def test_the_wheel_has_what_the_product_reads(released: Path) -> None:
    with zipfile.ZipFile(released / WHEEL) as wheel:
        names = {name.removeprefix("hoursmith_console/files/") for name in wheel.namelist()}
        metadata = wheel.read(f"hoursmith_console-{__version__}.dist-info/METADATA").decode()
    for folder in ("templates", "static", "docs", "mcpbridge"):
        paths = [path for path in (ROOT / folder).rglob("*") if path.is_file() and "__pycache__" not in path.parts]
        assert {path.relative_to(ROOT).as_posix() for path in paths} <= names
    assert f"\nVersion: {__version__}\n" in metadata
    assert not [name for name in names if name.startswith(("tests", "bench", "release"))]


def test_the_extension_asks_for_the_address_of_the_console(released: Path) -> None:
    with zipfile.ZipFile(released / "hoursmith.mcpb") as bundle:
        manifest = json.loads(bundle.read("manifest.json"))
    assert manifest["version"] == __version__
    assert "default" not in manifest["user_config"]["url"]
    assert manifest["user_config"]["url"]["required"]


def test_monitoring_is_one_folder(released: Path) -> None:
    with tarfile.open(fileobj=io.BytesIO((released / MONITORING).read_bytes())) as archive:
        packed = {entry.name: archive.extractfile(entry) for entry in archive}
        unpacked = {name: file.read() for name, file in packed.items() if file}
    folder = ROOT / "docs" / "monitoring"
    assert unpacked == {f"monitoring/{path.name}": path.read_bytes() for path in folder.iterdir()}


def test_the_notes_say_what_changed_how_to_upgrade_and_what_to_download(released: Path) -> None:
    text = (released / NOTES).read_text(encoding="utf-8")
    assert text.startswith(f"# Hoursmith console {__version__}\n\n### ")
    assert "\n### Upgrading\n\n" in text
    assert f"- `{WHEEL}`" in text
    assert "](docs/" not in text
    assert "\n## " not in text
