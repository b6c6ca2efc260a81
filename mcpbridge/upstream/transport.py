"""How requests get to Hoursmith."""

from collections.abc import Mapping
from typing import Protocol

from mcpbridge import __version__
from mcpbridge.upstream.response import RawResponse

CONNECT_TIMEOUT_S = 5.0
# With the caller's token and what describes a body all that ever goes out: nothing that the client sent travels on.
HEADERS = {
    "Accept": "application/json",
    "Accept-Encoding": "identity",
    "User-Agent": f"hoursmith-console/{__version__}",
}


class UpstreamTransport(Protocol):
    """A way to one origin. It follows nothing, keeps nothing, and sends nothing twice."""

    async def exchange(self, method: str, target: str, headers: Mapping[str, str], body: bytes | None) -> RawResponse:
        """The answer to one request for `target`, a path with its query; raises UpstreamError.

        The time limit of a line is one of the whole exchange, against an answer that drips.
        """
        ...

    async def aclose(self) -> None: ...


def connect_timeout(timeout_s: float) -> float:
    """How long connecting may take, in seconds: less than all, so that it is known that nothing was sent."""
    return min(CONNECT_TIMEOUT_S, 0.8 * timeout_s)


def is_compressed(encoding: str | None) -> bool:
    """Whether a body is packed, though we ask for none: a small one may unpack to gigabytes, so it is left unread."""
    return encoding is not None and encoding.lower() != "identity"
