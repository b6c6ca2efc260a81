"""An assistant of the demo: it calls tools of the gateway as its real model does, over MCP, with its own token."""

import json
from collections.abc import Awaitable, Callable
from dataclasses import dataclass, field
from typing import Any

MODERN, LEGACY = "2026-07-28", "2025-11-25"
_META = "io.modelcontextprotocol"

App = Callable[[Any, Any, Any], Awaitable[None]]


@dataclass(slots=True)
class Assistant:
    """An assistant of one member. `path` is its address at the gateway; `calls` counts its tool calls."""

    app: App
    name: str
    version: str
    address: str
    token: str = field(repr=False)
    path: str = "/mcp"
    protocol: str = MODERN
    label: str = ""
    calls: int = 0
    session: str = ""

    @property
    def prefix(self) -> str:
        """The prefix of its token."""
        return self.token.split("_")[2]

    async def call(self, tool: str, **arguments: Any) -> Any:
        """Call `tool`; return the data of its result, None if it failed or the token was rejected."""
        if self.protocol == LEGACY and not self.session:
            await self._initialize()
        params: dict[str, Any] = {"name": tool, "arguments": arguments}
        headers = {"mcp-protocol-version": self.protocol}
        if self.protocol == MODERN:
            headers |= {"mcp-method": "tools/call", "mcp-name": tool}
            params["_meta"] = {
                f"{_META}/protocolVersion": MODERN,
                f"{_META}/clientInfo": self._info,
                f"{_META}/clientCapabilities": {},
            }
        self.calls += 1
        message = {"jsonrpc": "2.0", "id": self.calls, "method": "tools/call", "params": params}
        answer, _ = await self._post(message, headers)
        return (answer.get("result", {}).get("structuredContent") or {}).get("data")

    @property
    def _info(self) -> dict[str, str]:
        return {"name": self.name, "version": self.version}

    async def _initialize(self) -> None:
        params = {"protocolVersion": LEGACY, "capabilities": {}, "clientInfo": self._info}
        _, headers = await self._post({"jsonrpc": "2.0", "id": 0, "method": "initialize", "params": params}, {})
        self.session = headers.get("mcp-session-id", "")

    async def _post(self, message: dict[str, Any], headers: dict[str, str]) -> tuple[dict[str, Any], dict[str, str]]:
        """Send one message to the gateway in this process; return the answer and its headers."""
        sent = {
            "host": "localhost",
            "content-type": "application/json",
            "accept": "application/json, text/event-stream",
            "authorization": f"Bearer {self.token}",
            **({"mcp-session-id": self.session} if self.session else {}),
            **headers,
        }
        scope = {
            "type": "http",
            "method": "POST",
            "path": self.path,
            "query_string": b"",
            "scheme": "http",
            "headers": [(name.encode(), value.encode()) for name, value in sent.items()],
            "client": (self.address, 0),
            "server": ("localhost", 80),
        }
        body, parts, got = json.dumps(message).encode(), [], {}

        async def receive() -> dict[str, Any]:
            return {"type": "http.request", "body": body, "more_body": False}

        async def send(event: Any) -> None:
            if event["type"] == "http.response.start":
                got.update({name.decode(): value.decode() for name, value in event["headers"]})
            else:
                parts.append(event.get("body", b""))

        await self.app(scope, receive, send)
        return json.loads(b"".join(parts) or b"{}"), got
