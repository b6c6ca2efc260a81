"""Connections that never wait for long: for a server that vanished, or a client that vanished with its locks."""

import threading

import pytest
from django.db import Error, connections

from hoursmith_console import env
from mcpbridge.db import timeouts
from mcpbridge.db.locks import acquire_locks
from mcpbridge.db.timeouts import apply_socket_timeouts, bounded_transaction
from tests.databases import RecordDatabase


def test_a_machine_that_goes_silent_in_a_transaction_holds_nobody_up(
    postgres_database: RecordDatabase, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(timeouts, "_SILENCE_S", 0.3)
    is_holding, is_over = threading.Event(), threading.Event()
    came: list[Error] = []

    def go_silent() -> None:
        try:
            with bounded_transaction("default", limit_s=0.1):
                acquire_locks("default", "a chain")
                is_holding.set()
                is_over.wait(20)
                acquire_locks("default", "another")
        except Error as error:
            came.append(error)
        finally:
            connections["default"].close()

    silent = threading.Thread(target=go_silent)
    silent.start()
    assert is_holding.wait(10)
    with bounded_transaction("default", limit_s=15):
        acquire_locks("default", "a chain")
    is_over.set()
    silent.join(10)
    # A connection that was considered gone cannot continue.
    assert len(came) == 1


def test_a_line_that_is_cut_is_noticed_in_seconds_and_the_operator_s_word_comes_first() -> None:
    options = env.databases("postgres://console@db.example.com/console?connect_timeout=3")["default"]["OPTIONS"]
    assert isinstance(options, dict)
    assert (options["connect_timeout"], options["tcp_user_timeout"], options["keepalives_idle"]) == (3, 10_000, 5)
    apply_socket_timeouts(options, limit_s=1.5)
    assert (options["connect_timeout"], options["tcp_user_timeout"], options["keepalives_idle"]) == (2, 1500, 1)
    apply_socket_timeouts(options, limit_s=30)
    assert (options["connect_timeout"], options["tcp_user_timeout"]) == (2, 1500)
