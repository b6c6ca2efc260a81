"""An outsider's computer: a fresh virtual environment that has the package `cryptography`, and nothing of ours."""

import json
import re
import shutil
import subprocess
import sys
import sysconfig
from importlib.metadata import Distribution, distribution
from pathlib import Path
from typing import Any

from tests.verifiers import STANDALONE


class Outsider:
    """A folder with a copy of the verifier and an environment of its own."""

    def __init__(self, folder: Path) -> None:
        """Make the environment. Its package is copied from ours, so that no index is asked."""
        self._folder = folder / "outsider"
        subprocess.run([sys.executable, "-m", "venv", "--without-pip", str(self._folder / "venv")], check=True)
        self._python = self._folder / "venv" / "bin" / "python"
        packages = sysconfig.get_path("purelib", "venv", {"base": str(self._folder / "venv")})
        for each in _with_requirements("cryptography"):
            _copy(each, Path(packages))
        shutil.copy(STANDALONE, self._folder)

    def verify(self, evidence: Path, fingerprint: str, *more: str) -> dict[str, Any]:
        """Return what one command says of evidence, and its exit code as `code`."""
        told = self._run(STANDALONE.name, str(evidence), "--fingerprint", fingerprint, "--json", *more)
        assert told.stderr == ""
        return {**json.loads(told.stdout), "code": told.returncode}

    def lacks(self, module: str) -> bool:
        """Return whether the environment does not have `module`."""
        return "ModuleNotFoundError" in self._run("-c", f"import {module}").stderr

    def _run(self, *arguments: str) -> "subprocess.CompletedProcess[str]":
        command = [str(self._python), "-I", *arguments]
        return subprocess.run(
            command, cwd=self._folder, env={}, capture_output=True, text=True, timeout=60, check=False
        )


def _with_requirements(name: str) -> list[Distribution]:
    """Return an installed package and those that it needs on this machine."""
    found, names = {}, [name]
    while names:
        each = distribution(names.pop())
        if each.name not in found:
            found[each.name] = each
            needed = [line for line in each.requires or [] if "extra ==" not in line]
            names += [match[0] for line in needed if (match := re.match(r"[\w.-]+", line)) and _is_installed(match[0])]
    return list(found.values())


def _is_installed(name: str) -> bool:
    try:
        distribution(name)
    except ModuleNotFoundError:
        return False
    return True


def _copy(package: Distribution, to: Path) -> None:
    for file in package.files or []:
        if ".." not in file.parts and "__pycache__" not in file.parts:
            target = to / file
            target.parent.mkdir(parents=True, exist_ok=True)
            shutil.copy(str(file.locate()), target)
