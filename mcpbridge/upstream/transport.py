"""The transport protocol that the network and ASGI clients share, with their common headers and timeouts."""

from collections.abc import Mapping
from typing import Protocol

from mcpbridge import __version__
from mcpbridge.upstream.response import RawResponse

CONNECT_TIMEOUT_S = 5.0
# All that is sent besides the caller's token and the headers of a body: no header of the client is forwarded.
HEADERS = {
    "Accept": "application/json",
    "Accept-Encoding": "identity",
    "User-Agent": f"hoursmith-console/{__version__}",
}


class UpstreamTransport(Protocol):
    """Sends requests to one origin: no redirects, no cookies, no retries."""

    async def exchange(self, method: str, target: str, headers: Mapping[str, str], body: bytes | None) -> RawResponse:
        """Send one request for `target`, a path with its query, and return the response; raise UpstreamError.

        The timeout covers the whole exchange, against a response that arrives byte by byte.
        """
        ...

    async def aclose(self) -> None: ...


def connect_timeout(timeout_s: float) -> float:
    """Return the timeout for connecting, in seconds: less than the total, so that nothing can have been sent."""
    return min(CONNECT_TIMEOUT_S, 0.8 * timeout_s)


def is_compressed(encoding: str | None) -> bool:
    """Return whether a body is compressed. Such bodies are not read: a small one may expand to gigabytes."""
    return encoding is not None and encoding.lower() != "identity"
