"""Serve MCP over Streamable HTTP: the ASGI endpoint, request limits, headers and client addresses."""
