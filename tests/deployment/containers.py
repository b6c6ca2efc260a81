"""Runs programs as a container runtime does: crun, with the limits that it is told."""

import json
import os
import shutil
import subprocess
from collections.abc import Callable, Iterator, Mapping, Sequence
from contextlib import contextmanager
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

from tests.postgres import end_with_parent

# crun reads what kind of cgroups there are, and knows the new ones only; none are made.
_WITH_CGROUPS = """
umask 022
mount --make-rprivate /
if [ "$(stat -f -c %T /sys/fs/cgroup)" != cgroup2fs ]; then
    umount -R /sys/fs/cgroup
    mount -t cgroup2 none /sys/fs/cgroup
fi
exec "$@"
"""
_DEVICES = ["nosuid", "strictatime", "mode=755"]


@dataclass
class Sandbox:
    """What a program may see and do: an OCI configuration, as far as tests need one."""

    root: Path
    user: tuple[int, int]
    is_read_only: bool = True
    may_gain_privileges: bool = False
    capabilities: Sequence[str] = ()
    most_files: int = 1024
    umask: int = 0o022
    # By destination: what is there, and whether it can be written.
    binds: dict[str, tuple[Path, bool]] = field(default_factory=dict)
    tmpfs: Sequence[str] = ()
    namespaces: Sequence[str] = ("mount", "pid", "ipc", "uts")
    seccomp: dict[str, Any] | None = None

    def configuration(self, arguments: Sequence[str], environment: Mapping[str, str]) -> dict[str, Any]:
        mounts = [
            {"destination": "/proc", "type": "proc", "source": "proc"},
            {"destination": "/dev", "type": "tmpfs", "source": "tmpfs", "options": _DEVICES},
            {"destination": "/dev/shm", "type": "tmpfs", "source": "tmpfs", "options": ["mode=1777"]},  # noqa: S108
        ]
        mounts += [
            {"destination": to, "type": "tmpfs", "source": "tmpfs", "options": ["mode=1777"]} for to in self.tmpfs
        ]
        mounts += [
            {"destination": to, "type": "bind", "source": str(path), "options": ["rbind", "rw" if is_written else "ro"]}
            for to, (path, is_written) in self.binds.items()
        ]
        held = list(self.capabilities)
        linux: dict[str, Any] = {"namespaces": [{"type": name} for name in self.namespaces]}
        if self.seccomp:
            linux["seccomp"] = self.seccomp
        return {
            "ociVersion": "1.0.2",
            "process": {
                "user": {"uid": self.user[0], "gid": self.user[1], "umask": self.umask},
                "args": list(arguments),
                "env": [f"{name}={value}" for name, value in environment.items()],
                "cwd": "/",
                "capabilities": {"bounding": held, "effective": held, "permitted": held},
                "rlimits": [{"type": "RLIMIT_NOFILE", "soft": self.most_files, "hard": self.most_files}],
                "noNewPrivileges": not self.may_gain_privileges,
            },
            "root": {"path": str(self.root), "readonly": self.is_read_only},
            "mounts": mounts,
            "linux": linux,
        }


class Runtime:
    """Starts containers; their states and logs lie in `folder`."""

    def __init__(self, folder: Path) -> None:
        self._folder = folder
        self._number = 0

    def _start(
        self, sandbox: Sandbox, arguments: Sequence[str], environment: Mapping[str, str], **streams: Any
    ) -> "subprocess.Popen[str]":
        self._number += 1
        bundle = self._folder / str(self._number)
        bundle.mkdir(parents=True)
        said = sandbox.configuration(arguments, environment)
        (bundle / "config.json").write_text(json.dumps(said), encoding="utf-8")
        crun = ("crun", "--root", str(self._folder / "states"), "--cgroup-manager=disabled", "run")
        run = (*crun, "--bundle", str(bundle), f"--pid-file={bundle}/pid", f"c{os.getpid()}-{id(self)}-{self._number}")
        return subprocess.Popen(
            ["unshare", "--mount", "sh", "-e", "-c", _WITH_CGROUPS, "sh", *run],
            text=True,
            preexec_fn=end_with_parent,
            **streams,
        )

    def run(self, sandbox: Sandbox, arguments: Sequence[str], environment: Mapping[str, str]) -> tuple[int, str]:
        """The exit code of the program, and what it printed."""
        process = self._start(sandbox, arguments, environment, stdout=subprocess.PIPE, stderr=subprocess.STDOUT)
        printed, _ = process.communicate(timeout=60)
        return process.returncode, printed

    @contextmanager
    def running(
        self, sandbox: Sandbox, arguments: Sequence[str], environment: Mapping[str, str], log: Path
    ) -> Iterator["Running"]:
        """The program, until the block ends; what it prints is in `log`."""
        with log.open("wb") as written:
            process = self._start(sandbox, arguments, environment, stdout=written, stderr=written)
        running = Running(process, self._folder / str(self._number) / "pid", log)
        try:
            yield running
        finally:
            if process.poll() is None:
                running.signal(9)
                process.wait(timeout=20)


@dataclass
class Running:
    """A running container."""

    process: "subprocess.Popen[str]"
    pid_file: Path
    log: Path

    def signal(self, number: int) -> None:
        """Send a signal to its first program."""
        os.kill(int(self.pid_file.read_text(encoding="ascii")), number)

    def output(self) -> str:
        return self.log.read_text(encoding="utf-8", errors="replace")


def require(needs: Callable[[bool, str], None], *programs: str) -> None:
    """Skip where one of the programs is not installed, or where this user may run no containers."""
    for name in programs:
        needs(shutil.which(name) is not None, f"{name} is not installed (Debian: {name}).")
