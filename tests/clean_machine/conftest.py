"""A clean machine with the program installed as docs/operating.md says."""

import os
import shutil
import subprocess
import tempfile
from collections.abc import Callable, Iterator
from pathlib import Path

import pytest

from tests.clean_machine.machine import Machine
from tests.clean_machine.manual import blocks, section
from tests.paths import ROOT
from tests.release.built import WHEEL, built_release
from tests.wheels import locked_packages

RELEASE = "/root/release"
PACKAGES = "/srv/packages"
# The packages come from a folder in place of an index, by pip's own settings: the commands stay as they are written.
PIP = {"PIP_NO_INDEX": "1", "PIP_FIND_LINKS": PACKAGES}
# Where .ci/run prepares the root, meanwhile.
PREPARED = "CONSOLE_TESTS_DEBIAN"


@pytest.fixture(scope="module")
def machine(needs: Callable[[bool, str], None]) -> Iterator[Machine]:
    """The machine of one file's tests: a Debian with Python, the files of a release, and the first step done."""
    needs(os.geteuid() == 0, "A clean machine in a folder can be made by root only.")
    needs(shutil.which("mmdebstrap") is not None, "mmdebstrap is not installed (Debian: mmdebstrap).")
    with tempfile.TemporaryDirectory(prefix="console-debian-", ignore_cleanup_errors=True) as folder:
        root = _root(Path(folder))
        with Machine(root).booted() as running:
            systemctl = running.path("/usr/bin/systemctl")
            shutil.copy(Path(__file__).with_name("systemctl.py"), systemctl)
            systemctl.chmod(0o755)
            version = running.run("python3 -c 'import sys; print(\"%d.%d\" % sys.version_info[:2])'").strip()
            shutil.copytree(locked_packages(python=version), running.path(PACKAGES))
            running.put(RELEASE, built_release() / WHEEL, built_release() / "requirements.lock")
            install = blocks(section("First start in production"), "sh")[0]
            running.run(f"cd {RELEASE}\n{install}", environment=PIP)
            yield running


def _root(folder: Path) -> Path:
    root = Path(os.environ.get(PREPARED) or folder / "root")
    if PREPARED not in os.environ:
        # What downloads the packages has a user of its own.
        folder.chmod(0o755)
        made = subprocess.run([ROOT / "tests/clean_machine/make_root.sh", root], capture_output=True, text=True)
        assert made.returncode == 0, made.stderr
    return root
