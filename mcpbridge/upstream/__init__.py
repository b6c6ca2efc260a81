"""The way to Hoursmith's REST API: `client` sends what a tool declares, over `network` or `in_process`."""

from mcpbridge.upstream.client import Upstream
from mcpbridge.upstream.errors import (
    UpstreamAnswerError,
    UpstreamDroppedError,
    UpstreamError,
    UpstreamMalformedError,
    UpstreamRedirectError,
    UpstreamTimeoutError,
    UpstreamTooLargeError,
    UpstreamUnreachableError,
)
from mcpbridge.upstream.response import MAX_ANSWER_BYTES, Reply

__all__ = [
    "MAX_ANSWER_BYTES",
    "Reply",
    "Upstream",
    "UpstreamAnswerError",
    "UpstreamDroppedError",
    "UpstreamError",
    "UpstreamMalformedError",
    "UpstreamRedirectError",
    "UpstreamTimeoutError",
    "UpstreamTooLargeError",
    "UpstreamUnreachableError",
]
