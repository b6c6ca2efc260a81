"""Post records to a webhook as signed JSON Lines; any 2xx acknowledges them.

httpcore speaks HTTP over a socket that is made here, so that no pool, proxy, redirect or second DNS lookup can lead
the request elsewhere.
"""

from collections.abc import Iterable, Mapping
from datetime import UTC, datetime, timedelta
from email.utils import parsedate_to_datetime

import httpcore

from mcpbridge import __version__
from mcpbridge.audit.destinations.errors import TooLargeError, UndeliveredError
from mcpbridge.audit.destinations.signing import signed_headers
from mcpbridge.audit.destinations.targets import Target, webhook_target
from mcpbridge.audit.destinations.transports.deadline_socket import DeadlineSocket

CONTENT_TYPE = "application/x-ndjson"
_AGENT = f"hoursmith-console/{__version__}"
_LARGEST_ANSWER = 64 * 1024
_INCOMPLETE = (
    "The receiver did not send a complete HTTP response. Check that the address belongs to a working web server."
)


def post_webhook(address: str, body: bytes, *, secret: str, message_id: str, now: datetime, limit_s: float) -> None:
    """Post `body` and return once the receiver has acknowledged it.

    Raises UndeliveredError, and RefusedTargetError if the address must not be called.
    """
    signature = signed_headers(secret=secret, message_id=message_id, timestamp=int(now.timestamp()), body=body)
    headers = {"Content-Type": CONTENT_TYPE, "Idempotency-Key": message_id, **signature}
    post(webhook_target(address), body, headers, now=now, limit_s=limit_s)


def post(target: Target, body: bytes, headers: Mapping[str, str], *, now: datetime, limit_s: float) -> None:
    """Post `body` to `target` over a checked connection. Any 2xx is a success.

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
            with client.stream("POST", url, headers=[*headers.items()], content=body) as answer:
                _read(answer.iter_stream())
        except httpcore.ProtocolError:
            # What came instead is not shown: it may be the banner of another service.
            raise UndeliveredError(_INCOMPLETE) from None
    _check_status(answer, now)


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


def _read(parts: Iterable[bytes]) -> None:
    """Read and discard the body, so that an interrupted response acknowledges nothing."""
    size = 0
    for part in parts:
        size += len(part)
        if size >= _LARGEST_ANSWER:
            return


def _check_status(answer: httpcore.Response, now: datetime) -> None:
    status = answer.status
    if 200 <= status < 300:
        return
    text = f"The receiver answered {status}"
    if status == 413:
        raise TooLargeError(f"{text}: the batch is too large.")
    if 300 <= status < 400:
        raise UndeliveredError(f"{text}. Redirects are not followed: enter the address that it redirects to.")
    if status in (401, 403):
        text += ": it rejected the signature or denies access"
    elif status in (404, 410):
        text += ": no such page at this address"
    values = [value for name, value in answer.headers if name.lower() == b"retry-after"]
    raise UndeliveredError(f"{text}.", not_before=_retry_after(values[0].decode("latin-1"), now) if values else None)


def _retry_after(text: str, now: datetime) -> datetime | None:
    """Parse Retry-After, seconds or a date (RFC 9110 10.2.3); return None if it is invalid."""
    text = text.strip()
    try:
        if text.isascii() and text.isdigit():
            return now + timedelta(seconds=min(int(text[:8]), 10**6))
        at = parsedate_to_datetime(text)
    except (ValueError, OverflowError):
        return None
    return at if at.tzinfo else at.replace(tzinfo=UTC)
