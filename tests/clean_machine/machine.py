"""A clean Debian in a folder, seen by what runs there as a machine of its own; only the network is this machine's.

Programs run in it by `chroot`, in namespaces of their own for mounts and processes, so that nothing of the checkout
can be seen and all of them end with the machine. Booting systemd needs control groups that a test run may not have:
`systemctl.py` stands in for it there.
"""

import contextlib
import os
import shutil
import signal
import stat
import subprocess
import time
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path
from typing import IO

from tests.postgres import end_with_parent

# The first process ends what others leave behind, as on every machine.
_BOOT = """
mount --bind "$0" "$0"
mount -t proc proc "$0/proc"
mount -t tmpfs tmpfs "$0/dev/shm"
echo booted
exec chroot "$0" /bin/bash -c 'trap "exit 0" TERM; while :; do sleep 1000 & wait $!; done'
"""
_PATH = "/usr/local/sbin:/usr/local/bin:/usr/sbin:/usr/bin:/sbin:/bin"


@dataclass(frozen=True)
class Done:
    """A script that ended."""

    code: int
    out: str
    err: str


class Machine:
    """The machine whose root folder is `root`; it runs within `booted`."""

    def __init__(self, root: Path) -> None:
        self.root = root
        self._pid = 0
        self._settled = 0.0

    @contextmanager
    def booted(self) -> Iterator["Machine"]:
        """Let programs run on it in the block, and end them all afterwards."""
        unshare = ("unshare", "--mount", "--pid", "--fork", "--kill-child=SIGKILL", "--propagation=private")
        process = subprocess.Popen(
            [*unshare, "/bin/sh", "-ec", _BOOT, str(self.root)], stdout=subprocess.PIPE, preexec_fn=end_with_parent
        )
        assert process.stdout is not None
        try:
            with process.stdout:
                assert process.stdout.readline() == b"booted\n"
            children = Path(f"/proc/{process.pid}/task/{process.pid}/children").read_text(encoding="ascii")
            self._pid = int(children)
            yield self
        finally:
            with contextlib.suppress(ProcessLookupError):
                os.kill(self._pid, signal.SIGTERM)
            process.wait(20)

    def start(
        self, script: str, *, user: str = "root", environment: dict[str, str] | None = None, output: IO[str] | int
    ) -> "subprocess.Popen[str]":
        """Start `script` as bash reads it, as `user`, in their home, with what a login sets and `environment`.

        The process that is returned ends as the script does, but does not pass signals on to it.
        """
        home = "/root" if user == "root" else f"/home/{user}"
        login = {"HOME": home, "USER": user, "LOGNAME": user, "PATH": _PATH, **(environment or {})}
        inside = ("nsenter", f"--target={self._pid}", "--mount", "--pid", "--root", f"--wdns={home}")
        as_user = ("setpriv", f"--reuid={user}", f"--regid={user}", "--init-groups")
        variables = [f"{name}={value}" for name, value in login.items()]
        return subprocess.Popen(
            [*inside, *as_user, "env", "-i", *variables, "bash", "-euo", "pipefail", "-c", script],
            stdin=subprocess.DEVNULL,
            stdout=output,
            stderr=subprocess.PIPE if output == subprocess.PIPE else subprocess.STDOUT,
            text=True,
        )

    def attempt(self, script: str, *, user: str = "root", environment: dict[str, str] | None = None) -> Done:
        """Run `script` as `start` does, to its end."""
        process = self.start(script, user=user, environment=environment, output=subprocess.PIPE)
        out, err = process.communicate(timeout=180)
        return Done(process.returncode, out, err)

    def run(self, script: str, *, user: str = "root", environment: dict[str, str] | None = None) -> str:
        """Return what `script` printed; fail the test where one of its commands fails."""
        done = self.attempt(script, user=user, environment=environment)
        assert done.code == 0, f"{script}\nexited {done.code}:\n{done.out}\n{done.err}"
        return done.out

    def path(self, inside: str) -> Path:
        """Return where the file `inside` of the machine lies for this process."""
        return self.root / inside.lstrip("/")

    def put(self, inside: str, *files: Path) -> None:
        """Copy `files` to the folder `inside`."""
        self.path(inside).mkdir(parents=True, exist_ok=True)
        for file in files:
            shutil.copy(file, self.path(inside))

    def settle(self) -> None:
        """Count nothing that was written so far as written by what runs from now on."""
        # What the file system notes is up to a tick behind the clock.
        mark = self.root / "mark"
        mark.touch()
        self._settled = mark.lstat().st_ctime
        while mark.lstat().st_ctime <= self._settled:
            time.sleep(0.002)
            mark.touch()
        mark.unlink()

    def written(self, *, outside: tuple[str, ...]) -> list[str]:
        """Return the files of the disk that were written since it settled and lie in none of the folders `outside`."""
        own = tuple(f"{folder}/" for folder in ("/proc", "/dev", "/run", *outside))
        files = (Path(parent) / name for parent, _, names in os.walk(self.root) for name in names)
        names = {f"/{path.relative_to(self.root)}": path for path in files}
        return sorted(
            name for name, path in names.items() if not name.startswith(own) and path.lstat().st_ctime > self._settled
        )

    def open_to_others(self, folder: str) -> list[str]:
        """Return what is in `folder`, and the folder itself, if others than its user may do anything with it."""
        top = self.path(folder)
        found = [top, *top.rglob("*")]
        return [f"{path} {mode:o}" for path in found if (mode := stat.S_IMODE(path.lstat().st_mode)) & 0o077]
