"""The load generator: a process of its own that drives one contender and checks every reply.

It reads its job from the first line of standard input, and then, from each further line, for how many seconds
to run; what it saw goes to standard output as one line. A wrong reply ends it with a message.
"""

import asyncio
import gc
import itertools
import json
import re
import sys
import time
from collections.abc import Iterator
from typing import Any, cast

import uvloop

from bench.callers import Caller
from bench.mcp_messages import (
    LEGACY,
    MODERN,
    Request,
    WrongAnswerError,
    initialize_requests,
    rest_request,
    tool_request,
)

REPLY_TIMEOUT_S = 20.0
_LENGTH = re.compile(rb"\r\ncontent-length: *(\d+)\r\n", re.IGNORECASE)
_SESSION = re.compile(rb"\r\nmcp-session-id: *([^\r\n]+)\r\n", re.IGNORECASE)


class Line(asyncio.Protocol):
    """One kept-alive connection: one request at a time, one whole reply."""

    def __init__(self) -> None:
        self._received = b""
        self._reply: asyncio.Future[tuple[int, bytes, bytes]] | None = None
        self._transport: asyncio.Transport | None = None

    def connection_made(self, transport: asyncio.BaseTransport) -> None:
        # uvloop's transports do what the interface says without inheriting from it.
        self._transport = cast(asyncio.Transport, transport)

    def connection_lost(self, exc: Exception | None) -> None:
        if self._reply is not None and not self._reply.done():
            self._reply.set_exception(WrongAnswerError(f"The line broke: {exc}"))
        self._transport = None

    def data_received(self, data: bytes) -> None:
        self._received = self._received + data if self._received else data
        end = self._received.find(b"\r\n\r\n")
        if end < 0 or self._reply is None:
            return
        head = self._received[: end + 2]
        declared = _LENGTH.search(head)
        if declared is None and head[9:12] not in (b"202", b"204"):
            self._reply.set_exception(WrongAnswerError(f"No Content-Length: {head!r}"))
            return
        whole = end + 4 + (int(declared[1]) if declared else 0)
        if len(self._received) >= whole:
            body, self._received = self._received[end + 4 : whole], self._received[whole:]
            self._reply.set_result((int(head[9:12]), head, body))

    @property
    def is_open(self) -> bool:
        """Whether a request can be sent."""
        return self._transport is not None and not self._transport.is_closing()

    def close(self) -> None:
        """Hang up."""
        if self._transport is not None:
            self._transport.close()

    async def ask(self, request: bytes) -> tuple[int, bytes, bytes]:
        """Status, head and body of the reply to `request`."""
        if self._transport is None:
            raise WrongAnswerError("The line was closed.")
        self._reply = asyncio.get_running_loop().create_future()
        self._transport.write(request)
        return await self._reply


async def _connected(caller: Caller, job: dict[str, Any]) -> tuple[Line, Request]:
    port = int(job["port"])
    _, line = await asyncio.get_running_loop().create_connection(Line, "127.0.0.1", port)
    if job["kind"] == "rest":
        return line, rest_request(caller, port)
    session = ""
    if job["version"] == LEGACY:
        first, initialized = initialize_requests(caller, port)
        status, head, body = await line.ask(first)
        if status != 200:
            raise WrongAnswerError(f"initialize: {status} {body[:300]!r}")
        found = _SESSION.search(head)
        session = found[1].decode() if found else ""
        status, _, body = await line.ask(initialized(session))
        if status != 202:
            raise WrongAnswerError(f"initialized: {status} {body[:300]!r}")
    assert job["version"] in (LEGACY, MODERN)
    return line, tool_request(caller, port, tool=job["kind"], version=job["version"], session=session)


def _of_each(callers: list[Caller], request: Request, job: dict[str, Any]) -> Iterator[Request]:
    """The requests that one line sends, in turn: `request`, and where several callers share the line, theirs too."""
    more = (tool_request(caller, int(job["port"]), tool=job["kind"], version=MODERN) for caller in callers[1:])
    return itertools.cycle([request, *more])


async def _drive(line: Line, requests: Iterator[Request], until: float, took: list[float]) -> None:
    clock = time.perf_counter
    while True:
        request = next(requests)
        started = clock()
        if started >= until:
            return
        status, _, body = await line.ask(request.next_bytes())
        took.append(clock() - started)
        request.check(request.next_id, status, body)


async def _run(lines: list[tuple[Line, Iterator[Request]]], seconds: float) -> dict[str, float]:
    took: list[float] = []
    started = time.perf_counter()
    async with asyncio.timeout(seconds + REPLY_TIMEOUT_S), asyncio.TaskGroup() as group:
        for line, requests in lines:
            group.create_task(_drive(line, requests, started + seconds, took))
    elapsed = time.perf_counter() - started
    took.sort()
    return {
        "calls": len(took),
        "per_second": len(took) / elapsed,
        **{f"p{each}_ms": took[min(len(took) - 1, len(took) * each // 100)] * 1000 for each in (50, 95, 99)},
    }


async def main() -> None:
    """Carry out the job on standard input."""
    job = json.loads(sys.stdin.readline())
    callers = [Caller(**caller) for caller in job["callers"]]
    # As many lines as callers, or fewer, over which they take turns.
    count = min(job.get("lines", len(callers)), len(callers))
    opened = await asyncio.gather(*(_connected(caller, job) for caller in callers[:count]))
    lines = [(line, _of_each(callers[place::count], request, job)) for place, (line, request) in enumerate(opened)]
    gc.freeze()
    gc.disable()
    while seconds := (await asyncio.to_thread(sys.stdin.readline)).strip():
        print(json.dumps(await _run(lines, float(seconds))), flush=True)


if __name__ == "__main__":
    try:
        uvloop.run(main())
    except* (WrongAnswerError, TimeoutError) as group:
        # Sixteen callers fail for one reason.
        error = group.exceptions[0]
        sys.exit(f"The load generator gave up: {type(error).__name__}: {error}")
