"""Mask token secrets in text that is about to be stored or logged.

No code logs or stores a token on purpose. This catches accidents: a token pasted into the note of a time entry, a
header in a library's debug line, the text of an exception.

Only the token prefix is kept: exactly 12 letters or digits after `hsk_live_` or `hsk_test_`.

- A prefix alone is kept: `hsk_live_4f8a2c1bdedf`, also at the end of a sentence.
- With `_` and more after it, it becomes `hsk_live_4f8a2c1bdedf_••••`. The mask covers everything up to the next space,
  and continues over spaces and line breaks until 32 letters and digits are masked, because a secret may be split.
- With anything else directly after it, nothing is kept, because the end of the prefix is unknown.
- Of an envelope, only its kind is kept: `hse_a1_••••`.
- An incomplete beginning is kept: `hsk_`, `hsk_live_`, `hsk_live_…`.

Masking is idempotent, so every layer may mask.
"""

import re
from collections.abc import Iterator
from typing import Any

from mcpbridge.redaction.patterns import ENVELOPE, is_suspect, tokens_in
from mcpbridge.redaction.visible_text import is_plain, marked

MASK = "••••"
# After masking, the texts before and after a mask may form another token.
_ROUNDS = 4
_TOKEN = re.compile(
    r"hsk[_\-](?:(?P<env>live|test)[_\-](?P<prefix>[0-9A-Za-z]{12})(?![0-9A-Za-z]))?(?P<rest>[^\s\"'<>,;&]*)",
    re.IGNORECASE | re.ASCII,
)
_REST = re.compile(r"[^\s\"'<>,;&]*")
_BEGINNING = re.compile(r"(?:live|test)?[^0-9A-Za-z]*", re.IGNORECASE | re.ASCII)
# The underscore was lost or turned into a space.
_LOOSE = re.compile(
    r"(?P<public>hsk_(?:live|test)_[0-9A-Za-z]{12})[\s:|=]{1,4}[0-9A-Za-z]{32}(?![0-9A-Za-z])", re.IGNORECASE | re.ASCII
)
_PASTED = re.compile(r"(?<![0-9A-Za-z_\-])(?:hsk[_\-]|hse_|bearer)", re.IGNORECASE | re.ASCII)
# Words after “bearer” are ordinary words unless they contain a digit or are very long.
_BEARER = re.compile(
    r"(?P<said>bearer['\"]?(?:%20|[\s:=+])++['\"]?)(?!hsk[_\-]|hse_[a-z][0-9]_•)"
    r"(?=[^\s'\",]{20}|[^\s'\",0-9]{0,19}[0-9])[^\s'\",]{8,}+",
    re.IGNORECASE,
)


def redact(text: str) -> str:
    """Return `text` with every token reduced to its public prefix, and any other bearer credential masked."""
    if not is_suspect(text):
        return text
    for _ in range(_ROUNDS):
        before = text
        text = ENVELOPE.sub(rf"\g<kind>{MASK}", text)
        text = "".join(_mask_encoded(text))
        text = _LOOSE.sub(rf"\g<public>_{MASK}", text)
        text = _TOKEN.sub(_masked, text)
        text = _BEARER.sub(rf"\g<said>{MASK}", text)
        if text == before:
            break
    return text


def redact_visible(text: str) -> str:
    """Mask like `redact`, and mark hidden characters, so that doing both again changes nothing.

    Some hidden characters are white space, which ends what a mask covers, and their mark is not: so what is marked is
    masked again.
    """
    kept = redact(text)
    return kept if is_plain(kept) else redact(marked(kept))


def redact_pasted(text: str) -> str:
    """Mask like `redact`, but keep random values, such as a code in a URL: mask only what begins like a token."""
    kept = redact(text)
    return kept if kept != text and (_PASTED.search(text) or any(tokens_in(text))) else text


def cut(text: str, limit: int) -> str:
    """Return `text`, which is masked already, cut to `limit` characters so that masking it again changes nothing."""
    return text if len(text) <= limit else redact(text[:limit])[:limit]


def redact_value(value: Any) -> Any:
    """Mask every string, keys included, in a value of JSON types."""
    if isinstance(value, str):
        return redact(value)
    if isinstance(value, dict):
        return {redact(str(key)): redact_value(item) for key, item in value.items()}
    if isinstance(value, list | tuple):
        return [redact_value(item) for item in value]
    return value


def _mask_encoded(text: str) -> Iterator[str]:
    """Yield `text` in parts, with every complete token masked, however it is encoded."""
    done = 0
    for found in tokens_in(text):
        rest = _REST.match(text, found.end)
        end = rest.end() if rest and not found.is_encoded else found.end
        if found.start >= done:
            yield text[done : found.start]
            yield MASK if found.is_encoded else f"hsk_{found.env.lower()}_{found.prefix}_{MASK}"
        done = max(done, end)
    yield text[done:]


def _masked(match: re.Match[str]) -> str:
    prefix, rest = match["prefix"], match["rest"]
    if prefix:
        if not any(map(str.isalnum, rest)):
            return match[0]
        return f"hsk_{match['env'].lower()}_{prefix}_{MASK}" if rest[0] == "_" else f"hsk_{MASK}"
    return match[0] if _BEGINNING.fullmatch(rest) else f"hsk_{MASK}"
