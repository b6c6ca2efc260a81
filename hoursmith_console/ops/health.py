"""Liveness and readiness endpoints, for load balancers and operators."""

import asyncio
import contextlib
import json
import os
import time
from collections.abc import Awaitable, Callable, Mapping
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path
from typing import Any

from django.conf import settings

from mcpbridge.auth.restrictions.store import RestrictionStore
from mcpbridge.db.timeouts import drop_connection, use_own_connection
from mcpbridge.http.headers import plain_headers
from mcpbridge.upstream import Upstream
from mcpbridge.workers import overdue_jobs

TIMEOUT_S = 2.0
REMEMBER_S = 2.0
# Below this, SQLite and the shared counters of monitoring soon fail.
FULL_BELOW_BYTES = 8 * 1024 * 1024


class Health:
    """ASGI app of `/healthz` (always ok) and `/readyz` (checks the database, Hoursmith and the restrictions).

    Full disks and overdue background jobs are listed, but do not make a node unready, since it still serves reads.
    """

    def __init__(self, upstream: Upstream, restrictions: RestrictionStore) -> None:
        self._upstream = upstream
        self._restrictions = restrictions
        # A thread of its own, so that requests waiting for the database elsewhere do not delay the check.
        self._thread = ThreadPoolExecutor(1, "readiness")
        self._lock = asyncio.Lock()
        self._looked_at = float("-inf")
        self._faults: dict[str, str] = {}

    async def __call__(
        self,
        scope: Mapping[str, Any],
        receive: Callable[[], Awaitable[Mapping[str, Any]]],
        send: Callable[[Mapping[str, Any]], Awaitable[None]],
    ) -> None:
        faults: dict[str, str] = {}
        more: dict[str, Any] = {}
        if scope["path"] == "/readyz":
            faults = await self._look()
            if fault := self._restrictions.fault():
                faults = {**faults, "restrictions": fault}
            if disks := full_disks():
                more["disks"] = disks
            if jobs := overdue_jobs():
                more["background"] = jobs
        body = json.dumps({"status": "unavailable" if faults else "ok", **faults, **more}).encode()
        headers = [
            (b"content-type", b"application/json"),
            (b"content-length", str(len(body)).encode()),
            *plain_headers(),
        ]
        await send({"type": "http.response.start", "status": 503 if faults else 200, "headers": headers})
        await send({"type": "http.response.body", "body": b"" if scope["method"] == "HEAD" else body})

    async def _look(self) -> dict[str, str]:
        # One check every two seconds: the endpoint is public.
        async with self._lock:
            if time.monotonic() - self._looked_at > REMEMBER_S:
                database, upstream = await asyncio.gather(self._database(), self._hoursmith())
                found = {"database": database, "hoursmith": upstream}
                self._faults = {name: fault for name, fault in found.items() if fault}
                self._looked_at = time.monotonic()
            return self._faults

    async def _database(self) -> str:
        try:
            await asyncio.wait_for(asyncio.get_running_loop().run_in_executor(self._thread, _select_one), TIMEOUT_S)
        except Exception as error:
            return f"The database does not respond ({type(error).__name__})."
        return ""

    async def _hoursmith(self) -> str:
        """Open a connection and close it: a request without a token would count against our rate limit."""
        if settings.SANDBOX_MODE:
            return ""
        host, port = self._upstream.address
        try:
            _, writer = await asyncio.wait_for(asyncio.open_connection(host, port), TIMEOUT_S)
        except (OSError, TimeoutError) as error:
            return f"Hoursmith cannot be reached ({type(error).__name__})."
        writer.close()
        with contextlib.suppress(OSError):
            await writer.wait_closed()
        return ""


def full_disks() -> dict[str, str]:
    """Return the folders of the console on a full disk, by what they hold, each with what that means."""
    folders = {"var": Path(settings.VAR_DIR)}
    database: dict[str, Any] = settings.DATABASES["default"]
    if database["ENGINE"].endswith("sqlite3"):
        folders["database"] = Path(database["NAME"]).parent
    found = {}
    for holds, folder in folders.items():
        try:
            free = os.statvfs(folder)
        except OSError as error:
            found[holds] = f"The folder cannot be read ({error.strerror})."
            continue
        left = free.f_bavail * free.f_frsize
        # Some file systems count no inodes.
        if left < FULL_BELOW_BYTES or (free.f_files and not free.f_favail):
            found[holds] = f"The disk is full ({left // 2**20} MB free): destructive calls are refused or soon will be."
    return found


def _select_one() -> None:
    # Not from the pages' pool, which may be exhausted.
    connection = use_own_connection("default", limit_s=TIMEOUT_S)
    try:
        with connection.cursor() as cursor:
            cursor.execute("SELECT 1")
    finally:
        drop_connection("default")
