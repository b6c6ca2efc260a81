"""Posts records to a webhook: JSON Lines, signed, confirmed by any 2xx."""

import http.client
from datetime import UTC, datetime, timedelta
from email.message import Message
from email.utils import parsedate_to_datetime

from mcpbridge.sinks.destinations import webhook_destination
from mcpbridge.sinks.faults import TooLargeError, UndeliveredError
from mcpbridge.sinks.signing import signed_headers
from mcpbridge.sinks.wire import Connection

CONTENT_TYPE = "application/x-ndjson"
_AGENT = "Hoursmith-Console/1"
_LARGEST_ANSWER = 64 * 1024


def webhook_post(address: str, body: bytes, *, secret: str, message_id: str, now: datetime, limit_s: float) -> None:
    """Return once the receiver has confirmed `body`.

    Raises UndeliveredError where it did not, and RefusedDestinationError where it must not even be asked.
    """
    destination = webhook_destination(address)
    signature = signed_headers(secret=secret, message_id=message_id, timestamp=int(now.timestamp()), body=body)
    headers = {
        "Content-Type": CONTENT_TYPE,
        "User-Agent": _AGENT,
        "Accept": "*/*",
        "Idempotency-Key": message_id,
        **signature,
        "Connection": "close",
    }
    with Connection(destination, limit_s=limit_s) as connection:
        # It is used for what it writes and reads alone: it never connects by itself.
        speaker = http.client.HTTPConnection(destination.host, destination.port)
        speaker.default_port = 443 if destination.is_tls else 80
        speaker.sock = connection
        try:
            speaker.request("POST", destination.path or "/", body, headers)
            answer = speaker.getresponse()
            if connection.has_ended:
                # `http.client` takes an end in the middle of the headers for the end of the headers.
                raise http.client.IncompleteRead(b"")
            # Read, so that one who dies in the middle of it has confirmed nothing; what it says does not matter.
            said = answer.read(_LARGEST_ANSWER)
            if answer.length and len(said) < _LARGEST_ANSWER:
                raise http.client.IncompleteRead(said, answer.length)
        except http.client.HTTPException as error:
            raise UndeliveredError(f"The receiver's answer is no whole HTTP answer ({type(error).__name__}).") from None
    _judge(answer.status, answer.headers, now)


def _judge(status: int, headers: Message, now: datetime) -> None:
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
    raise UndeliveredError(f"{text}.", not_before=_retry_after(headers.get("Retry-After", ""), now))


def _retry_after(said: str, now: datetime) -> datetime | None:
    """When to ask again, from seconds or a date (RFC 9110 10.2.3); None where it does not say."""
    said = said.strip()
    try:
        if said.isascii() and said.isdigit():
            return now + timedelta(seconds=min(int(said), 10**6))
        at = parsedate_to_datetime(said)
    except (ValueError, OverflowError):
        return None
    return at if at.tzinfo else at.replace(tzinfo=UTC)
