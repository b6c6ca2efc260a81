"""Client of Hoursmith's REST API: `client` sends a tool's request, over HTTP (`http`) or ASGI (`asgi`)."""

from mcpbridge.upstream.client import Upstream
from mcpbridge.upstream.errors import (
    UpstreamDroppedError,
    UpstreamError,
    UpstreamMalformedError,
    UpstreamRedirectError,
    UpstreamResponseError,
    UpstreamTimeoutError,
    UpstreamTooLargeError,
    UpstreamUnreachableError,
)
from mcpbridge.upstream.response import MAX_RESPONSE_BYTES, ApiResponse

__all__ = [
    "MAX_RESPONSE_BYTES",
    "ApiResponse",
    "Upstream",
    "UpstreamDroppedError",
    "UpstreamError",
    "UpstreamMalformedError",
    "UpstreamRedirectError",
    "UpstreamResponseError",
    "UpstreamTimeoutError",
    "UpstreamTooLargeError",
    "UpstreamUnreachableError",
]
