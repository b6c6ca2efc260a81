"""The raw HTTP response of Hoursmith, and its decoded JSON."""

from collections.abc import Mapping
from typing import Any, NamedTuple

import orjson

from mcpbridge.upstream.errors import UpstreamMalformedError

MAX_RESPONSE_BYTES = 8 * 1024 * 1024
# The contract's records are flat. Deeper nesting could be parsed here, but not serialised for the client.
MAX_DEPTH = 64


class RawResponse(NamedTuple):
    """An HTTP response; `body` is None if it was not read."""

    status: int
    retry_after: str | None
    body: bytearray | None


class ApiResponse(NamedTuple):
    """A decoded response. `payload` is the JSON object, `{"data": None}` for an empty success.

    For an error status whose body is not the contract's envelope, `payload` is empty.
    """

    status: int
    payload: dict[str, Any]
    retry_after: int | None = None

    @property
    def is_success(self) -> bool:
        return 200 <= self.status < 300

    @property
    def error(self) -> Mapping[str, Any]:
        """Return the contract's error object, or an empty one."""
        error = self.payload.get("error")
        return error if isinstance(error, dict) else {}


def parse_response(answer: RawResponse, *, wants_data: bool) -> ApiResponse:
    """Decode the response; raise UpstreamMalformedError if a success is not what the contract promises."""
    status, retry_after = answer.status, _seconds(answer.retry_after)
    payload = None if answer.body is None else _object(answer.body)
    if not 200 <= status < 300:
        return ApiResponse(status, payload if payload is not None else {}, retry_after)
    if answer.body is not None and not answer.body.strip() and (status == 204 or not wants_data):
        return ApiResponse(status, {"data": None}, retry_after)
    if payload is None:
        raise UpstreamMalformedError
    return ApiResponse(status, payload if "data" in payload else {"data": payload}, retry_after)


def _object(body: bytearray) -> dict[str, Any] | None:
    try:
        value = orjson.loads(body)
    except orjson.JSONDecodeError:
        return None
    if not isinstance(value, dict) or (body.count(b"{") + body.count(b"[") > MAX_DEPTH and _is_deep(value)):
        return None
    return value


def _is_deep(value: dict[str, Any]) -> bool:
    """Return whether anything in `value` is nested deeper than MAX_DEPTH."""
    level: list[Any] = [value]
    for _ in range(MAX_DEPTH):
        inner = (each for outer in level for each in (outer.values() if type(outer) is dict else outer))
        level = [each for each in inner if type(each) in (dict, list)]
        if not level:
            return False
    return True


def _seconds(header: str | None) -> int | None:
    """Return Retry-After in seconds; its date form is ignored, since Hoursmith sends seconds."""
    return int(header) if header is not None and header.isascii() and header.isdigit() and len(header) < 7 else None
