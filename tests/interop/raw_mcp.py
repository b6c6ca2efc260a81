"""One MCP request at a time, exactly as written, each on a connection of its own."""

import http.client
import json
from typing import Any

from tests.servers import Served


def post(
    console: Served, token: str, method: str, params: dict[str, Any] | None = None, **headers: str
) -> tuple[http.client.HTTPResponse, Any]:
    """The answer to a JSON-RPC request and its decoded body; `headers` have _ for -."""
    body: dict[str, Any] = {"jsonrpc": "2.0", "id": 1, "method": method}
    sent = {
        "Authorization": f"Bearer {token}",
        "Content-Type": "application/json",
        "Accept": "application/json, text/event-stream",
        "Connection": "close",
        **{name.replace("_", "-"): value for name, value in headers.items()},
    }
    connection = http.client.HTTPConnection("127.0.0.1", console.port, timeout=30)
    try:
        connection.request("POST", "/mcp", json.dumps(body if params is None else {**body, "params": params}), sent)
        answer = connection.getresponse()
        return answer, json.loads(answer.read() or b"null")
    finally:
        connection.close()
