"""Keep the restrictions in memory up to date with PostgreSQL."""

from collections.abc import Callable
from typing import Any

import psycopg
from django.conf import settings
from django.db import connections

from mcpbridge.auth.restrictions.last_known import LastKnownFile
from mcpbridge.auth.restrictions.polling import POLL_S, PollingRestrictionStore
from mcpbridge.auth.restrictions.store import NOTIFY_CHANNEL, QUERIES, Restrictions
from mcpbridge.db.timeouts import apply_socket_timeouts

# A connection without an answer for this long is considered lost.
_SILENCE_S = 3.0


class PostgresqlRestrictionStore(PollingRestrictionStore):
    """Reads the restrictions on every change (LISTEN/NOTIFY), and every second."""

    def __init__(self, conninfo: Callable[[], dict[str, object]], last_known: LastKnownFile | None = None) -> None:
        super().__init__(last_known, every_s=0.0, expected=psycopg.Error)
        self._conninfo = conninfo
        self._connection: psycopg.AsyncConnection[Any] | None = None

    async def stop(self) -> None:
        await super().stop()
        await self._close()

    async def _look(self) -> None:
        try:
            if self._connection is None:
                self._connection = await psycopg.AsyncConnection.connect(**self._conninfo(), autocommit=True)  # type: ignore[arg-type]
                # A locked table must not hide that nothing is read any more.
                await self._connection.execute(f"SET statement_timeout = {int(_SILENCE_S * 1000)}")
                await self._connection.execute(f"LISTEN {NOTIFY_CHANNEL}")
            else:
                async for _ in self._connection.notifies(timeout=POLL_S, stop_after=1):
                    pass
            rows = [await (await self._connection.execute(question)).fetchall() for question in QUERIES]
        except Exception:
            await self._close()
            raise
        self._learn(Restrictions.from_rows(*rows))

    async def _close(self) -> None:
        connection, self._connection = self._connection, None
        if connection is not None:
            await connection.close()


def connection_parameters() -> dict[str, object]:
    """Return the driver's parameters for a connection of its own."""
    if settings.DATABASE_DIRECT_URL:
        direct: dict[str, Any] = {"conninfo": settings.DATABASE_DIRECT_URL, "prepare_threshold": None}
        apply_socket_timeouts(direct, limit_s=_SILENCE_S)
        return direct
    parameters: dict[str, Any] = dict(connections["default"].get_connection_params())
    for ours in ("cursor_factory", "context", "prepare_threshold", "pool", "server_side_binding"):
        parameters.pop(ours, None)
    apply_socket_timeouts(parameters, limit_s=_SILENCE_S)
    return parameters
