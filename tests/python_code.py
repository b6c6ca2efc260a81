"""Runs Python code with Django set up, in a process of its own, forked from one that has loaded the libraries."""

import os
import sys
import threading
from typing import TextIO

from tests.subprocesses import Process, module_start


class RunningCode:
    """As much of `subprocess.Popen` as tests need; all that it prints comes in `stdout`, as text."""

    def __init__(self, code: str, environment: dict[str, str]) -> None:
        """Start it."""
        ours, theirs = os.pipe()
        with open(os.devnull, "rb") as nothing:
            self._process: Process = module_start(
                "tests.python_code",
                code,
                environment=environment,
                stdin=nothing.fileno(),
                stdout=theirs,
                stderr=theirs,
            )
        os.close(theirs)
        self.stdout: TextIO = open(ours, encoding="utf-8")  # noqa: SIM115 – closed by `communicate`

    @property
    def returncode(self) -> int | None:
        """Its exit code, as `subprocess` counts them; None while it runs."""
        return self._process.poll()

    def wait(self, timeout: float) -> int:
        return self._process.wait(timeout)

    def send_signal(self, number: int) -> None:
        self._process.send_signal(number)

    def kill(self) -> None:
        self._process.kill()

    def communicate(self, timeout: float = 60) -> tuple[str, None]:
        """Wait for its end, and return what it printed since. What has not ended after `timeout` s is killed."""
        limit = threading.Timer(timeout, self.kill)
        limit.start()
        with self.stdout:
            printed = self.stdout.read()
        limit.cancel()
        self.wait(10)
        return printed, None


if __name__ == "__main__":
    import django

    django.setup()
    exec(compile(sys.argv[1], "<code of a test>", "exec"), {"__name__": "__main__"})  # noqa: S102 – what it is for
