"""The last line of defence: whatever is about to be written down loses its token secrets first.

Nothing in the bridge hands a token to a log or a record on purpose. This catches what comes in by another
way: a token pasted into a time entry's note, a header in a library's debug line, an exception's text.
"""

import re
from typing import Any

_TOKEN = re.compile(r"hsk_(?:(live|test)_([0-9A-Za-z]{12})(?=_))?[^\s\"'<>,;&]*", re.IGNORECASE)
_BEARER = re.compile(r"(?i)(bearer['\"]?[\s:=]+['\"]?)(?!hsk_)[^\s'\",]{8,}")
MASK = "••••"


def redact(text: str) -> str:
    """`text` with every token reduced to its public prefix, and any other bearer credential masked."""
    lowered = text.lower()
    if "hsk_" in lowered:
        # Only a whole prefix with its underscore is known to be public; of anything else nothing is kept.
        text = _TOKEN.sub(lambda match: f"hsk_{match[1]}_{match[2]}_{MASK}" if match[2] else f"hsk_{MASK}", text)
    if "bearer" in lowered:
        text = _BEARER.sub(lambda match: f"{match[1]}{MASK}", text)
    return text


def redact_value(value: Any) -> Any:
    """`redact` for every string, keys included, in a value made of JSON's types."""
    if isinstance(value, str):
        return redact(value)
    if isinstance(value, dict):
        return {redact(str(key)): redact_value(item) for key, item in value.items()}
    if isinstance(value, list):
        return [redact_value(item) for item in value]
    return value
