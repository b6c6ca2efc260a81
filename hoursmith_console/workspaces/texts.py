"""Makes names from outside fit for a column, a page title and a mail header."""

import unicodedata
from typing import Any

from mcpbridge.recording import storable
from mcpbridge.redaction import redact


def one_line(text: Any, limit: int) -> str:
    """Return `text` as one line without control characters, at most `limit` characters; empty where it is no text.

    A line break in a mail header begins another header (RFC 5322, 2.2); PostgreSQL refuses NUL and texts that are
    too long.
    """
    if not isinstance(text, str):
        return ""
    shown = "".join(" " if _breaks(letter) else letter for letter in text[: 4 * limit])
    return storable(" ".join(shown.split()), limit).strip()


def is_storable(text: str, limit: int) -> bool:
    """Return whether `text` can be kept as it is: what is masked or cut could be taken for another's."""
    return 0 < len(text) <= limit and text.isprintable() and redact(text) == text


def _breaks(letter: str) -> bool:
    """Return whether `letter` is a control character, a line or paragraph separator, or turns the text around it."""
    return unicodedata.category(letter) in ("Cc", "Zl", "Zp") or unicodedata.bidirectional(letter) in _TURNING


_TURNING = ("LRE", "RLE", "LRO", "RLO", "PDF", "LRI", "RLI", "FSI", "PDI")
