"""A Hoursmith in a process of its own that keeps count of what it destroyed, whatever happens to those who asked.

It accepts every well-formed token and knows every record. What it carried out stays in its memory, and it tells
whoever asks at `/executed`: one line for each call, in the order in which they were carried out.
"""

import asyncio
import json
import os
import subprocess
import sys
import urllib.request
from collections.abc import Iterator
from contextlib import contextmanager

from tests.paths import ROOT

_ME = {
    "orgId": "org-1",
    "orgName": "Studio Nord",
    "plan": "agency",
    "role": "OWNER",
    "tokenName": "Hammer",
    "scopes": ["read", "write"],
    "projectIds": [],
}


async def _answer_all(executed: list[str], reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
    try:
        while True:
            head = await reader.readuntil(b"\r\n\r\n")
            method, path, _ = head.decode("latin-1").split("\r\n", 1)[0].split()
            writer.write(_answer(executed, method, path))
            await writer.drain()
    except (asyncio.IncompleteReadError, ConnectionError):
        # Whoever asked was killed.
        writer.close()


def _answer(executed: list[str], method: str, path: str) -> bytes:
    record_id = path.rsplit("/", 1)[1]
    if method == "DELETE":
        executed.append(record_id)
        return b"HTTP/1.1 204 No Content\r\n\r\n"
    if path == "/executed":
        return _ok("\n".join(executed).encode(), "text/plain")
    record = _ME if record_id == "me" else {"id": record_id, "orgId": "org-1", "note": "Globex"}
    return _ok(json.dumps({"data": record}).encode(), "application/json")


def _ok(body: bytes, kind: str) -> bytes:
    return f"HTTP/1.1 200 OK\r\nContent-Type: {kind}\r\nContent-Length: {len(body)}\r\n\r\n".encode() + body


async def _serve() -> None:
    executed: list[str] = []
    server = await asyncio.start_server(lambda *line: _answer_all(executed, *line), "127.0.0.1", 0, backlog=256)
    sys.stdout.write(f"{server.sockets[0].getsockname()[1]}\n")
    sys.stdout.flush()
    await server.serve_forever()


class Counting:
    """The running process, seen from the test."""

    def __init__(self, port: int) -> None:
        self._root = f"http://127.0.0.1:{port}"
        self.url = f"{self._root}/api/v1"

    def executed(self) -> list[str]:
        """The ids of the records that it destroyed."""
        with urllib.request.urlopen(f"{self._root}/executed", timeout=10) as answer:
            return str(answer.read().decode()).split()


@contextmanager
def counting() -> Iterator[Counting]:
    """A Hoursmith that counts, from here to the end of the block."""
    process = subprocess.Popen(
        [sys.executable, "-m", "tests.faults.counting"],
        stdout=subprocess.PIPE,
        text=True,
        cwd=ROOT,
        env={**os.environ, "PYTHONPATH": str(ROOT)},
    )
    assert process.stdout is not None
    try:
        yield Counting(int(process.stdout.readline()))
    finally:
        process.kill()
        process.wait()
        process.stdout.close()


if __name__ == "__main__":
    asyncio.run(_serve())
