"""The SDK's MCPServer with one tool and httpx's default transport: the official way, by hand, recording nothing."""

import os
from typing import Any
from uuid import UUID

import httpx
from mcp.server import MCPServer
from mcp.server.mcpserver import Context

_limits = httpx.Limits(max_connections=256, max_keepalive_connections=256, keepalive_expiry=60)
_client = httpx.AsyncClient(base_url=os.environ["BENCH_UPSTREAM_URL"], limits=_limits)
server = MCPServer("Hoursmith", log_level="WARNING")


@server.tool()
async def get_client(id: UUID, ctx: Context) -> dict[str, Any]:
    """One client."""
    authorization = (ctx.headers or {})["authorization"]
    response = await _client.get(f"/clients/{id}", headers={"Authorization": authorization})
    response.raise_for_status()
    return response.json()


app = server.streamable_http_app(json_response=True, stateless_http=True)
