"""Posts records to a webhook: JSON Lines, signed, confirmed by any 2xx.

httpcore, which httpx stands on, speaks HTTP over a connection that is made here: no pool, proxy, redirect or second
look-up of the host can lead it elsewhere.
"""

from collections.abc import Iterable
from datetime import UTC, datetime, timedelta
from email.utils import parsedate_to_datetime

import httpcore

from mcpbridge import __version__
from mcpbridge.audit.destinations.errors import TooLargeError, UndeliveredError
from mcpbridge.audit.destinations.signing import signed_headers
from mcpbridge.audit.destinations.targets import Destination, webhook_destination
from mcpbridge.audit.destinations.transports.deadline_socket import Connection

CONTENT_TYPE = "application/x-ndjson"
_AGENT = f"hoursmith-console/{__version__}"
_LARGEST_ANSWER = 64 * 1024
_BROKEN = "The receiver's answer is no whole HTTP answer. See whether the address leads to a web server that works."


def webhook_post(address: str, body: bytes, *, secret: str, message_id: str, now: datetime, limit_s: float) -> None:
    """Return once the receiver has confirmed `body`.

    Raises UndeliveredError where it did not, and RefusedDestinationError where it must not even be asked.
    """
    destination = webhook_destination(address)
    signature = signed_headers(secret=secret, message_id=message_id, timestamp=int(now.timestamp()), body=body)
    headers = {
        "Host": _host(destination),
        "Content-Type": CONTENT_TYPE,
        "Content-Length": str(len(body)),
        "User-Agent": _AGENT,
        "Accept": "*/*",
        "Idempotency-Key": message_id,
        **signature,
        "Connection": "close",
    }
    url = httpcore.URL(
        scheme="https" if destination.is_tls else "http",
        host=destination.host,
        port=destination.port,
        target=destination.path or "/",
    )
    with Connection(destination, limit_s=limit_s) as connection:
        speaker = httpcore.HTTP11Connection(url.origin, _Stream(connection))
        try:
            with speaker.stream("POST", url, headers=[*headers.items()], content=body) as answer:
                _read(answer.iter_stream())
        except httpcore.ProtocolError:
            # What exactly came instead is not told: it may be the greeting of some other service.
            raise UndeliveredError(_BROKEN) from None
    _judge(answer, now)


class _Stream(httpcore.NetworkStream):
    """A connection as httpcore uses it. Its own time limits give way to the connection's one deadline."""

    def __init__(self, connection: Connection) -> None:
        self._connection = connection

    def read(self, max_bytes: int, timeout: float | None = None) -> bytes:
        return self._connection.receive(max_bytes)

    def write(self, buffer: bytes, timeout: float | None = None) -> None:
        try:
            self._connection.sendall(buffer)
        except UndeliveredError as error:
            # A receiver may answer before it has everything, and close: httpcore reads on after this error.
            raise httpcore.WriteError(str(error)) from error

    def close(self) -> None:
        """Leave it to `Connection`, which is closed at the end of its `with`."""


def _host(destination: Destination) -> str:
    host = f"[{destination.host}]" if ":" in destination.host else destination.host
    return host if destination.port == (443 if destination.is_tls else 80) else f"{host}:{destination.port}"


def _read(parts: Iterable[bytes]) -> None:
    """Read the body, so that a receiver that dies in the middle of it has confirmed nothing; its text is ignored."""
    size = 0
    for part in parts:
        size += len(part)
        if size >= _LARGEST_ANSWER:
            return


def _judge(answer: httpcore.Response, now: datetime) -> None:
    status = answer.status
    if 200 <= status < 300:
        return
    text = f"The receiver answered {status}"
    if status == 413:
        raise TooLargeError(f"{text}: it takes less at once.")
    if 300 <= status < 400:
        raise UndeliveredError(f"{text}, a redirection, which is not followed. Give the address that it leads to.")
    if status in (401, 403):
        text += ": it does not accept the signature, or lets nobody in"
    elif status in (404, 410):
        text += ": there is nothing at that address"
    wishes = [value for name, value in answer.headers if name.lower() == b"retry-after"]
    raise UndeliveredError(f"{text}.", not_before=_retry_after(wishes[0].decode("latin-1"), now) if wishes else None)


def _retry_after(said: str, now: datetime) -> datetime | None:
    """When to ask again, from seconds or a date (RFC 9110 10.2.3); None where it does not say."""
    said = said.strip()
    try:
        if said.isascii() and said.isdigit():
            return now + timedelta(seconds=min(int(said[:8]), 10**6))
        at = parsedate_to_datetime(said)
    except (ValueError, OverflowError):
        return None
    return at if at.tzinfo else at.replace(tzinfo=UTC)
