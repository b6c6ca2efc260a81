"""The tiers: what starts a process is slow, and a fast test cannot start one."""

import os
import subprocess
import sys

import pytest

from tests import tiers
from tests.servers import free_port

# Written so that the search does not take the test that uses them for a slow one.
WAYS = {
    "a command": lambda: getattr(subprocess, "run")(["true"], check=True),  # noqa: B009
    "a fork": lambda: getattr(os, "fork")(),  # noqa: B009
    "posix_spawn": lambda: os.posix_spawn("/bin/true", ["true"], {}),
    "a shell": lambda: os.system("true"),  # noqa: S605
}


def _calls_another() -> None:
    _starts_a_process()


def _starts_a_process() -> None:
    subprocess.run([sys.executable, "--version"], check=True)


def test_fast_tests_use_no_browser_no_console_no_server_and_no_fault(request: pytest.FixtureRequest) -> None:
    fast = [item for item in request.session.items if item.get_closest_marker("slow") is None]
    for item in fast:
        assert not {"needs", "console", "postgres_database", "chromium"} & set(item.fixturenames), item.nodeid
        assert not {"browser", "faults", "interop", "security"} & set(item.path.parts), item.nodeid
    assert [item.nodeid for item in fast if item.path.name == "test_tiers.py"]


def test_the_files_that_begin_a_run_are_there() -> None:
    assert [path for path in tiers.LONGEST if not path.is_file()] == []


def test_what_starts_a_process_is_found_through_what_it_calls() -> None:
    assert tiers.starts_processes(_starts_a_process)
    assert tiers.starts_processes(_calls_another)
    assert not tiers.starts_processes(free_port)


@pytest.mark.parametrize("way", WAYS)
def test_a_fast_test_cannot_start_a_process(way: str) -> None:
    with pytest.raises(tiers.ProcessInFastTestError):
        WAYS[way]()
