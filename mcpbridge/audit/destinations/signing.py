"""Sign webhook requests by the Standard Webhooks specification, so that existing libraries verify them.

The signature is base64 of HMAC-SHA256 over `id.timestamp.body`. `webhook-id` is the same for every retry of a batch,
so a receiver that has stored it may answer at once.
"""

import base64
import hashlib
import hmac

from mcpbridge.audit.destinations.secret_box import secret_bytes


def signed_headers(*, secret: str, message_id: str, timestamp: int, body: bytes) -> dict[str, str]:
    """Return the three headers of a signed message; `timestamp` is in seconds since 1970."""
    signed = f"{message_id}.{timestamp}.".encode() + body
    signature = base64.b64encode(hmac.digest(secret_bytes(secret), signed, hashlib.sha256)).decode()
    return {"webhook-id": message_id, "webhook-timestamp": str(timestamp), "webhook-signature": f"v1,{signature}"}
