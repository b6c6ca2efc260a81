"""Tells slow tests from fast ones by what they use; `make test-fast` runs the fast ones.

Slow is what has a browser, a served console, a PostgreSQL server or a fault of the machine in it: whatever starts a
process. A fast test that starts one fails, so that no test is in the wrong tier unnoticed. Slow as well are walks
through every address and `tests/security`, which take as long as half of the fast ones.
"""

import functools
import os
import subprocess
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from pathlib import Path
from types import CodeType, FunctionType
from typing import Any

import pytest

_SLOW = (
    "browser",
    "faults",
    "interop",
    "security",
    # Sends the sandbox's API every value at its limits.
    "hoursmith_console/sandbox/api/test_schemathesis.py",
)
SLOW_PLACES = tuple(Path(__file__).parent / name for name in _SLOW)
# Each takes a minute or more. They begin the run, since one that began last would run alone.
LONGEST = tuple(
    Path(__file__).parent / name
    for name in (
        "test_secret_markers.py",
        "security/test_tenants_never_meet.py",
        "clean_machine/test_clean_machine.py",
        "browser/test_accessible_pages.py",
        "security/test_reauthentication.py",
        "deployment/test_container.py",
        "faults/test_start_without_database.py",
        "browser/test_rotating.py",
    )
)
# Asked for by whatever needs an installed program, such as PostgreSQL, Chromium or Node.js.
SLOW_FIXTURES = {"needs"}
# The values of parameters that stand for such a program.
SLOW_PARAMETERS = ("postgres",)
# What starts a process, as code that calls it names it.
STARTERS = {
    "served_console",
    "module_start",
    "shared_cluster",
    "own_cluster",
    "run_python",
    "subprocess",
    "Popen",
    "fork",
}
# What walks every address, as code that does so names it.
WALKERS = {"every_route", "console_routes", "account_routes", "get_resolver"}
# Makes, once a test run and not for one test, what databases and static files are copied from.
_PREPARES = {"tests.prepared", "tests.databases", "tests.postgres"}


class ProcessInFastTestError(AssertionError):
    """A test that counts as fast starts a process."""


def is_slow(item: pytest.Item) -> bool:
    """Return whether the test lies where slow ones lie, or uses or calls what starts a process or walks all pages."""
    if _lies_among_slow_ones(item.path):
        return True
    if not isinstance(item, pytest.Function):
        return False
    if SLOW_FIXTURES & set(item.fixturenames):
        return True
    if hasattr(item, "callspec") and any(value in SLOW_PARAMETERS for value in _texts(item.callspec.params)):
        return True
    # The public way, `request`, is there only once the test runs.
    fixtures = [each.func for found in item._fixtureinfo.name2fixturedefs.values() for each in found]
    return any(starts_processes(function) for function in (item.function, *fixtures))


@functools.cache
def _lies_among_slow_ones(path: Path) -> bool:
    return any(path.is_relative_to(place) for place in SLOW_PLACES)


def _texts(parameters: dict[str, Any]) -> Iterator[str]:
    return (value for value in parameters.values() if isinstance(value, str))


_known: dict[object, bool] = {}


def starts_processes(called: object) -> bool:
    """Return whether the code of a function or a class, or of one of the tests that it calls by name, is slow."""
    if not isinstance(called, FunctionType | type):
        return False
    if called not in _known:
        # Else functions that call each other would never be done.
        _known[called] = False
        methods = vars(called).values() if isinstance(called, type) else [called]
        _known[called] = any(_code_starts(each) for each in methods if isinstance(each, FunctionType))
    return _known[called]


def _code_starts(function: FunctionType) -> bool:
    names = set(_names(function.__code__))
    known = (function.__globals__.get(name) for name in names)
    return bool(names & (STARTERS | WALKERS)) or any(starts_processes(each) for each in known if _is_of_tests(each))


def _names(code: CodeType) -> Iterator[str]:
    yield from code.co_names
    for constant in code.co_consts:
        if isinstance(constant, CodeType):
            yield from _names(constant)


def _is_of_tests(thing: object) -> bool:
    module = str(getattr(thing, "__module__", ""))
    return module.startswith("tests.") and module not in _PREPARES


_is_forbidden = False


@contextmanager
def processes_forbidden(forbidden: bool) -> Iterator[None]:
    """Let a start of a process fail in the block, or not."""
    global _is_forbidden
    before, _is_forbidden = _is_forbidden, forbidden
    try:
        yield
    finally:
        _is_forbidden = before


def watch_processes() -> None:
    """Let `processes_forbidden` hold for all ways in which the tests and the product start processes."""
    subprocess.Popen.__init__ = _watched(subprocess.Popen.__init__)  # type: ignore[method-assign]
    for name in ("fork", "posix_spawn", "system"):
        setattr(os, name, _watched(getattr(os, name)))


def _watched(start: Callable[..., Any]) -> Callable[..., Any]:
    def watched(*given: Any, **more: Any) -> Any:
        if _is_forbidden:
            raise ProcessInFastTestError(
                "This test starts a process and counts as fast: let `tests.tiers` find out that it is slow."
            )
        return start(*given, **more)

    return watched
