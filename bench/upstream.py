"""Serve a minimal Hoursmith API at little cost: `/me`, one client and one time entry for every caller.

Written on asyncio's protocols, since every framework would cost more than the thing to be measured. Each answer
carries a mark derived from the whole token, so that the caller can tell whether it is theirs.
"""

import argparse
import asyncio
import json
import re
from functools import lru_cache
from typing import Any, cast

import uvloop

from bench.callers import echo_of

_HEAD = re.compile(rb"(?P<method>[A-Z]+) /api/v1(?P<path>/[^ ?]*)[^ ]* HTTP/1\.1\r\n")
_TOKEN = re.compile(rb"\r\nauthorization: bearer (hsk_test_[0-9a-f]{12}_[0-9A-Za-z]{32})\r\n", re.IGNORECASE)
_BODY = re.compile(rb"\r\n(?:content-length: [1-9]|transfer-encoding:)", re.IGNORECASE)
_ORG = "5b0e6a3c-0d3f-4a57-9f0e-6b1f5f1f7a10"
_PROJECT = "0a7c1f5e-93a4-4c7b-8d52-3f1c7b1d9e21"
_WHEN = "2026-06-01T08:30:00Z"
# How many workspaces the tokens are of.
_workspaces = 1


def _me(record_id: str, echo: str) -> dict[str, Any]:
    return {
        # Of which workspace a token is, its echo says.
        "orgId": f"{_ORG[:-1]}{int(echo, 16) % _workspaces}",
        "orgName": "Bench & Sons",
        "plan": "agency",
        "role": "OWNER",
        "tokenName": f"Caller {echo}",
        "scopes": ["read", "write"],
        "projectIds": [_PROJECT],
    }


def _client(record_id: str, echo: str) -> dict[str, Any]:
    return {
        "id": record_id,
        "orgId": _ORG,
        "name": "Globex",
        "contactName": "Hank Scorpio",
        "email": "hank@globex.example",
        "phone": "+1 555 0100",
        "website": "https://globex.example",
        "currency": "EUR",
        "notes": echo,
        "billingAddress": None,
        "billingLine1": "1 Cypress Creek",
        "billingLine2": None,
        "billingCity": "Springfield",
        "billingRegion": None,
        "billingPostalCode": "12345",
        "billingCountry": "US",
        "taxNumber": None,
        "defaultRate": "120.00",
        "defaultPaymentTerms": 30,
        "defaultTaxRate": "19.00",
        "requirePoNumber": False,
        "billingEmail": None,
        "createdAt": _WHEN,
        "updatedAt": _WHEN,
        "deletedAt": None,
    }


def time_entry(record_id: str, echo: str) -> dict[str, Any]:
    return {
        "id": record_id,
        "orgId": _ORG,
        "userId": "9d1c4b8e-5a0f-4f6e-8a3d-2b7e6c5d4f32",
        "projectId": _PROJECT,
        "taskId": None,
        "invoiceId": None,
        "durationSeconds": 5400,
        "billable": True,
        "note": echo,
        "entryDate": "2026-06-01",
        "startedAt": None,
        "stoppedAt": None,
        "createdAt": _WHEN,
        "updatedAt": _WHEN,
        "deletedAt": None,
    }


_RECORDS = {"me": _me, "clients": _client, "time-entries": time_entry}


@lru_cache(maxsize=10_000)
def _answer(method: bytes, path: bytes, token: bytes | None) -> bytes:
    """The whole HTTP answer. Callers ask the same thing again and again, so each is written once."""
    resource, _, record_id = path.decode().removeprefix("/").partition("/")
    record = _RECORDS.get(resource)
    if token is None:
        return _response("401 Unauthorized", {"error": {"code": "unauthenticated", "message": "No token."}})
    if record is None or (method, resource) not in {
        (b"GET", "me"),
        (b"GET", "clients"),
        (b"GET", "time-entries"),
        (b"DELETE", "time-entries"),
    }:
        return _response("404 Not Found", {"error": {"code": "not_found", "message": "Not in the bench."}})
    if method == b"DELETE":
        return _response("204 No Content", None)
    return _response("200 OK", {"data": record(record_id, echo_of(token.decode()))})


def _response(status: str, payload: dict[str, Any] | None) -> bytes:
    limits = "X-RateLimit-Limit: 1200\r\nX-RateLimit-Remaining: 1199\r\nX-RateLimit-Reset: 1800000000\r\n"
    head = f"HTTP/1.1 {status}\r\n{limits}"
    if payload is None:
        return f"{head}\r\n".encode()
    body = json.dumps(payload, separators=(",", ":")).encode()
    return f"{head}Content-Type: application/json\r\nContent-Length: {len(body)}\r\n\r\n".encode() + body


class Connection(asyncio.Protocol):
    """One kept-alive connection of a contender."""

    def __init__(self) -> None:
        self._received = b""
        self._transport: asyncio.Transport | None = None

    def connection_made(self, transport: asyncio.BaseTransport) -> None:
        # uvloop's transports do what the interface says without inheriting from it.
        self._transport = cast(asyncio.Transport, transport)

    def data_received(self, data: bytes) -> None:
        assert self._transport is not None
        self._received += data
        while (end := self._received.find(b"\r\n\r\n")) >= 0:
            head, self._received = self._received[: end + 4], self._received[end + 4 :]
            line = _HEAD.match(head)
            if line is None or _BODY.search(head):
                self._transport.write(_response("400 Bad Request", {"error": {"code": "bad_request", "message": ""}}))
                self._transport.close()
                return
            token = _TOKEN.search(head)
            self._transport.write(_answer(line["method"], line["path"], token[1] if token else None))


async def serve(port: int) -> None:
    """Answer on loopback until the process is ended."""
    server = await asyncio.get_running_loop().create_server(Connection, "127.0.0.1", port)
    await server.serve_forever()


if __name__ == "__main__":
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--port", type=int, required=True)
    parser.add_argument("--workspaces", type=int, default=1, help="how many the tokens are of, up to 10 (1)")
    arguments = parser.parse_args()
    _workspaces = arguments.workspaces
    uvloop.run(serve(arguments.port))
