"""Detect a connection pooler in transaction mode."""

from collections.abc import Mapping
from typing import Any

import psycopg

from mcpbridge.db.timeouts import apply_socket_timeouts

_LIMIT_S = 5.0
# Another client may slip in between two statements.
_TRIES = 3
NEEDS_DIRECT = (
    "DATABASE_URL is a connection pooler in transaction mode, where LISTEN and cursors do not work: set"
    " DATABASE_DIRECT_URL to the URL of the PostgreSQL server itself, or switch the pooler to session mode."
)
NOT_DIRECT = (
    "DATABASE_DIRECT_URL is a connection pooler in transaction mode: use the URL of the PostgreSQL server itself."
)


def find_pooling_fault(database: Mapping[str, Any], direct_url: str) -> str:
    """Return why the console cannot use these database URLs; empty if it can, or if the database is down."""
    try:
        if direct_url:
            return NOT_DIRECT if _is_shared({"conninfo": direct_url}) else ""
        return NEEDS_DIRECT if _is_shared(_parameters(database)) else ""
    except psycopg.Error:
        # The console also starts without its database and serves reads.
        return ""


def _is_shared(parameters: dict[str, Any]) -> bool:
    """Return whether a second client gets the server process of a first one that is still connected."""
    apply_socket_timeouts(parameters, limit_s=_LIMIT_S)
    with psycopg.connect(**parameters, autocommit=True, prepare_threshold=None) as first:
        for _ in range(_TRIES):
            used = _process(first)
            with psycopg.connect(**parameters, prepare_threshold=None) as second:
                if _process(second) == used:
                    return True
    return False


def _process(connection: "psycopg.Connection[Any]") -> int:
    row = connection.execute("SELECT pg_backend_pid()").fetchone()
    assert row is not None  # noqa: S101 – a function always has a row
    return int(row[0])


def _parameters(database: Mapping[str, Any]) -> dict[str, Any]:
    names = {"host": "HOST", "port": "PORT", "user": "USER", "password": "PASSWORD", "dbname": "NAME"}
    options = {name: value for name, value in database["OPTIONS"].items() if name != "pool"}
    return options | {name: database[ours] for name, ours in names.items() if database.get(ours)}
