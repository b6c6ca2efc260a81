"""The least MCP client: one POST, with exactly what a test puts into it, in either protocol era."""

import json
from dataclasses import dataclass, field
from typing import Any

import httpx

from tests.tool_results import error_in

LEGACY = "2025-11-25"
MODERN = "2026-07-28"
ERAS = (LEGACY, MODERN)
# Stands in every faulty value; no answer may hold it.
MARK = "Zq7mK2xWv9"

_META = {
    "io.modelcontextprotocol/protocolVersion": MODERN,
    "io.modelcontextprotocol/clientCapabilities": {},
    "io.modelcontextprotocol/clientInfo": {"name": "wire", "version": "1"},
}
_NAMED = {"tools/call": "name", "prompts/get": "name", "resources/read": "uri"}


@dataclass(frozen=True)
class Wire:
    """Speaks with the MCP endpoint at `url`, as whoever `token` is, in one era."""

    url: str
    token: str = field(repr=False)
    http: httpx.Client = field(repr=False)
    version: str = MODERN

    def headers(self, method: str = "", name: str = "") -> dict[str, str]:
        """The headers of a good request."""
        modern = {"Mcp-Method": method, "Mcp-Name": name} if self.version == MODERN else {}
        return {
            "Authorization": f"Bearer {self.token}",
            "Content-Type": "application/json",
            "Accept": "application/json, text/event-stream",
            "MCP-Protocol-Version": self.version,
            **{key: value for key, value in modern.items() if value},
        }

    def request(self, method: str, params: dict[str, Any] | None = None, request_id: Any = 1) -> dict[str, Any]:
        """The body of a good request."""
        given = dict(params or {})
        if self.version == MODERN:
            given["_meta"] = _META
        return {"jsonrpc": "2.0", "id": request_id, "method": method, "params": given}

    def post(self, body: Any, headers: Any = None) -> httpx.Response:
        """The answer to any body: bytes as they are, anything else as JSON."""
        content = body if isinstance(body, bytes) else json.dumps(body).encode()
        return self.http.post(self.url, content=content, headers=self.headers() if headers is None else headers)

    def send(self, method: str, params: dict[str, Any] | None = None) -> httpx.Response:
        """The answer to a good request for `method`."""
        name = (params or {}).get(_NAMED.get(method, ""), "")
        return self.post(self.request(method, params), self.headers(method, name if isinstance(name, str) else ""))

    def call(self, tool: str, arguments: dict[str, Any] | None = None) -> dict[str, Any]:
        """The result of a tool call that is answered with one."""
        response = self.send("tools/call", {"name": tool, "arguments": arguments or {}})
        assert response.status_code == 200, response.text
        result: dict[str, Any] = response.json()["result"]
        if not result["isError"]:
            assert json.loads(result["content"][0]["text"]) == result["structuredContent"]
        return result

    def data(self, tool: str, **arguments: Any) -> Any:
        """What the tool's success holds."""
        result = self.call(tool, arguments)
        assert not result.get("isError"), result
        return result["structuredContent"]["data"]

    def error(self, tool: str, **arguments: Any) -> dict[str, Any]:
        """What the tool's failure says."""
        result = self.call(tool, arguments)
        assert result.get("isError") is True, result
        error: dict[str, Any] = error_in(result)
        return error


def refused(response: httpx.Response, *, status: int, code: int | None = None) -> dict[str, Any]:
    """The one JSON-RPC error that `response` is, with nothing in it of what was sent."""
    assert response.status_code == status, response.text
    assert response.headers["content-type"] == "application/json"
    assert MARK not in response.text
    answer = response.json()
    assert answer.keys() == {"jsonrpc", "id", "error"}
    error: dict[str, Any] = answer["error"]
    assert error["message"]
    assert code is None or error["code"] == code
    return error
