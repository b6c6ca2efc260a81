"""What goes wrong while the console works: each fault lasts a few seconds and is over when its function returns."""

import asyncio
import contextlib
import os
import signal
import socket
import time
from collections.abc import Awaitable, Callable
from dataclasses import dataclass

from bench.soak.fixtures import World

FEW_S = 5.0
LONG_S = 12.0
IDLE_LINES = 2_000
SLOW_LINES = 200


@dataclass(frozen=True, slots=True)
class Fault:
    """Something that goes wrong. A `restart` ends every worker, so that none lives to show what it keeps."""

    name: str
    happen: Callable[[World], Awaitable[None]]
    is_restart: bool = False


async def _kill(world: World) -> None:
    # The younger, so that the elder shows its memory over the whole time.
    workers = world.served.worker_pids()
    if not workers:
        raise RuntimeError(f"No worker is left:\n{world.served.output()[-5000:]}")
    os.kill(workers[-1], signal.SIGKILL)
    await asyncio.sleep(0.2)
    await asyncio.to_thread(world.wait_for_workers)


async def _restart(world: World) -> None:
    before = set(world.served.worker_pids())
    os.kill(world.served.pid, signal.SIGHUP)
    until = time.monotonic() + 60
    while before & set(world.served.worker_pids()):
        if time.monotonic() > until:
            raise RuntimeError("The old workers did not end.")
        await asyncio.sleep(0.1)


def _hoursmith(mode: str, seconds: float = FEW_S) -> Callable[[World], Awaitable[None]]:
    async def happen(world: World) -> None:
        await asyncio.to_thread(world.upstream.order, mode)
        await asyncio.sleep(seconds)
        await asyncio.to_thread(world.upstream.order, "well")

    return happen


async def _lock(world: World) -> None:
    with world.database.locked():
        await asyncio.sleep(FEW_S)


async def _long_lock(world: World) -> None:
    # More callers come at the same time, so that the activity has no room for all of them.
    with world.database.locked():
        async with world.crowd():
            await asyncio.sleep(LONG_S)


async def _away(world: World) -> None:
    away = world.database.away(world.served)
    # In a thread: a server takes its time to start, and the callers must go on meanwhile.
    await asyncio.to_thread(away.__enter__)
    try:
        await asyncio.sleep(FEW_S)
    finally:
        await asyncio.to_thread(away.__exit__, None, None, None)


async def _slow_clients(world: World) -> None:
    """Lines that ask for nothing, that ask a byte at a time, and that take nothing of what they asked for."""
    port = world.served.port
    idle = [await _connected(port) for _ in range(IDLE_LINES)]
    slow = [await _connected(port) for _ in range(SLOW_LINES)]
    deaf = [await _connected(port) for _ in range(10)]
    for line in deaf:
        with contextlib.suppress(BlockingIOError, OSError):
            line.send(b"GET /audit/key HTTP/1.1\r\nHost: 127.0.0.1\r\n\r\n" * 200)
    request = b"POST /mcp HTTP/1.1\r\nHost: 127.0.0.1\r\nX-Slow: "
    for place in range(12):
        for line in slow:
            with contextlib.suppress(BlockingIOError, OSError):
                line.send(request[place : place + 1])
        await asyncio.sleep(0.8)
    for line in (*idle, *slow, *deaf):
        line.close()


async def _oversized(world: World) -> None:
    """Requests whose first line, headers or body are longer than anybody needs."""
    megabytes = b"x" * 3_000_000
    for request in (
        b"GET /" + megabytes,
        b"POST /mcp HTTP/1.1\r\nHost: 127.0.0.1\r\nX-Long: " + megabytes,
        b"POST /mcp HTTP/1.1\r\nHost: 127.0.0.1\r\nContent-Length: 3000000\r\n\r\n" + megabytes,
        b"POST /accounts/login/ HTTP/1.1\r\nHost: 127.0.0.1\r\nTransfer-Encoding: chunked\r\n\r\n2DC6C0\r\n"
        + megabytes,
    ):
        for _ in range(5):
            with contextlib.suppress(OSError, TimeoutError):
                async with asyncio.timeout(5):
                    _, writer = await asyncio.open_connection("127.0.0.1", world.served.port)
                    writer.write(request)
                    await writer.drain()
                    writer.close()


async def _connected(port: int) -> socket.socket:
    line = socket.socket()
    line.setsockopt(socket.SOL_SOCKET, socket.SO_RCVBUF, 4096)
    line.setblocking(False)
    await asyncio.get_running_loop().sock_connect(line, ("127.0.0.1", port))
    return line


async def _end_grant(world: World) -> None:
    await world.end_grant()


FAULTS = (
    Fault("a grant ended", _end_grant),
    Fault("worker killed", _kill),
    Fault("rolling restart", _restart, is_restart=True),
    Fault("Hoursmith answers 500 and 503", _hoursmith("errors")),
    Fault("Hoursmith is slow", _hoursmith("slow")),
    Fault("Hoursmith is silent", _hoursmith("silent")),
    Fault("Hoursmith is down", _hoursmith("down")),
    Fault("Hoursmith flaps", _hoursmith("flapping")),
    Fault("database locked", _lock),
    Fault("database locked for long", _long_lock),
    Fault("database full (SQLite) or gone (PostgreSQL)", _away),
    Fault("slow clients", _slow_clients),
    Fault("oversized requests", _oversized),
)
