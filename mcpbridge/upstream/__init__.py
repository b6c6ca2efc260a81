"""The way to Hoursmith's REST API: `client` sends what a tool declares, over `network` or `in_process`."""

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
