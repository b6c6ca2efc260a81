"""A database connection for one thread that must never wait longer than it was told to.

The record's writers are threads of their own. They share nothing with page requests: neither the pool,
which pages can exhaust, nor the long time limit that suits a page.
"""

import copy
import math
import os
from collections.abc import Iterator
from contextlib import contextmanager
from typing import Any

from django.db import OperationalError, connections, transaction
from django.db.backends.base.base import BaseDatabaseWrapper
from django.db.utils import load_backend

# For so long at least a transaction may say nothing before the server takes its machine for gone.
_SILENCE_S = 5.0


def use_own_connection(alias: str, *, limit_s: float) -> BaseDatabaseWrapper:
    """Give the calling thread a fresh connection to `alias` that waits at most `limit_s` seconds for locks."""
    settings = copy.deepcopy(connections.settings[alias])
    options = settings["OPTIONS"]
    if settings["ENGINE"].endswith("sqlite3"):
        options["timeout"] = limit_s
        # What SQLite keeps of each statement in case it fails would go to a file: six times what the rows need.
        options["init_command"] = "; ".join(filter(None, [options.get("init_command"), "PRAGMA temp_store=MEMORY"]))
    else:
        options.pop("pool", None)
        apply_socket_timeouts(options, limit_s=limit_s)
    connection: BaseDatabaseWrapper = load_backend(settings["ENGINE"]).DatabaseWrapper(settings, alias)
    connections[alias] = connection
    return connection


def apply_socket_timeouts(options: dict[str, Any], *, limit_s: float) -> None:
    """Let a connection with these libpq `options` end in about `limit_s` seconds where the server vanished silently.

    Only the network can tell: by what was sent and never acknowledged, or, where an answer is waited for, by asking
    for a sign of life.
    """
    whole = max(1, math.ceil(limit_s / 2))
    for name, most in {
        # libpq takes one second for two.
        "connect_timeout": max(2, math.ceil(limit_s)),
        "tcp_user_timeout": int(limit_s * 1000),
        "keepalives_idle": whole,
        "keepalives_interval": whole,
    }.items():
        options[name] = min(int(options.get(name, most)), most)


def drop_connection(alias: str) -> None:
    """Close the calling thread's connection to `alias`; the next statement opens a new one."""
    try:
        connections[alias].close()
    except Exception:
        # A connection that cannot even be closed is forgotten.
        connections[alias].connection = None


@contextmanager
def bounded_transaction(alias: str, *, limit_s: float) -> Iterator[None]:
    """A durable transaction in which no statement takes longer than `limit_s` seconds.

    On SQLite the write lock is held on entry, and durability is the settings' (synchronous=FULL). Raises
    OperationalError where the file that is written to is not the one at its address any more.
    """
    with transaction.atomic(using=alias):
        _check_file(connections[alias])
        set_statement_timeout(alias, limit_s=limit_s)
        yield
    # With DEBUG on Django keeps every statement until a page request ends; no page ever ends here.
    connections[alias].queries_log.clear()


def _check_file(connection: BaseDatabaseWrapper) -> None:
    """Raise OperationalError where SQLite's file was moved, removed or replaced since the connection was opened.

    SQLite goes on committing to a file that nobody will ever find again.
    """
    if connection.vendor != "sqlite":
        return
    try:
        found = os.stat(connection.settings_dict["NAME"])
        there = (found.st_dev, found.st_ino)
    except OSError:
        there = None
    opened, at_first = getattr(connection, "opened_file", (None, None))
    if opened is not connection.connection:
        connection.opened_file = (connection.connection, there)  # type: ignore[attr-defined]
    elif there != at_first:
        raise OperationalError("The database's file is not where it was opened: it was moved, removed or replaced.")


@contextmanager
def bounded_read(alias: str, *, limit_s: float) -> Iterator[None]:
    """Reading in which no statement takes longer than `limit_s` seconds, and that no writer has to wait for."""
    if connections[alias].vendor == "postgresql":
        with bounded_transaction(alias, limit_s=limit_s):
            yield
    else:
        # A transaction would take the write lock, and a reader of SQLite's log waits for nobody.
        yield
        connections[alias].queries_log.clear()


def set_statement_timeout(alias: str, *, limit_s: float) -> None:
    """Let no statement of the rest of this transaction take longer than `limit_s` seconds, and its commit be durable.

    SQLite needs no telling: its lock is ours from the start, and durability is the settings'.
    """
    connection = connections[alias]
    if connection.vendor == "postgresql":
        # For this transaction alone, so that a connection pooler between us changes nothing for others.
        limit, idle = f"{max(1, int(limit_s * 1000))}ms", f"{int(max(_SILENCE_S, 2 * limit_s) * 1000)}ms"
        with connection.cursor() as cursor:
            # The last: a machine that lost its way to the server in here must not hold others up with its locks.
            cursor.execute(
                "SELECT set_config('statement_timeout', %s, true), set_config('lock_timeout', %s, true),"
                " set_config('synchronous_commit', 'on', true),"
                " set_config('idle_in_transaction_session_timeout', %s, true)",
                [limit, limit, idle],
            )


@contextmanager
def short_busy_timeout(alias: str, *, limit_s: float) -> Iterator[None]:
    """Let the calling thread's connection, made for a page's patience, wait at most `limit_s` seconds for SQLite."""
    connection = connections[alias]
    if connection.vendor != "sqlite":
        yield
        return
    _set_busy_timeout(connection, limit_s)
    try:
        yield
    finally:
        _set_busy_timeout(connection, float(connection.settings_dict["OPTIONS"].get("timeout", 5)))


def _set_busy_timeout(connection: BaseDatabaseWrapper, limit_s: float) -> None:
    with connection.cursor() as cursor:
        cursor.execute(f"PRAGMA busy_timeout = {int(limit_s * 1000)}")
