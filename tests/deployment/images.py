"""Builds the image of the Containerfile without a registry: on a base of this machine's own Debian packages."""

import json
import os
import re
import shutil
import subprocess
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from tests.paths import ROOT
from tests.release.built import WHEEL, built_release
from tests.wheels import locked_packages

# What a base image has, as far as the Containerfile uses it: Python with venv, a shell, users, certificates.
BASE_PACKAGES = ("base-files", "base-passwd", "ca-certificates", "coreutils", "dash", "passwd", "python3-venv")
_NOT_NEEDED = ("/usr/share/doc/", "/usr/share/man/", "/usr/share/locale/", "/usr/share/i18n/", "/var/")
BASE = "localhost/base"
IMAGE = "localhost/hoursmith-console"


@dataclass(frozen=True)
class Image:
    """A built image: its files, and what it says of itself."""

    root: Path
    config: dict[str, Any]
    description: str


@contextmanager
def built_image(work: Path) -> Iterator[Image]:
    """The image, built in the folder `work`; its files are there as long as the block lasts."""
    base = _buildah(work, "from", "scratch")
    _buildah(work, "add", base, str(_base_files(work)), "/")
    _buildah(work, "commit", "--quiet", base, BASE)
    context, offline = _context(work / "context"), work / "pip.conf"
    offline.write_text("[global]\nno-index = true\nfind-links = /wheels\n", encoding="utf-8")
    given = ("--pull-never", f"--build-arg=BASE={BASE}", f"--file={ROOT / 'Containerfile'}", f"--tag={IMAGE}")
    wheels = locked_packages(python=_python_version())
    volumes = (f"--volume={wheels}:/wheels:ro", f"--volume={offline}:/etc/pip.conf:ro")
    _buildah(work, "bud", "--isolation=chroot", "--format=docker", "--quiet", *given, *volumes, context)
    said = json.loads(_buildah(work, "inspect", "--type=image", IMAGE))
    container = _buildah(work, "from", "--pull-never", IMAGE)
    root = Path(_buildah(work, "mount", container))
    try:
        yield Image(root, said["Docker"]["config"], json.dumps(said))
    finally:
        _buildah(work, "umount", container)


def _buildah(work: Path, command: str, *arguments: str) -> str:
    places = ("--root", str(work / "storage"), "--runroot", str(work / "run"))
    done = subprocess.run(["buildah", *places, command, *arguments], capture_output=True, text=True, cwd=work)
    assert done.returncode == 0, f"buildah {command}: {done.stdout}{done.stderr}"
    return done.stdout.strip()


def _context(folder: Path) -> str:
    """A folder to build in: what the repository has, and a release beside things that must not get into an image."""
    (folder / "dist").mkdir(parents=True)
    for name in ("Containerfile", ".dockerignore", "requirements.lock", "compose.yaml"):
        shutil.copy(ROOT / name, folder / name)
    shutil.copy(built_release() / WHEEL, folder / "dist")
    for name in (".env", "var/secret_key", "secrets/database_url", "dist/notes"):
        (folder / name).parent.mkdir(exist_ok=True)
        (folder / name).write_text("of the operator", encoding="utf-8")
    return str(folder)


def _python_version() -> str:
    said = subprocess.run(["/usr/bin/python3", "--version"], capture_output=True, text=True, check=True).stdout
    return ".".join(said.split()[1].split(".")[:2])


def _base_files(work: Path) -> Path:
    """An archive of the files of BASE_PACKAGES, and of all that they depend on."""
    names, archive = work / "names", work / "base.tar"
    listed = subprocess.run(
        ["dpkg-query", "--listfiles", *sorted(_with_dependencies())], capture_output=True, text=True, check=True
    ).stdout
    paths = {path for path in listed.splitlines() if path.startswith("/") and not path.startswith(_NOT_NEEDED)}
    # Debian's folders in / are links to those in /usr.
    whole = {os.path.join(os.path.realpath(os.path.dirname(path)), os.path.basename(path)) for path in paths}
    more = {"/etc/passwd", "/etc/group", "/etc/shadow", "/etc/gshadow", "/etc/ld.so.cache"}
    more |= {
        "/bin",
        "/sbin",
        "/lib",
        "/lib64",
        "/tmp",  # noqa: S108 – the folder itself
        "/var",
        "/var/lib",
        "/run",
        "/etc/ssl/certs/ca-certificates.crt",
    }
    found = sorted(path for path in whole | more if os.path.lexists(path) and path != "/.")
    names.write_text("\0".join(path.lstrip("/") for path in found if path != "/"), encoding="utf-8")
    tar = ("tar", "--create", f"--file={archive}", "--directory=/", "--no-recursion", "--null", f"--files-from={names}")
    subprocess.run(tar, check=True)
    return archive


def _with_dependencies() -> set[str]:
    form = "${Package}\t${Pre-Depends}, ${Depends}\t${Provides}\n"
    known = subprocess.run(["dpkg-query", "--show", f"--showformat={form}"], capture_output=True, text=True, check=True)
    needs: dict[str, str] = {}
    provided: dict[str, str] = {}
    for line in known.stdout.splitlines():
        name, depends, provides = line.split("\t")
        needs[name] = depends
        provided |= dict.fromkeys(_names(provides), name)
    found, waiting = set(), list(BASE_PACKAGES)
    while waiting:
        name = waiting.pop()
        name = name if name in needs else provided.get(name, "")
        if name and name not in found:
            found.add(name)
            waiting += _names(needs[name])
    return found


def _names(relations: str) -> Iterator[str]:
    """The first installable alternative of each relation, without versions."""
    return (match[0] for each in relations.split(",") if (match := re.match(r"[a-z0-9][a-z0-9+.-]+", each.strip())))
