"""With LOG_FORMAT=json every line that a served process writes is a JSON object, from its first to its last."""

import json
import os
import signal
import subprocess
import sys
import urllib.error
import urllib.request
from pathlib import Path
from typing import Any, Self

import pytest

from hoursmith_console.server import run
from tests.hoursmith_console.server.noisy_app import DOES
from tests.paths import ROOT
from tests.prepared import console_environment
from tests.servers import free_port
from tests.subprocesses import Process, module_start
from tests.token_shapes import assembled_token
from tests.waiting import eventually

GUNICORN = ("gunicorn", "--config", "python:hoursmith_console.server.gunicorn_conf")
SERVE = ("hoursmith_console.server.run",)


class Running:
    """A process with what it wrote."""

    def __init__(self, folder: Path, *module: str, **environment: str) -> None:
        self.port = free_port()
        self.log = folder / "log"
        given = console_environment(folder, self.port, 1, {"LOG_FORMAT": "json", **environment}, None)
        with self.log.open("ab") as log, open(os.devnull, "rb") as nothing:
            streams = {"stdin": nothing.fileno(), "stdout": log.fileno(), "stderr": log.fileno()}
            self.process: Process = module_start(*module, environment=given, **streams)

    def __enter__(self) -> Self:
        return self

    def __exit__(self, *_: object) -> None:
        self.end()

    def lines(self) -> list[dict[str, Any]]:
        """Every line, each of which must be an object with a level and a message."""
        # The last one may be still being written.
        *complete, _ = self.log.read_text(encoding="utf-8").split("\n")
        found = [json.loads(line) for line in complete]
        assert all(isinstance(each["message"], str) and each["level"] for each in found)
        return found

    def says(self, what: str) -> list[dict[str, Any]]:
        return [each for each in self.lines() if what in f"{each['message']} {each.get('error', '')}"]

    def eventually_says(self, what: str, times: int = 1) -> None:
        eventually(lambda: len(self.says(what)) >= times, 60, told=lambda: self.log.read_text(errors="replace"))

    def get(self, path: str) -> int:
        try:
            with urllib.request.urlopen(f"http://127.0.0.1:{self.port}{path}", timeout=20) as answer:
                return int(answer.status)
        except urllib.error.HTTPError as error:
            return error.code
        except OSError:
            return 0

    def workers(self) -> list[int]:
        children = Path(f"/proc/{self.process.pid}/task/{self.process.pid}/children").read_text(encoding="ascii")
        return [int(pid) for pid in children.split()]

    def end(self) -> int | None:
        if self.process.poll() is None:
            self.process.terminate()
            self.process.wait(timeout=40)
        return self.process.poll()


def test_whatever_workers_say_and_however_they_end_each_line_is_an_object(tmp_path: Path) -> None:
    with Running(tmp_path, *GUNICORN, "tests.hoursmith_console.server.noisy_app:application") as served:
        eventually(lambda: served.get("/") == 204, 60, told=lambda: served.log.read_text(errors="replace"))
        for path in DOES:
            assert served.get(path) == 204, path
        assert served.get("/raise") == 500
        [first] = served.workers()
        os.kill(served.process.pid, signal.SIGHUP)
        eventually(lambda: first not in served.workers() and len(served.workers()) == 1, 60)
        [second] = served.workers()
        os.kill(second, signal.SIGKILL)
        eventually(lambda: second not in served.workers() and served.get("/") == 204, 60)
        assert served.end() == 0
        assert [each["message"] for each in served.says("printed")] == ["printed", '{"printed": "JSON"}']
        for said in (
            "Starting gunicorn",
            "raised in a thread",
            "raised as it was collected",
            "raised in a request",
            "warned of",
            "logged with its traceback",
            "begun and ended",
            "Handling signal: hup",
            "SIGKILL",
            "Shutting down: Master",
        ):
            assert len(served.says(said)) >= 1, said


@pytest.mark.django_db(databases=["default", "sandbox"])
def test_a_first_start_prints_passwords_and_a_token_for_people_and_not_into_a_log(
    monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    monkeypatch.setenv("LOG_FORMAT", "json")
    run.prepare_sandbox()
    said = capsys.readouterr().out
    assert "console_password_reset --email" in said
    assert "shown once" not in said
    assert "hsk_" not in said


@pytest.mark.parametrize(
    "module", [SERVE, (*GUNICORN, "hoursmith_console.asgi:application")], ids=["serve", "gunicorn"]
)
def test_a_refused_setting_is_an_object(tmp_path: Path, module: tuple[str, ...]) -> None:
    with Running(tmp_path, *module, AUDIT_ANCHOR="disk") as served:
        assert served.process.wait(timeout=60) == 1
        assert served.says("AUDIT_ANCHOR is 'disk'")
        assert len(served.lines()) == 1


def test_waiting_for_the_database_is_said_in_objects(tmp_path: Path) -> None:
    # A folder is no database: it cannot be opened, as if its disk were not there.
    (tmp_path / "away.sqlite3").mkdir()
    with Running(tmp_path, *SERVE, DATABASE_URL=f"sqlite:///{tmp_path}/away.sqlite3") as served:
        served.eventually_says("Waiting for the database")
        served.end()
        assert served.lines()[0]["message"] == "Preparing the database …"


def test_a_crash_as_it_loads_is_one_object(tmp_path: Path) -> None:
    (tmp_path / "whitenoise.py").write_text(
        f"raise RuntimeError('broken, beside {assembled_token()}')\n", encoding="ascii"
    )
    given = console_environment(tmp_path, 0, 1, {"LOG_FORMAT": "json"}, None)
    ended = subprocess.run(
        [sys.executable, "-m", *SERVE],
        cwd=ROOT,
        env={**given, "PYTHONPATH": f"{tmp_path}:{ROOT}"},
        capture_output=True,
        check=False,
        text=True,
    )
    assert ended.returncode == 1
    [crash] = [json.loads(line) for line in (ended.stdout + ended.stderr).splitlines() if "broken" in line]
    assert crash["message"] == "Uncaught RuntimeError"
    assert assembled_token() not in ended.stderr
    assert all(json.loads(line)["level"] for line in (ended.stdout + ended.stderr).splitlines())
