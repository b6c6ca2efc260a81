"""A server on loopback that answers as a test wants, and the line that asks it."""

import asyncio
from collections.abc import AsyncIterator, Awaitable, Callable
from contextlib import asynccontextmanager, suppress
from typing import Any

from mcpbridge.upstream.http import HttpTransport
from mcpbridge.upstream.response import RawResponse

# The lines of a request's head and the server's way to answer; how many connections there were so far.
Serve = Callable[[list[str], asyncio.StreamWriter, int], Awaitable[None]]
HELLO = b"HTTP/1.1 200 OK\r\nContent-Length: 5\r\n\r\nhello"
CHUNKED = b"HTTP/1.1 200 OK\r\nTransfer-Encoding: chunked\r\n\r\n"


class Server:
    """A server on loopback that answers by `serve`."""

    def __init__(self, serve: Serve) -> None:
        self._serve = serve
        self.requests: list[list[str]] = []
        self.bodies: list[bytes] = []
        self.lines: list[asyncio.StreamWriter] = []
        self.port = 0

    async def talk(self, reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        self.lines.append(writer)
        number = len(self.lines)
        with suppress(asyncio.IncompleteReadError, ConnectionError):
            while True:
                head = (await reader.readuntil(b"\r\n\r\n")).decode().splitlines()[:-1]
                length = next((int(line.split(": ")[1]) for line in head if line.startswith("Content-Length")), 0)
                self.requests.append(head)
                self.bodies.append(await reader.readexactly(length))
                await self._serve(head, writer, number)
                await writer.drain()
        writer.close()


@asynccontextmanager
async def serving(serve: Serve, **options: Any) -> AsyncIterator[Server]:
    server = Server(serve)
    running = await asyncio.start_server(server.talk, "127.0.0.1", 0, **options)
    server.port = running.sockets[0].getsockname()[1]
    try:
        yield server
    finally:
        running.close()
        for line in server.lines:
            line.transport.abort()
            with suppress(OSError):
                await line.wait_closed()


@asynccontextmanager
async def asking(server: Server, scheme: str = "http", timeout_s: float = 5) -> AsyncIterator[HttpTransport]:
    line = HttpTransport(f"{scheme}://127.0.0.1:{server.port}", timeout_s=timeout_s)
    try:
        yield line
    finally:
        await line.aclose()


def always(*pieces: bytes, then_close: bool = False) -> Serve:
    async def serve(head: list[str], writer: asyncio.StreamWriter, number: int) -> None:
        for piece in pieces:
            writer.write(piece)
            await writer.drain()
            await asyncio.sleep(0.01)
        if then_close:
            writer.close()

    return serve


async def get(line: HttpTransport, target: str = "/x", **headers: str) -> RawResponse:
    return await line.exchange("GET", target, headers, None)
