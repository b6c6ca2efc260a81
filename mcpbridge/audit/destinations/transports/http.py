"""Exchange one HTTP request and response over a checked connection with one deadline.

httpcore speaks HTTP over a socket that is made here, so that no pool, proxy, redirect or second DNS lookup can lead
the request elsewhere.
"""

from collections.abc import Iterable, Mapping
from dataclasses import dataclass

import httpcore

from mcpbridge import __version__
from mcpbridge.audit.destinations.errors import UndeliveredError
from mcpbridge.audit.destinations.targets import Target
from mcpbridge.audit.destinations.transports.deadline_socket import DeadlineSocket

LARGEST_ANSWER = 64 * 1024
_AGENT = f"hoursmith-console/{__version__}"
_INCOMPLETE = (
    "The receiver did not send a complete HTTP response. Check that the address belongs to a working web server."
)


@dataclass(frozen=True, slots=True)
class HttpAnswer:
    """A complete response; `body` is cut at 64 KiB."""

    status: int
    headers: list[tuple[bytes, bytes]]
    body: bytes

    def header(self, name: str) -> str | None:
        """Return the first value of a header; None if it is missing."""
        wanted = name.lower().encode()
        return next((value.decode("latin-1") for key, value in self.headers if key.lower() == wanted), None)


def exchange(
    method: str, target: Target, *, headers: Mapping[str, str], body: bytes = b"", limit_s: float
) -> HttpAnswer:
    """Send a request to `target` and return the response, of any status.

    Raises UndeliveredError, and RefusedTargetError if the address must not be called.
    """
    headers = {
        "Host": _host(target),
        "Content-Length": str(len(body)),
        "User-Agent": _AGENT,
        "Accept": "*/*",
        **headers,
        "Connection": "close",
    }
    url = httpcore.URL(
        scheme="https" if target.is_tls else "http",
        host=target.host,
        port=target.port,
        target=target.path or "/",
    )
    with DeadlineSocket(target, limit_s=limit_s) as connection:
        client = httpcore.HTTP11Connection(url.origin, _Stream(connection))
        try:
            with client.stream(method, url, headers=[*headers.items()], content=body) as answer:
                received = _received(answer.iter_stream())
        except httpcore.ProtocolError:
            # What came instead is not shown: it may be the banner of another service.
            raise UndeliveredError(_INCOMPLETE) from None
    return HttpAnswer(answer.status, answer.headers, received)


class _Stream(httpcore.NetworkStream):
    """Adapt DeadlineSocket to httpcore; its one deadline replaces httpcore's timeouts."""

    def __init__(self, connection: DeadlineSocket) -> None:
        self._connection = connection

    def read(self, max_bytes: int, timeout: float | None = None) -> bytes:
        return self._connection.receive(max_bytes)

    def write(self, buffer: bytes, timeout: float | None = None) -> None:
        try:
            self._connection.sendall(buffer)
        except UndeliveredError as error:
            # A receiver may answer early and close; httpcore reads the response after this error.
            raise httpcore.WriteError(str(error)) from error

    def close(self) -> None:
        """Do nothing: the `with` block closes the DeadlineSocket."""


def _host(target: Target) -> str:
    host = f"[{target.host}]" if ":" in target.host else target.host
    return host if target.port == (443 if target.is_tls else 80) else f"{host}:{target.port}"


def _received(parts: Iterable[bytes]) -> bytes:
    """Return the body, read to its end or to the limit, so that an interrupted response counts for nothing."""
    body = bytearray()
    for part in parts:
        body += part
        if len(body) >= LARGEST_ANSWER:
            break
    return bytes(body[:LARGEST_ANSWER])
