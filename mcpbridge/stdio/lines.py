"""Read JSON-RPC messages from standard input, one per line, and answer invalid lines with an error.

The SDK's own reader drops a line that it cannot parse, and the client would wait for its answer forever. At the end of
input the SDK's server drops the requests that it has not answered; here the end is reported to it after the answers.
"""

import asyncio
import os
from collections import Counter
from collections.abc import AsyncIterator, Awaitable, Callable
from types import TracebackType
from typing import BinaryIO, Protocol

import anyio
import anyio.to_thread
import mcp_types as types
from mcp.shared.dispatcher import coerce_request_id
from mcp.shared.jsonrpc_dispatcher import cancelled_request_id_from_params
from mcp.shared.message import SessionMessage
from pydantic import ValidationError

from mcpbridge.core.json_parsing import MAX_BODY_BYTES, JsonError, parse_json
from mcpbridge.protocol.jsonrpc import RpcError, id_from, read_request

Refuse = Callable[[types.JSONRPCError], Awaitable[None]]


def take_standard_input() -> BinaryIO:
    """Return standard input as a new file, and replace it with the null device.

    So no other code in this process, and no child process, can consume what the client sends.
    """
    ours = os.fdopen(os.dup(0), "rb")
    null = os.open(os.devnull, os.O_RDONLY)
    os.dup2(null, 0)
    os.close(null)
    return ours


class UnansweredRequests:
    """Track the requests of one client that were read and not answered yet."""

    def __init__(self) -> None:
        self._ids: Counter[str | int] = Counter()
        self._none_left = asyncio.Event()
        self._none_left.set()

    def record_read(self, message: types.JSONRPCMessage) -> None:
        """Add `message` if it is a request, or remove the request that it cancels: that one gets no answer."""
        if isinstance(message, types.JSONRPCRequest):
            self._ids[coerce_request_id(message.id)] += 1
            self._none_left.clear()
        elif isinstance(message, types.JSONRPCNotification) and message.method == "notifications/cancelled":
            self._remove(cancelled_request_id_from_params(message.params))

    def record_sent(self, message: types.JSONRPCMessage) -> None:
        """Remove the request that `message` answers, if it is an answer."""
        if isinstance(message, types.JSONRPCResponse | types.JSONRPCError):
            self._remove(message.id)

    async def wait_for_answers(self, limit_s: float) -> None:
        """Return once every request is answered, or after `limit_s` seconds."""
        with anyio.move_on_after(limit_s):
            await self._none_left.wait()

    def _remove(self, request_id: str | int | None) -> None:
        if request_id is not None:
            self._ids -= Counter([coerce_request_id(request_id)])
        if not self._ids:
            self._none_left.set()


class _WriteStream(Protocol):
    async def send(self, item: SessionMessage, /) -> None: ...

    async def aclose(self) -> None: ...


class AnswerStream:
    """A write stream for the SDK's server that records in `unanswered` what was sent to `stream`."""

    def __init__(self, stream: _WriteStream, unanswered: UnansweredRequests) -> None:
        self._stream = stream
        self._unanswered = unanswered

    async def send(self, item: SessionMessage, /) -> None:
        await self._stream.send(item)
        self._unanswered.record_sent(item.message)

    async def aclose(self) -> None:
        await self._stream.aclose()

    async def __aenter__(self) -> "AnswerStream":
        return self

    async def __aexit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        await self.aclose()


class MessageLines:
    """Iterate over the JSON-RPC messages in `source`; call `refuse`, set before reading, with an error for other lines.

    An error has the line's id if that can be read, else null (JSON-RPC 2.0 section 5). Blank lines are skipped, as
    the SDK's clients do. At the end of `source` the iteration waits for the answers to
    `unanswered`, at most `last_answers_s` seconds.
    """

    def __init__(self, source: BinaryIO, unanswered: UnansweredRequests, *, last_answers_s: float) -> None:
        self._source = source
        self._unanswered = unanswered
        self._last_answers_s = last_answers_s
        self.refuse: Refuse | None = None

    async def __aiter__(self) -> AsyncIterator[str]:
        while line := await anyio.to_thread.run_sync(self._next_line, abandon_on_cancel=True):
            if not line.strip():
                continue
            try:
                message = _message_in(line)
            except RpcError as error:
                if self.refuse is not None:
                    await self.refuse(types.JSONRPCError.model_validate(error.body(_id_in(line))))
            else:
                self._unanswered.record_read(message)
                yield line.decode()
        await self._unanswered.wait_for_answers(self._last_answers_s)

    def _next_line(self) -> bytes:
        """Return the next line; only the beginning of one that is too long."""
        line = self._source.readline(MAX_BODY_BYTES + 1)
        rest = line
        while rest and not rest.endswith(b"\n"):
            rest = self._source.readline(MAX_BODY_BYTES)
        return line


def _message_in(line: bytes) -> types.JSONRPCMessage:
    """Return the message in `line` as the SDK's server reads it; raise RpcError if it is not one."""
    if len(line) > MAX_BODY_BYTES:
        raise RpcError(types.INVALID_REQUEST, f"The message is larger than {MAX_BODY_BYTES} bytes.")
    try:
        body = parse_json(line)
    except JsonError as error:
        raise RpcError(types.PARSE_ERROR, str(error).replace("The body", "The line")) from None
    read_request(body)
    try:
        return types.jsonrpc_message_adapter.validate_json(line, by_name=False)
    except ValidationError:
        # Pydantic's text repeats the input, so it is not passed on.
        raise RpcError(types.INVALID_REQUEST, "The line is not a JSON-RPC message.") from None


def _id_in(line: bytes) -> str | int | None:
    try:
        return id_from(parse_json(line)) if len(line) <= MAX_BODY_BYTES else None
    except JsonError:
        return None
