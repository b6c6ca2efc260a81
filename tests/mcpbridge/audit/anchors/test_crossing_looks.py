"""What another thread or process does while one looks at the database: whenever that happens, it is no finding."""

import threading
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from typing import Any

import pytest
from django.db import connections

from mcpbridge.audit.anchors.memory import AnchorSettings, NodeAnchors, node_anchors
from mcpbridge.audit.anchors.watch import look
from mcpbridge.audit.checkpoints import make_checkpoints
from mcpbridge.models import SigningHead, SigningKey
from tests.databases import RecordDatabase
from tests.mcpbridge.audit.anchors.conftest import become, sign, write

WAIT_S = 30


class FirstSignature:
    """A thread that has verified the log, and waits with the lock of the file in its hand until it may sign."""

    def __init__(self) -> None:
        self._is_ready, self._may_sign, self._error = threading.Event(), threading.Event(), []
        self._thread = threading.Thread(target=self._run, daemon=True)

    @contextmanager
    def _lock(self) -> Iterator[None]:
        self._is_ready.set()
        assert self._may_sign.wait(WAIT_S)
        yield

    def _run(self) -> None:
        try:
            make_checkpoints(reason="demand", file_lock=self._lock())
        except Exception as error:
            self._error.append(error)
        finally:
            connections.close_all()

    def __enter__(self) -> "FirstSignature":
        self._thread.start()
        assert self._is_ready.wait(WAIT_S)
        return self

    def __exit__(self, *_: object) -> None:
        self.sign()

    def sign(self) -> None:
        """Let it sign, commit and move the anchor on; return when that is done."""
        self._may_sign.set()
        self._thread.join(WAIT_S)
        assert not self._thread.is_alive()
        assert self._error == []


class Crossing:
    """Run `act` behind the query with this number; count the queries."""

    def __init__(self, number: int, act: Callable[[], None]) -> None:
        self.count, self._number, self._act = 0, number, act

    def __call__(self, execute: Callable[..., Any], *arguments: Any) -> Any:
        answer = execute(*arguments)
        self.count += 1
        if self.count == self._number:
            self._act()
        return answer


@pytest.mark.parametrize("number", range(1, 15))
def test_a_first_signature_behind_any_query_of_a_look_is_no_finding(
    sqlite_database: RecordDatabase, number: int
) -> None:
    write(2)
    assert not SigningKey.objects.exists()
    with FirstSignature() as first:
        crossing = Crossing(number, first.sign)
        with connections["default"].execute_wrapper(crossing):
            look(node_anchors(), "default")
    assert crossing.count >= 3, "the look asks the database"
    assert node_anchors().faults == []
    assert SigningHead.objects.count() == 1
    look(node_anchors(), "default")
    assert node_anchors().faults == []


@pytest.mark.parametrize("number", range(1, 7))
@pytest.mark.parametrize("has_looked", [False, True])
def test_a_log_that_another_process_begins_behind_any_query_of_a_look_needs_no_adoption(
    sqlite_database: RecordDatabase, has_looked: bool, number: int, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Two processes of one node share the files of its anchors."""
    write(1, "org-0")
    mine, of_another_process = node_anchors(), NodeAnchors(AnchorSettings.configured())
    if has_looked:
        look(mine, "default")

    def begin() -> None:
        become(of_another_process, monkeypatch)
        write(2)
        become(mine, monkeypatch)

    crossing = Crossing(number, begin)
    with connections["default"].execute_wrapper(crossing):
        look(mine, "default")
    assert crossing.count >= number
    assert mine.unadopted == set()
    look(mine, "default")
    assert mine.faults == []
    assert sign() == 2
