"""JSON-RPC 2.0 messages: read a request's envelope, and write an error."""

from typing import Any, NamedTuple

import mcp_types as types
import orjson
from mcp.shared.inbound import ERROR_CODE_HTTP_STATUS

# No tool's arguments have more, and nesting inside a string is not covered by the limit on the body.
_MOST_BRACKETS_IN_TEXT = 64


class RpcError(Exception):
    """A JSON-RPC error and its HTTP status."""

    def __init__(self, code: int, message: str, *, data: Any = None, http_status: int | None = None) -> None:
        super().__init__(message)
        self.code = code
        self.message = message
        self.data = data
        self.http_status = http_status or ERROR_CODE_HTTP_STATUS.get(code, 200)

    def body(self, request_id: str | int | None) -> dict[str, Any]:
        """Return the error as a JSON-RPC response object."""
        error: dict[str, Any] = {"code": self.code, "message": self.message}
        if self.data is not None:
            error["data"] = self.data
        return {"jsonrpc": "2.0", "id": request_id, "error": error}


class Request(NamedTuple):
    """A JSON-RPC request with a valid envelope."""

    id: str | int
    method: str
    params: dict[str, Any] | None
    body: dict[str, Any]


def read_request(body: Any) -> Request | None:
    """Return the request in a decoded body, None for a notification or a response; raise RpcError if it is invalid.

    Arguments of a tool call that are an object in a string, or an empty list, are replaced by that object in `body`.
    """
    if not isinstance(body, dict):
        reason = (
            "This protocol version does not allow batches: send one request."
            if isinstance(body, list)
            else "Send a JSON object."
        )
        raise RpcError(types.INVALID_REQUEST, reason)
    if body.get("jsonrpc") != "2.0":
        raise RpcError(types.INVALID_REQUEST, 'The member "jsonrpc" must be "2.0".')
    params = body.get("params")
    if params is not None and not isinstance(params, dict):
        raise RpcError(types.INVALID_REQUEST, 'The member "params" must be an object.')
    method = body.get("method")
    if "method" not in body and ("result" in body or "error" in body):
        return None
    if not isinstance(method, str):
        raise RpcError(types.INVALID_REQUEST, 'The member "method" must be a string.')
    if "id" not in body:
        return None
    request_id = body["id"]
    if isinstance(request_id, bool) or not isinstance(request_id, str | int):
        raise RpcError(types.INVALID_REQUEST, 'The member "id" must be a string or an integer.')
    if method == "tools/call" and params is not None and "arguments" in params:
        params["arguments"] = _object_in(params["arguments"])
    return Request(request_id, method, params, body)


def _object_in(arguments: Any) -> Any:
    """Return the object that a model meant with `arguments`; unchanged if there is none, for the checks to refuse."""
    if isinstance(arguments, str) and arguments.count("{") + arguments.count("[") <= _MOST_BRACKETS_IN_TEXT:
        try:
            arguments = orjson.loads(arguments or "{}")
        except orjson.JSONDecodeError:
            return arguments
    return {} if arguments == [] else arguments


def id_from(body: Any) -> str | int | None:
    """Return the id for the error response to an invalid message; None if it has no valid id."""
    found = body.get("id") if isinstance(body, dict) else None
    return found if isinstance(found, str | int) and not isinstance(found, bool) else None
