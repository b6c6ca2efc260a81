"""Calls tools of a served console over plain HTTP, and looks at exactly what comes back."""

import json
from dataclasses import dataclass
from typing import Any

from tests.servers import Served
from tests.tool_results import error_in

MODERN = "2026-07-28"
LEGACY = "2025-11-25"


@dataclass(frozen=True)
class Answer:
    """An HTTP answer of the bridge."""

    status: int
    headers: dict[str, str]
    text: str

    @property
    def body(self) -> dict[str, Any]:
        found = json.loads(self.text)
        assert isinstance(found, dict)
        return found

    @property
    def result(self) -> dict[str, Any]:
        """The tool's result; fails the test where there is none."""
        assert self.status == 200, self.text
        result = self.body["result"]
        assert isinstance(result, dict)
        return result

    @property
    def error(self) -> dict[str, Any]:
        """The tool's error; fails the test where the call succeeded."""
        assert self.result["isError"] is True, self.text
        error = error_in(self.result)
        assert isinstance(error, dict)
        return error


def post(
    served: Served, body: Any, *, path: str = "/mcp", headers: dict[str, str] | None = None, timeout: float = 30
) -> Answer:
    """POST `body`, bytes or JSON, and the answer."""
    connection = served.connection(timeout)
    try:
        content = body if isinstance(body, bytes) else json.dumps(body).encode()
        usual = {"Content-Type": "application/json", "Accept": "application/json, text/event-stream"}
        connection.request("POST", path, content, {**usual, **(headers or {})})
        answer = connection.getresponse()
        text = answer.read().decode("utf-8")
        return Answer(answer.status, {name.lower(): value for name, value in answer.getheaders()}, text)
    finally:
        connection.close()


def call_tool(
    served: Served,
    token: str,
    tool: str,
    arguments: dict[str, Any] | None = None,
    *,
    path: str = "/mcp",
    headers: dict[str, str] | None = None,
    client: str = "Fault finder",
    version: str = MODERN,
    timeout: float = 30,
) -> Answer:
    """Call one tool in the era that `version` belongs to."""
    params: dict[str, Any] = {"name": tool, "arguments": arguments or {}}
    routing = {"MCP-Protocol-Version": version}
    if version == MODERN:
        about = "io.modelcontextprotocol"
        params["_meta"] = {
            f"{about}/protocolVersion": MODERN,
            f"{about}/clientCapabilities": {},
            f"{about}/clientInfo": {"name": client, "version": "1"},
        }
        routing.update({"Mcp-Method": "tools/call", "Mcp-Name": tool})
    body = {"jsonrpc": "2.0", "id": 1, "method": "tools/call", "params": params}
    authorization = {"Authorization": f"Bearer {token}"} if token else {}
    return post(served, body, path=path, headers={**routing, **authorization, **(headers or {})}, timeout=timeout)
