"""The bridge in this process, in front of a Hoursmith that a test makes up, spoken to over its ASGI entry."""

import json
from collections.abc import Callable
from pathlib import Path
from typing import Any, cast

import httpx
from django.conf import settings

from mcpbridge.app import Bridge
from mcpbridge.upstream import Upstream
from tests.token_shapes import assembled_token

TOKEN = assembled_token(secret="Hh7")
ME = {
    "orgId": "org-1",
    "orgName": "Northwind",
    "plan": "agency",
    "role": "OWNER",
    "tokenName": "Laptop",
    "scopes": ["read", "write"],
    "projectIds": [],
}
CLIENT_ID = "6f0c6f0e-5c0d-4f5e-9d6e-0a5f4b1c2d3e"
MODERN = "2026-07-28"
Handler = Callable[[httpx.Request], Any]


def hoursmith(request: httpx.Request) -> httpx.Response:
    """A Hoursmith in which all is well."""
    if request.url.path.endswith("/me"):
        return httpx.Response(200, json={"data": ME})
    if request.method == "DELETE":
        return httpx.Response(204)
    return httpx.Response(200, json={"data": {"id": CLIENT_ID, "name": "Globex"}})


def bridge_to(handler: Handler = hoursmith) -> Bridge:
    """A bridge whose upstream is `handler`, and which remembers no refused tokens of other tests."""
    (Path(settings.VAR_DIR) / "refusals").unlink(missing_ok=True)
    return Bridge(Upstream("https://hoursmith.example/api/v1", timeout_s=2, transport=httpx.MockTransport(handler)))


def envelope(name: str = "", version: str = "") -> dict[str, Any]:
    """The `_meta` that every request of the 2026-07-28 era carries."""
    meta: dict[str, Any] = {
        "io.modelcontextprotocol/protocolVersion": MODERN,
        "io.modelcontextprotocol/clientCapabilities": {},
    }
    if name:
        meta["io.modelcontextprotocol/clientInfo"] = {"name": name, "version": version}
    return meta


class Talk:
    """Speaks JSON-RPC to a bridge's entry."""

    def __init__(self, bridge: Bridge) -> None:
        self.bridge = bridge
        self._client = httpx.AsyncClient(
            # httpx writes its own types for ASGI, which differ from asgiref's in words only.
            transport=httpx.ASGITransport(app=cast(Any, bridge.http), client=("203.0.113.5", 1)),
            base_url="http://localhost",
        )

    async def post(
        self,
        method: str,
        params: dict[str, Any] | None = None,
        *,
        path: str = "/mcp",
        token: str = TOKEN,
        headers: dict[str, str] | None = None,
    ) -> httpx.Response:
        """One request of the era that its headers tell; without a version header, the older one."""
        sent = {"Authorization": f"Bearer {token}", "Accept": "application/json, text/event-stream", **(headers or {})}
        body = {"jsonrpc": "2.0", "id": 1, "method": method, "params": params or {}}
        return await self._client.post(path, json=body, headers=sent)

    async def bare(self, path: str, headers: dict[str, str]) -> httpx.Response:
        """A request with nothing but these headers."""
        return await self._client.post(path, headers=headers)

    async def call(
        self,
        tool: str,
        arguments: dict[str, Any] | None = None,
        *,
        name: str = "",
        version: str = "",
        **more: Any,
    ) -> httpx.Response:
        """One `tools/call` of the 2026-07-28 era."""
        params = {"name": tool, "arguments": arguments or {}, "_meta": envelope(name, version)}
        headers = {"MCP-Protocol-Version": MODERN, "Mcp-Method": "tools/call", "Mcp-Name": tool}
        return await self.post("tools/call", params, headers={**headers, **more.pop("headers", {})}, **more)


def error_of(response: httpx.Response) -> dict[str, Any]:
    """The JSON-RPC error in `response`."""
    found: dict[str, Any] = json.loads(response.content)["error"]
    return found


def result_of(response: httpx.Response) -> dict[str, Any]:
    """The JSON-RPC result in `response`."""
    assert response.status_code == 200, response.text
    found: dict[str, Any] = json.loads(response.content)["result"]
    return found
