"""Runs `manage.py` for one console: each command in a process of its own, forked from one that has all loaded.

To start Python and to load the product takes a second of a processor, and tests run hundreds of commands.
"""

import gc
import json
import os
import socket
import sys
import tempfile
from typing import IO, Any

from tests.subprocesses import Process, module_start

LONGEST_S = 120


def _terminal() -> int:
    """The standard error of the tests themselves, which pytest does not catch."""
    assert sys.__stderr__ is not None
    return sys.__stderr__.fileno()


class Manager:
    """Commands with the variables `environment`, which are read once, at the first command."""

    def __init__(self, environment: dict[str, str], *, may_fork: bool = True) -> None:
        self._environment = dict(environment)
        self._may_fork = may_fork
        self._process: Process | None = None
        self._talk: socket.socket | None = None

    def fits(self, environment: dict[str, str]) -> bool:
        """Whether these are the variables that its commands have."""
        return self._environment == environment

    def run(self, *arguments: str, check: bool = True, more: dict[str, str] | None = None) -> str:
        """What `manage.py …` printed, with the variables `more` besides, which must be none that settings read.

        `check` fails the test where it exits with another code than 0.
        """
        told = self._ask({"arguments": arguments, "more": more or {}})
        if check and told["code"]:
            raise AssertionError(f"manage.py {arguments[0]} exited {told['code']}:\n{told['stdout']}\n{told['stderr']}")
        return str(told["stdout"])

    def _ask(self, wanted: dict[str, Any]) -> dict[str, Any]:
        talk = self._talk or self._start()
        line = b""
        try:
            talk.sendall(json.dumps(wanted).encode() + b"\n")
            while not line.endswith(b"\n") and (part := talk.recv(1 << 20)):
                line += part
        except OSError:
            line = b""
        if not line.endswith(b"\n"):
            self.close()
            raise AssertionError(
                f"manage.py {wanted['arguments'][0]} did not end in {LONGEST_S} s, or could not start."
            )
        told: dict[str, Any] = json.loads(line)
        return told

    def _start(self) -> socket.socket:
        self._talk, theirs = socket.socketpair()
        self._talk.settimeout(LONGEST_S)
        with theirs:
            end = theirs.fileno()
            self._process = module_start(
                "tests.management",
                environment=self._environment,
                stdin=end,
                stdout=end,
                stderr=_terminal(),
                may_fork=self._may_fork,
            )
        return self._talk

    def close(self) -> None:
        if self._process is not None and self._talk is not None:
            self._process.kill()
            self._process.wait(10)
            self._talk.close()
            self._process = self._talk = None


def _run(wanted: dict[str, Any], out: IO[bytes], err: IO[bytes]) -> None:
    """In the forked process: become the command."""
    from django.core.management import execute_from_command_line

    code: Any = 1
    try:
        os.dup2(out.fileno(), 1)
        os.dup2(err.fileno(), 2)
        os.dup2(os.open(os.devnull, os.O_RDONLY), 0)
        os.environ.update(wanted["more"])
        sys.argv = ["manage.py", *wanted["arguments"]]
        execute_from_command_line(sys.argv)
        code = 0
    except SystemExit as ended:
        code = ended.code
    except BaseException:
        sys.excepthook(*sys.exc_info())
    finally:
        sys.stdout.flush()
        sys.stderr.flush()
        os._exit(code if isinstance(code, int) else int(bool(code)))


def _serve() -> None:
    """Run the commands that come in as lines of JSON, and answer each with a line."""
    import django

    # What is loaded stays: neither this process nor the forked ones ever look through it for garbage.
    gc.disable()
    django.setup()
    import hoursmith_console.urls  # noqa: F401 – loads the pages, as the checks before a command do

    gc.freeze()
    gc.enable()
    for line in sys.stdin:
        with tempfile.TemporaryFile() as out, tempfile.TemporaryFile() as err:
            pid = os.fork()
            if pid == 0:
                _run(json.loads(line), out, err)
            code = os.waitstatus_to_exitcode(os.waitpid(pid, 0)[1])
            said = []
            for file in (out, err):
                file.seek(0)
                said.append(file.read().decode(errors="replace"))
        sys.stdout.write(json.dumps({"code": code, "stdout": said[0], "stderr": said[1]}) + "\n")
        sys.stdout.flush()


if __name__ == "__main__":
    _serve()
