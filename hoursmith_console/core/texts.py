"""Makes names from outside fit for a column, a page title and a mail header."""

import unicodedata
from typing import Any

from mcpbridge.core.sanitize import sanitize_text
from mcpbridge.redaction.masking import redact

_BREAKS = ("Cc", "Zl", "Zp")


def one_line(text: Any, limit: int) -> str:
    """Return `text` as one line without control characters, at most `limit` characters; empty where it is no text.

    A line break in a mail header begins another header (RFC 5322, 2.2); PostgreSQL refuses NUL and texts that are
    too long.
    """
    if not isinstance(text, str):
        return ""
    # Line breaks part words; what else is hidden is marked by `storable`.
    parted = (" " if unicodedata.category(letter) in _BREAKS else letter for letter in text[: 4 * limit])
    return sanitize_text(" ".join("".join(parted).split()), limit).strip()


def is_storable(text: str, limit: int) -> bool:
    """Return whether `text` can be kept as it is: what is masked or cut could be taken for another's."""
    return 0 < len(text) <= limit and text.isprintable() and redact(text) == text
