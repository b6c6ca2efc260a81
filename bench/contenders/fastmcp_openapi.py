"""FastMCP's OpenAPI server with one tool: what a team would write in ten lines to put MCP before its REST API.

It forwards the caller's Authorization header and records nothing. Stateless and answering in JSON, which suits
it best and is what the bridge does.
"""

import os
from collections.abc import Generator

import httpx2
from fastmcp import FastMCP
from fastmcp.server.dependencies import get_http_headers

_SPECIFICATION = {
    "openapi": "3.1.0",
    "info": {"title": "Hoursmith", "version": "1"},
    "paths": {
        "/clients/{id}": {
            "get": {
                "operationId": "get_client",
                "summary": "One client.",
                "parameters": [
                    {"name": "id", "in": "path", "required": True, "schema": {"type": "string", "format": "uuid"}}
                ],
                "responses": {
                    "200": {
                        "description": "The client.",
                        "content": {
                            "application/json": {
                                "schema": {"type": "object", "properties": {"data": {"type": "object"}}}
                            }
                        },
                    }
                },
            }
        }
    },
}


class _CallersOwnToken(httpx2.Auth):
    """Forwards the Authorization header of the current request, which FastMCP does not do."""

    def auth_flow(self, request: httpx2.Request) -> Generator[httpx2.Request, httpx2.Response, None]:
        request.headers["authorization"] = get_http_headers(include={"authorization"})["authorization"]
        yield request


_limits = httpx2.Limits(max_connections=256, max_keepalive_connections=256, keepalive_expiry=60)
_client = httpx2.AsyncClient(base_url=os.environ["BENCH_UPSTREAM_URL"], auth=_CallersOwnToken(), limits=_limits)
app = FastMCP.from_openapi(_SPECIFICATION, client=_client).http_app(
    path="/mcp", json_response=True, stateless_http=True
)
