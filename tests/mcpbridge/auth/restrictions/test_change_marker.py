"""Many processes that start at once make, map and change the same file, and none of them is killed by it."""

import os
import signal
import subprocess
import sys
import time
from pathlib import Path

import pytest

from mcpbridge.auth.restrictions.change_marker import ChangeMarker
from tests.paths import ROOT

# Forks 130 processes, lets them go at once, and prints how each ended. In a small process of its own: to fork the one
# that runs the tests takes twenty times as long. Each process does what a worker does at its first start: see where
# the generation stands, change it, look again.
_TOGETHER = """
import os, sys
from mcpbridge.auth.restrictions.change_marker import ChangeMarker
path = sys.argv[1]
held, go = os.pipe()
pids = []
for _ in range(130):
    pids.append(os.fork())
    if pids[-1] == 0:
        os.close(go)
        code = 1
        try:
            os.read(held, 1)
            generation = ChangeMarker(path)
            for _ in range(20):
                assert generation.now() is not None
                ChangeMarker(path).change()
            code = 0
        finally:
            os._exit(code)
os.close(go)
print(*(os.waitpid(pid, 0)[1] for pid in pids))
"""


def test_processes_that_start_at_once_do_not_kill_each_other(tmp_path: Path) -> None:
    for attempt in range(3):
        path = tmp_path / f"console-{attempt}.sqlite3"
        done = subprocess.run(
            [sys.executable, "-c", _TOGETHER, str(path)], cwd=ROOT, capture_output=True, text=True, check=True
        )
        ends = [int(end) for end in done.stdout.split()]
        assert len(ends) == 130
        assert [end for end in ends if os.WIFSIGNALED(end) and os.WTERMSIG(end) == signal.SIGBUS] == []
        assert set(ends) == {0}


def test_who_saw_no_file_a_moment_ago_cuts_off_nothing_that_others_look_at(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    path = tmp_path / "console.sqlite3"
    looked = tmp_path / "looked"
    pid = os.fork()
    if not pid:
        code = 1
        try:
            reader = ChangeMarker(str(path))
            assert reader.now() is not None
            looked.touch()
            until = time.monotonic() + 60
            while not (tmp_path / "enough").exists() and time.monotonic() < until:
                for _ in range(1000):
                    reader.now()
            code = 0
        finally:
            os._exit(code)
    while not looked.exists():
        time.sleep(0.01)
    with monkeypatch.context() as patched:
        patched.setattr(os.path, "exists", lambda _: False)
        for _ in range(3000):
            ChangeMarker(str(path)).change()
    (tmp_path / "enough").touch()
    _, end = os.waitpid(pid, 0)
    assert end == 0, "the process that looked was killed by SIGBUS"


def test_a_file_that_is_mapped_keeps_its_size_and_what_it_says(tmp_path: Path) -> None:
    path = str(tmp_path / "console.sqlite3")
    one, two = ChangeMarker(path), ChangeMarker(path)
    before = one.now()
    assert (before, os.stat(f"{path}.restrictions").st_size) == (two.now(), ChangeMarker.SIZE)
    ChangeMarker(path).change()
    assert one.now() == two.now() != before


def test_a_file_that_another_one_has_only_just_made_is_no_fault(tmp_path: Path) -> None:
    path = tmp_path / "console.sqlite3"
    Path(f"{path}.restrictions").touch()
    assert ChangeMarker(str(path)).now() == bytes(ChangeMarker.SIZE)
