"""Each answer has an id; the page of an unexpected fault shows it, and the log has it too."""

import logging
from collections.abc import Callable

import pytest
from django.db import DatabaseError
from django.test import Client

from hoursmith_console.overview import page
from mcpbridge.observability.logs import LineFormatter

Browse = Callable[[str], Client]


def test_each_answer_has_an_id_of_its_own_and_takes_over_nobody_elses(browse: Browse) -> None:
    visitor = browse("owner")
    answers = [visitor.get("/", headers={"X-Request-Id": "mine"}) for _ in range(2)]
    ids = {answer.headers["X-Request-Id"] for answer in answers}
    assert len(ids) == 2
    assert "mine" not in ids


def test_an_unexpected_fault_shows_a_number_that_the_log_has_and_nothing_else(
    browse: Browse, monkeypatch: pytest.MonkeyPatch
) -> None:
    def broken(*_: object, **__: object) -> None:
        raise DatabaseError("the disk is on fire")

    lines: list[str] = []

    class Kept(logging.Handler):
        def emit(self, record: logging.LogRecord) -> None:
            lines.append(LineFormatter().format(record))

    monkeypatch.setattr(page.queries, "tokens_in_use", broken)
    kept = Kept()
    logging.getLogger("django.request").addHandler(kept)
    visitor = browse("owner")
    visitor.raise_request_exception = False
    answer = visitor.get("/")
    logging.getLogger("django.request").removeHandler(kept)
    number = answer.headers["X-Request-Id"]
    assert answer.status_code == 500
    assert "default-src" in answer.headers["Content-Security-Policy"]
    assert number in answer.content.decode()
    assert "on fire" not in answer.content.decode()
    assert any(number in line and "on fire" in line for line in lines)
