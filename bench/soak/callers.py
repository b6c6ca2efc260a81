"""Those who call: at a pace that does not slacken when the console does, each checking that its answers are its own."""

import asyncio
import time
import uuid
from collections import Counter
from collections.abc import Callable
from dataclasses import dataclass, field

import orjson

from bench.callers import Caller
from bench.load import Line
from bench.mcp_messages import MODERN, WrongAnswerError
from tests.tool_results import error_in

LONGEST_CALL_S = 30.0
_DELETE, _READ = "delete_time_entry", "get_client"


@dataclass
class Told:
    """What the callers were told, and how long it took."""

    # By the fault that was going on when the call began, or else ended, the kind of call, and how it ended.
    endings: Counter[tuple[str, str, str]] = field(default_factory=Counter)
    deletions: dict[str, str] = field(default_factory=dict)
    took_s: list[float] = field(default_factory=list)
    took_in_faults_s: list[float] = field(default_factory=list)
    wrong: list[str] = field(default_factory=list)
    skipped: int = 0

    @property
    def calls(self) -> int:
        return sum(self.endings.values())

    def ended(self, *how: str) -> int:
        """How many calls ended in one of the ways `how`."""
        return sum(count for (_, _, ending), count in self.endings.items() if ending in how)


class Voice:
    """One caller on its own kept-alive line."""

    def __init__(
        self,
        caller: Caller,
        bearer: Callable[[], str],
        port: int,
        told: Told,
        fault: Callable[[float], str],
        *,
        deletes_of_ten: int,
    ) -> None:
        """`bearer` returns what it sends: the caller's token, or the envelope that it has instead.

        `fault` returns what has gone wrong since an instant, or is going wrong; empty if nothing.
        """
        self._caller = caller
        self._bearer = bearer
        self._port = port
        self._told = told
        self._fault = fault
        self._deletes_of_ten = deletes_of_ten
        self._line: Line | None = None
        self._number = 0

    async def speak(self, is_over: asyncio.Event, *, every_s: float, first_in_s: float = 0.0) -> None:
        """Call every `every_s` seconds until it is over; without a pause where that is 0. What is late is skipped."""
        due = time.monotonic() + first_in_s
        while not is_over.is_set():
            if (wait := due - time.monotonic()) > 0:
                await asyncio.sleep(wait)
            await self.call()
            late = time.monotonic() - due
            if every_s and late > every_s:
                self._told.skipped += int(late / every_s)
            due = max(due + every_s, time.monotonic())
        if self._line is not None:
            self._line.close()

    async def call(self) -> None:
        """Make the next call, and keep what came of it."""
        self._number += 1
        tool = _DELETE if self._number % 10 < self._deletes_of_ten else _READ
        record_id = str(uuid.uuid4()) if tool == _DELETE else self._caller.record_id
        began = time.monotonic()
        fault = self._fault(began)
        if tool == _DELETE:
            self._told.deletions[record_id] = "hung"
        ending = await self._ending_of(tool, record_id)
        if tool == _DELETE:
            self._told.deletions[record_id] = ending
        # A dropped connection is due to the fault at its end, everything else to the fault at the call's start.
        meanwhile = self._fault(began)
        fault = (meanwhile or fault) if ending == "dropped" else (fault or meanwhile)
        self._told.endings[fault, tool, ending] += 1
        took = self._told.took_in_faults_s if fault else self._told.took_s
        took.append(time.monotonic() - began)

    async def _ending_of(self, tool: str, record_id: str) -> str:
        try:
            async with asyncio.timeout(LONGEST_CALL_S):
                line = await self._open_line()
                status, head, body = await line.ask(self._request(tool, record_id))
        except TimeoutError:
            self._hang_up()
            return "hung"
        except (WrongAnswerError, OSError) as error:
            self._hang_up()
            return "no connection" if isinstance(error, ConnectionRefusedError) else "dropped"
        if b"connection: close" in head.lower():
            self._hang_up()
        return self._ending(tool, status, body)

    def _ending(self, tool: str, status: int, body: bytes) -> str:
        reply = orjson.loads(body)
        result = reply.get("result")
        if status != 200 or result is None:
            return f"HTTP {status}"
        if reply["id"] != self._number:
            self._told.wrong.append(f"An answer to another question: {body[:200]!r}")
        if result["isError"]:
            return str(error_in(result)["code"])
        data = result["structuredContent"]["data"]
        if tool == _READ and data["notes"] != self._caller.echo:
            self._told.wrong.append(f"Another caller's record: {body[:200]!r}")
        return "done"

    async def _open_line(self) -> Line:
        if self._line is None or not self._line.is_open:
            _, self._line = await asyncio.get_running_loop().create_connection(Line, "127.0.0.1", self._port)
        return self._line

    def _hang_up(self) -> None:
        if self._line is not None:
            self._line.close()
        self._line = None

    def _request(self, tool: str, record_id: str) -> bytes:
        about = "io.modelcontextprotocol"
        meta = {
            f"{about}/protocolVersion": MODERN,
            f"{about}/clientInfo": {"name": "Soak", "version": "1"},
            f"{about}/clientCapabilities": {},
        }
        params = {"name": tool, "arguments": {"id": record_id}, "_meta": meta}
        body = orjson.dumps({"jsonrpc": "2.0", "id": self._number, "method": "tools/call", "params": params})
        head = (
            f"POST /mcp HTTP/1.1\r\nHost: 127.0.0.1:{self._port}\r\nAuthorization: Bearer {self._bearer()}\r\n"
            f"MCP-Protocol-Version: {MODERN}\r\nMcp-Method: tools/call\r\nMcp-Name: {tool}\r\n"
            f"Accept: application/json\r\nContent-Type: application/json\r\nContent-Length: {len(body)}\r\n\r\n"
        )
        return head.encode() + body
