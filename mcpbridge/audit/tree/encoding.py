"""Read base64, hashes and numbers strictly: each value has one spelling."""

import base64
import binascii
import re

from mcpbridge.audit.tree.errors import FormatError
from mcpbridge.audit.tree.merkle import HASH_SIZE

_DECIMAL = re.compile(r"0|[1-9][0-9]{0,17}")
_HEX = re.compile(r"[0-9a-f]{64}")


def to_base64(data: bytes) -> str:
    """Return the padded standard base64 of `data` (RFC 4648, section 4)."""
    return base64.b64encode(data).decode("ascii")


def from_base64(text: str, *, size: int | None = None) -> bytes:
    """Return the bytes of canonical base64, exactly `size` if given. Raises FormatError."""
    try:
        data = base64.b64decode(text.encode("ascii"), validate=True)
    except (binascii.Error, UnicodeEncodeError):
        raise FormatError("it is not base64") from None
    if to_base64(data) != text:
        raise FormatError("its base64 is not canonical")
    if size is not None and len(data) != size:
        raise FormatError(f"it has {len(data)} bytes instead of {size}")
    return data


def hash_from_base64(text: str) -> bytes:
    """Return a hash of 32 bytes from canonical base64. Raises FormatError."""
    return from_base64(text, size=HASH_SIZE)


def hash_from_hex(text: object) -> bytes:
    """Return a hash of 32 bytes from 64 hexadecimal digits in lower case. Raises FormatError."""
    if not isinstance(text, str) or not _HEX.fullmatch(text):
        raise FormatError("it is not a hash of 64 hexadecimal digits")
    return bytes.fromhex(text)


def decimal(text: str) -> int:
    """Return a whole number of at most 18 digits, written without zeros in front. Raises FormatError."""
    if not _DECIMAL.fullmatch(text):
        raise FormatError("it is not a decimal number")
    return int(text)
