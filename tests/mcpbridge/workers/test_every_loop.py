"""Every loop beside the requests goes through one policy, and no fault ends one."""

import ast
from collections.abc import Iterator
from pathlib import Path

import pytest

from tests.paths import ROOT

# What may start a thread or a task on its own, and why it is no loop that must survive errors.
_ALLOWED = {
    "mcpbridge/workers/periodic.py": "the policy itself",
    "mcpbridge/auth/accepted_tokens.py": "one look at the database, for all who ask at that moment",
    "mcpbridge/calls/service.py": "one call, carried to its end",
    "mcpbridge/auth/identity.py": "one question to Hoursmith, shared by those who wait for it",
    "mcpbridge/app.py": "the last signing, awaited together with the last deliveries",
    "mcpbridge/stdio/server.py": "the start of the bridge, behind the greeting",
    "mcpbridge/observability/telemetry/exporter.py": "the last flush of the process",
    "hoursmith_console/audit/verification/jobs.py": "one verification, which a person started and watches",
    "hoursmith_console/demo/services.py": "waits for the process of the demo, so that it is no zombie",
}


def _sources() -> Iterator[Path]:
    for package in ("mcpbridge", "hoursmith_console"):
        yield from sorted((ROOT / package).rglob("*.py"))


def _starts(tree: ast.AST) -> Iterator[ast.Call]:
    """The calls that start a thread, or a task of the event loop."""
    for node in ast.walk(tree):
        if not isinstance(node, ast.Call):
            continue
        name = node.func.attr if isinstance(node.func, ast.Attribute) else getattr(node.func, "id", "")
        if name in ("Thread", "Timer", "create_task", "ensure_future", "start_new_thread", "run_coroutine_threadsafe"):
            yield node


@pytest.mark.parametrize("path", list(_sources()), ids=lambda path: str(path.relative_to(ROOT)))
def test_nothing_else_starts_a_thread_or_a_task(path: Path) -> None:
    name = str(path.relative_to(ROOT))
    lines = [node.lineno for node in _starts(ast.parse(path.read_text(encoding="utf-8")))]
    assert not lines or name in _ALLOWED, f"{name}:{lines} starts work beside mcpbridge.workers"


@pytest.mark.parametrize("name", [name for name in _ALLOWED if name != "mcpbridge/workers/periodic.py"])
def test_what_is_allowed_to_start_work_has_no_endless_loop(name: str) -> None:
    tree = ast.parse((ROOT / name).read_text(encoding="utf-8"))
    assert list(_starts(tree)), f"{name} starts nothing any more: take it off the list"
    endless = [
        node.lineno
        for node in ast.walk(tree)
        if isinstance(node, ast.While) and isinstance(node.test, ast.Constant) and node.test.value
    ]
    assert not endless
