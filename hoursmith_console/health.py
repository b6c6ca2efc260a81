"""Whether the process lives, and whether it can do its work: for balancers and for operators."""

import asyncio
import contextlib
import json
import time
from collections.abc import Awaitable, Callable, Mapping
from typing import Any

from asgiref.sync import sync_to_async
from django.conf import settings
from django.db import connections

from mcpbridge.headers import plain_headers
from mcpbridge.upstream import Upstream

TIMEOUT_S = 2.0
REMEMBER_S = 2.0


class Health:
    """Answers `/healthz` at once, and `/readyz` after looking at the database and Hoursmith's address."""

    def __init__(self, upstream: Upstream) -> None:
        self._upstream = upstream
        self._lock = asyncio.Lock()
        self._looked_at = float("-inf")
        self._faults: dict[str, str] = {}

    async def __call__(
        self,
        scope: Mapping[str, Any],
        receive: Callable[[], Awaitable[Mapping[str, Any]]],
        send: Callable[[Mapping[str, Any]], Awaitable[None]],
    ) -> None:
        faults = await self._look() if scope["path"] == "/readyz" else {}
        body = json.dumps({"status": "unavailable" if faults else "ok", **faults}).encode()
        headers = [
            (b"content-type", b"application/json"),
            (b"content-length", str(len(body)).encode()),
            *plain_headers(),
        ]
        await send({"type": "http.response.start", "status": 503 if faults else 200, "headers": headers})
        await send({"type": "http.response.body", "body": b"" if scope["method"] == "HEAD" else body})

    async def _look(self) -> dict[str, str]:
        # One look for all who ask within two seconds: the page is open to everybody.
        async with self._lock:
            if time.monotonic() - self._looked_at > REMEMBER_S:
                database, upstream = await asyncio.gather(self._database(), self._hoursmith())
                found = {"database": database, "hoursmith": upstream}
                self._faults = {name: fault for name, fault in found.items() if fault}
                self._looked_at = time.monotonic()
            return self._faults

    async def _database(self) -> str:
        try:
            await asyncio.wait_for(sync_to_async(_select_one, thread_sensitive=False)(), TIMEOUT_S)
        except Exception as error:
            return f"The database does not answer ({type(error).__name__})."
        return ""

    async def _hoursmith(self) -> str:
        """Opens a connection and closes it: a request without a token would count against our address."""
        if settings.SANDBOX_MODE:
            return ""
        host, port = self._upstream.address
        try:
            _, writer = await asyncio.wait_for(asyncio.open_connection(host, port), TIMEOUT_S)
        except (OSError, TimeoutError) as error:
            return f"Hoursmith's address cannot be reached ({type(error).__name__})."
        writer.close()
        with contextlib.suppress(OSError):
            await writer.wait_closed()
        return ""


def _select_one() -> None:
    connection = connections["default"]
    try:
        with connection.cursor() as cursor:
            cursor.execute("SELECT 1")
    finally:
        connection.close()
