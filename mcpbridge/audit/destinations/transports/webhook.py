"""Post records to a webhook as signed JSON Lines; any 2xx acknowledges them."""

from collections.abc import Mapping
from datetime import UTC, datetime, timedelta
from email.utils import parsedate_to_datetime

from mcpbridge.audit.destinations.errors import TooLargeError, UndeliveredError
from mcpbridge.audit.destinations.signing import signed_headers
from mcpbridge.audit.destinations.targets import Target, webhook_target
from mcpbridge.audit.destinations.transports.http import HttpAnswer, exchange

CONTENT_TYPE = "application/x-ndjson"


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
    _check_status(exchange("POST", target, headers=headers, body=body, limit_s=limit_s), now)


def _check_status(answer: HttpAnswer, now: datetime) -> None:
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
    retry_after = answer.header("retry-after")
    not_before = None if retry_after is None else _retry_after(retry_after, now)
    raise UndeliveredError(f"{text}.", not_before=not_before)


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
