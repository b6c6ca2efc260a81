"""Database connections and transactions with time limits, for background threads.

The writers of the audit and activity logs share neither the connection pool of page requests, which pages can exhaust,
nor their long timeouts.
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

# Minimum idle time in a transaction before the server assumes that the client is gone.
_SILENCE_S = 5.0


def use_own_connection(alias: str, *, limit_s: float) -> BaseDatabaseWrapper:
    """Give the calling thread its own connection to `alias` that waits at most `limit_s` seconds for locks."""
    settings = copy.deepcopy(connections.settings[alias])
    options = settings["OPTIONS"]
    if settings["ENGINE"].endswith("sqlite3"):
        options["timeout"] = limit_s
        # Statement journals in memory: in files they would write six times the size of the rows.
        options["init_command"] = "; ".join(filter(None, [options.get("init_command"), "PRAGMA temp_store=MEMORY"]))
    else:
        options.pop("pool", None)
        apply_socket_timeouts(options, limit_s=limit_s)
    connection: BaseDatabaseWrapper = load_backend(settings["ENGINE"]).DatabaseWrapper(settings, alias)
    connections[alias] = connection
    return connection


def apply_socket_timeouts(options: dict[str, Any], *, limit_s: float) -> None:
    """Set TCP timeouts in the libpq `options`: a connection fails in about `limit_s` seconds if the server vanishes.

    Unacknowledged data is limited by tcp_user_timeout, waiting for an answer by keepalives.
    """
    whole = max(1, math.ceil(limit_s / 2))
    for name, most in {
        # libpq treats one second as two.
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
        # Forget a connection that cannot be closed.
        connections[alias].connection = None


@contextmanager
def bounded_transaction(alias: str, *, limit_s: float) -> Iterator[None]:
    """Open a durable transaction with a timeout of `limit_s` seconds per statement.

    On SQLite the write lock is held on entry, and the settings make it durable (synchronous=FULL). Raises
    OperationalError if the database file was moved, removed or replaced.
    """
    with transaction.atomic(using=alias):
        _check_file(connections[alias])
        set_statement_timeout(alias, limit_s=limit_s)
        yield
    # With DEBUG, Django keeps every statement until a request ends, which never happens on this thread.
    connections[alias].queries_log.clear()


def _check_file(connection: BaseDatabaseWrapper) -> None:
    """Raise OperationalError if SQLite's file was moved, removed or replaced since the connection was opened.

    SQLite would continue to commit to the unlinked file.
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
        raise OperationalError("The database file was moved, removed or replaced.")


@contextmanager
def bounded_read(alias: str, *, limit_s: float) -> Iterator[None]:
    """Read with a timeout of `limit_s` seconds per statement, without blocking writers."""
    if connections[alias].vendor == "postgresql":
        with bounded_transaction(alias, limit_s=limit_s):
            yield
    else:
        # A transaction would take the write lock; in WAL mode a reader does not wait.
        yield
        connections[alias].queries_log.clear()


def set_statement_timeout(alias: str, *, limit_s: float) -> None:
    """Set a timeout of `limit_s` seconds for the statements of this transaction, and make its commit durable.

    Does nothing on SQLite, where the write lock is already held and the settings make commits durable.
    """
    connection = connections[alias]
    if connection.vendor == "postgresql":
        # Local to this transaction, so that it works behind a connection pooler.
        limit, idle = f"{max(1, int(limit_s * 1000))}ms", f"{int(max(_SILENCE_S, 2 * limit_s) * 1000)}ms"
        with connection.cursor() as cursor:
            # The last setting: a machine that loses the network here must not keep its locks.
            cursor.execute(
                "SELECT set_config('statement_timeout', %s, true), set_config('lock_timeout', %s, true),"
                " set_config('synchronous_commit', 'on', true),"
                " set_config('idle_in_transaction_session_timeout', %s, true)",
                [limit, limit, idle],
            )


@contextmanager
def short_busy_timeout(alias: str, *, limit_s: float) -> Iterator[None]:
    """Set SQLite's busy_timeout to `limit_s` seconds for this block. Does nothing on other databases."""
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
