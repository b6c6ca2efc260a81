"""The Streamable HTTP transport: the ASGI endpoint, request limits, headers, client addresses."""
