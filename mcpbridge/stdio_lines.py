"""Read JSON-RPC messages from standard input, one a line, and answer each line that is none.

The SDK's own reader drops a line that it cannot take, and a client would wait for its answer for ever.
"""

import os
from collections.abc import AsyncIterator, Awaitable, Callable
from typing import BinaryIO

import anyio.to_thread
import mcp_types as types
from pydantic import ValidationError

from mcpbridge.intake import MAX_BODY_BYTES, Refusal, decoded
from mcpbridge.rpc import RpcError, id_in, read_request

Refuse = Callable[[types.JSONRPCError], Awaitable[None]]


def take_standard_input() -> BinaryIO:
    """Return standard input as a file of our own, and leave the null device in its place.

    So nothing that runs in this process, and no child of it, can read away what the client sends.
    """
    ours = os.fdopen(os.dup(0), "rb")
    null = os.open(os.devnull, os.O_RDONLY)
    os.dup2(null, 0)
    os.close(null)
    return ours


class MessageLines:
    """The lines of `source` that are JSON-RPC messages; `refuse`, set before reading, is given an error for the rest.

    An error names the line's id where that can be read, and null where not (JSON-RPC 2.0 section 5). Lines of white
    space alone are skipped, as the SDK's clients do.
    """

    def __init__(self, source: BinaryIO) -> None:
        self._source = source
        self.refuse: Refuse | None = None

    async def __aiter__(self) -> AsyncIterator[str]:
        while line := await anyio.to_thread.run_sync(self._next_line, abandon_on_cancel=True):
            if not line.strip():
                continue
            try:
                _check(line)
            except RpcError as error:
                if self.refuse is not None:
                    await self.refuse(types.JSONRPCError.model_validate(error.body(_id_in(line))))
            else:
                yield line.decode()

    def _next_line(self) -> bytes:
        """The next line; of one that is longer than a message may be only as much as shows that."""
        line = self._source.readline(MAX_BODY_BYTES + 1)
        rest = line
        while rest and not rest.endswith(b"\n"):
            rest = self._source.readline(MAX_BODY_BYTES)
        return line


def _check(line: bytes) -> None:
    """Raise RpcError unless `line` is one message that the SDK's server takes."""
    if len(line) > MAX_BODY_BYTES:
        raise RpcError(types.INVALID_REQUEST, f"The message is larger than {MAX_BODY_BYTES} bytes.")
    try:
        body = decoded(line)
    except Refusal as refusal:
        error = refusal.body["error"]
        raise RpcError(error["code"], error["message"].replace("The body", "The line")) from None
    read_request(body)
    try:
        types.jsonrpc_message_adapter.validate_json(line, by_name=False)
    except ValidationError:
        # Pydantic's text repeats the input, so it stays here.
        raise RpcError(types.INVALID_REQUEST, "The line is not a JSON-RPC message.") from None


def _id_in(line: bytes) -> str | int | None:
    try:
        return id_in(decoded(line)) if len(line) <= MAX_BODY_BYTES else None
    except Refusal:
        return None
