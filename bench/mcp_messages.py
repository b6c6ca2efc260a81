"""What callers send and what they accept as their own answer, for plain REST and for both eras of MCP."""

from collections.abc import Callable
from dataclasses import dataclass

import orjson

from bench.callers import Caller

MODERN = "2026-07-28"
LEGACY = "2025-11-25"
_CLIENT_INFO = {"name": "bench", "version": "1.0"}
# JSON-RPC ids all have this many digits, so that every request of a caller has the same length.
_FIRST_ID = 100_000_000
_ID = b"@@@@@@@@@"


class WrongAnswerError(Exception):
    """An answer that is not the caller's own, or none at all."""


@dataclass(slots=True)
class Request:
    """One caller's request, to be sent again and again with a new id, and the check of its answer."""

    before_id: bytes
    after_id: bytes
    check: Callable[[int, int, bytes], None]
    next_id: int = _FIRST_ID

    def next_bytes(self) -> bytes:
        self.next_id += 1
        return b"%s%d%s" % (self.before_id, self.next_id, self.after_id) if self.after_id else self.before_id


def rest_request(caller: Caller, port: int) -> Request:
    """The REST call itself, without anything in between."""

    def check(request_id: int, status: int, body: bytes) -> None:
        if status != 200 or orjson.loads(body)["data"]["notes"] != caller.echo:
            raise WrongAnswerError(f"{status} {body[:300]!r}")

    head = f"GET /api/v1/clients/{caller.record_id} HTTP/1.1\r\n" + _common(caller, port) + "\r\n"
    return Request(head.encode(), b"", check)


def tool_request(caller: Caller, port: int, *, tool: str, version: str, session: str = "") -> Request:
    """A `tools/call` of `tool` for the caller's record."""
    params: dict[str, object] = {"name": tool, "arguments": {"id": caller.record_id}}
    more = f"MCP-Protocol-Version: {version}\r\n"
    if version == MODERN:
        more += f"Mcp-Method: tools/call\r\nMcp-Name: {tool}\r\n"
        params["_meta"] = {
            "io.modelcontextprotocol/protocolVersion": version,
            "io.modelcontextprotocol/clientInfo": _CLIENT_INFO,
            "io.modelcontextprotocol/clientCapabilities": {},
        }
    if session:
        more += f"Mcp-Session-Id: {session}\r\n"
    body = orjson.dumps({"jsonrpc": "2.0", "id": _ID.decode(), "method": "tools/call", "params": params})
    before_id, after_id = _post(caller, port, body.replace(b'"%s"' % _ID, _ID), more).split(_ID)
    check = _deleted(caller) if tool == "delete_time_entry" else _shown(caller)
    return Request(before_id, after_id, check)


def initialize_requests(caller: Caller, port: int) -> tuple[bytes, Callable[[str], bytes]]:
    """The handshake of the initialize era: the first request, and the notification that follows it."""
    params = {"protocolVersion": LEGACY, "capabilities": {}, "clientInfo": _CLIENT_INFO}
    first = orjson.dumps({"jsonrpc": "2.0", "id": 1, "method": "initialize", "params": params})
    second = orjson.dumps({"jsonrpc": "2.0", "method": "notifications/initialized"})

    def initialized(session: str) -> bytes:
        more = f"Mcp-Session-Id: {session}\r\n" if session else ""
        return _post(caller, port, second, f"MCP-Protocol-Version: {LEGACY}\r\n{more}")

    return _post(caller, port, first, ""), initialized


def _common(caller: Caller, port: int) -> str:
    return f"Host: 127.0.0.1:{port}\r\nAuthorization: Bearer {caller.token}\r\nUser-Agent: bench/1.0\r\n"


def _post(caller: Caller, port: int, body: bytes, more: str) -> bytes:
    head = (
        f"POST /mcp HTTP/1.1\r\n{_common(caller, port)}{more}Accept: application/json, text/event-stream\r\n"
        f"Content-Type: application/json\r\nContent-Length: {len(body)}\r\n\r\n"
    )
    return head.encode() + body


def _result(request_id: int, status: int, body: bytes) -> dict[str, object]:
    reply = orjson.loads(body) if status == 200 else {}
    result = reply.get("result")
    if reply.get("id") != request_id or not isinstance(result, dict) or result.get("isError"):
        raise WrongAnswerError(f"{status} {body[:300]!r}")
    return result


def _shown(caller: Caller) -> Callable[[int, int, bytes], None]:
    def check(request_id: int, status: int, body: bytes) -> None:
        result = _result(request_id, status, body)
        text = orjson.loads(result["content"][0]["text"])  # type: ignore[index]
        if text["data"]["notes"] != caller.echo or result["structuredContent"] != text:
            raise WrongAnswerError(f"Not this caller's: {body[:300]!r}")

    return check


def _deleted(caller: Caller) -> Callable[[int, int, bytes], None]:
    """A deletion answers nothing; the audit rows show whose record it was, and `bench.records` compares them."""

    def check(request_id: int, status: int, body: bytes) -> None:
        if _result(request_id, status, body)["structuredContent"] != {"data": None}:
            raise WrongAnswerError(f"Not a deletion: {body[:300]!r}")

    return check
