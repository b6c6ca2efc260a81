"""Serve a Hoursmith API that fails on demand and remembers what it deleted, even if the response was lost.

A separate process. Each line on standard input is a mode, or `report` and the name of a file for the ids of what it
deleted, in order; it writes a line when each is done.
"""

import asyncio
import json
import random
import re
import sys
from typing import cast

import uvloop

from bench.callers import echo_of
from bench.upstream import time_entry

ORG = "5b0e6a3c-0d3f-4a57-9f0e-6b1f5f1f7a10"
MODES = ("well", "errors", "slow", "silent", "flapping", "down")
SLOW_S = 2.0
_HEAD = re.compile(rb"(?P<method>[A-Z]+) /api/v1(?P<path>/[^ ?]*)[^ ]* HTTP/1\.1\r\n")
_TOKEN = re.compile(rb"\r\nauthorization: bearer (hsk_test_[0-9a-f]{12}_[0-9A-Za-z]{32})\r\n", re.IGNORECASE)


class Hoursmith:
    """What it destroyed, and in which mode it is."""

    def __init__(self) -> None:
        self.mode = "well"
        self.destroyed: list[str] = []
        self.lines: set[Connection] = set()
        self._server: asyncio.Server | None = None
        self._port = 0

    async def listen(self) -> int:
        """Take connections; the port."""
        loop = asyncio.get_running_loop()
        server = await loop.create_server(lambda: Connection(self), "127.0.0.1", self._port, backlog=512)
        self._server, self._port = server, server.sockets[0].getsockname()[1]
        return self._port

    async def become(self, mode: str) -> None:
        if self.mode == "down" != mode:
            await self.listen()
        self.mode = mode
        if mode == "down" and self._server is not None:
            self._server.close()
            for line in tuple(self.lines):
                line.abort()

    def answer(self, method: str, path: str, token: str) -> bytes:
        """Return the response of a healthy Hoursmith, and delete what is asked."""
        resource, _, record_id = path.removeprefix("/").partition("/")
        echo = echo_of(token)
        if method == "DELETE":
            self.destroyed.append(record_id)
            return b"HTTP/1.1 204 No Content\r\n\r\n"
        if resource == "me":
            me = {"orgId": ORG, "orgName": "Bench & Sons", "plan": "agency", "role": "OWNER", "tokenName": echo}
            return _response("200 OK", {"data": {**me, "scopes": ["read", "write"], "projectIds": []}})
        record = {"id": record_id, "orgId": ORG, "name": "Globex", "notes": echo}
        return _response("200 OK", {"data": time_entry(record_id, echo) if resource == "time-entries" else record})


class Connection(asyncio.Protocol):
    """One kept-alive connection of the console."""

    def __init__(self, hoursmith: Hoursmith) -> None:
        self._hoursmith = hoursmith
        self._received = b""
        self._transport: asyncio.Transport | None = None

    def connection_made(self, transport: asyncio.BaseTransport) -> None:
        # uvloop's transports do what the interface says without inheriting from it.
        self._transport = cast(asyncio.Transport, transport)
        self._hoursmith.lines.add(self)

    def connection_lost(self, exc: Exception | None) -> None:
        self._transport = None
        self._hoursmith.lines.discard(self)

    def abort(self) -> None:
        if self._transport is not None:
            self._transport.abort()

    def data_received(self, data: bytes) -> None:
        self._received += data
        while (end := self._received.find(b"\r\n\r\n")) >= 0:
            head, self._received = self._received[: end + 4], self._received[end + 4 :]
            line, token = _HEAD.match(head), _TOKEN.search(head)
            if line is None or token is None:
                self._send(_response("401 Unauthorized", {"error": {"code": "unauthenticated", "message": ""}}))
            else:
                self._serve(line["method"].decode(), line["path"].decode(), token[1].decode())

    def _serve(self, method: str, path: str, token: str) -> None:
        hoursmith, chance = self._hoursmith, random.random()
        match hoursmith.mode:
            case "errors" if chance < 0.5:
                self._send(_response("500 Internal Server Error", {"error": {"code": "internal", "message": token}}))
            case "errors" if chance < 0.8:
                page = f"<html>{token}</html>".encode()
                self._send(b"HTTP/1.1 503 Down\r\nContent-Length: %d\r\n\r\n%s" % (len(page), page))
            case "slow":
                answer = hoursmith.answer(method, path, token)
                asyncio.get_running_loop().call_later(SLOW_S, self._send, answer)
            case "silent" if chance < 0.3:
                hoursmith.answer(method, path, token)
            case "flapping" if chance < 0.3:
                self.abort()
            case "flapping" if chance < 0.5:
                self._send(hoursmith.answer(method, path, token)[:60])
                self.abort()
            case _:
                self._send(hoursmith.answer(method, path, token))

    def _send(self, answer: bytes) -> None:
        if self._transport is not None:
            self._transport.write(answer)


def _response(status: str, payload: dict[str, object]) -> bytes:
    body = json.dumps(payload, separators=(",", ":")).encode()
    head = f"HTTP/1.1 {status}\r\nContent-Type: application/json\r\nContent-Length: {len(body)}\r\n\r\n"
    return head.encode() + body


async def _serve() -> None:
    hoursmith = Hoursmith()
    print(await hoursmith.listen(), flush=True)
    while order := (await asyncio.to_thread(sys.stdin.readline)).strip():
        kind, _, where = order.partition(" ")
        if kind == "report":
            with open(where, "w", encoding="ascii") as file:  # noqa: ASYNC230 - it has nothing else to do then
                file.writelines(f"{record_id}\n" for record_id in hoursmith.destroyed)
        else:
            await hoursmith.become(kind)
        print("done", flush=True)


if __name__ == "__main__":
    uvloop.run(_serve())
