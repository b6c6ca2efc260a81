"""Mask the secrets of tokens in whatever is about to be written down.

Nothing hands a token to a log or a record on purpose. This catches what comes in by another way: a token pasted into
a time entry's note, a header in a library's debug line, an exception's text.

What survives: the public prefix, and nothing else. A prefix is exactly 12 letters or digits behind `hsk_live_` or
`hsk_test_`.

- Alone, it stays as it is: `hsk_live_4f8a2c1bdedf`, also at the end of a sentence.
- With `_` and anything behind it, it becomes `hsk_live_4f8a2c1bdedf_••••`. The mask covers all that follows without a
  space, and goes on over spaces and line breaks until 32 letters and digits are gone, for a secret may be split.
- With anything else right behind it, nothing is kept: nobody knows then where the public part ended.
- A beginning that names no token stays: `hsk_`, `hsk_live_`, `hsk_live_…`.

Masking twice is masking once, so that every layer may mask.
"""

import re
from collections.abc import Iterator
from typing import Any

from mcpbridge.redaction.patterns import is_suspect, tokens_in

MASK = "••••"
# What stands on both sides of a mask may belong together once more.
_ROUNDS = 4
_TOKEN = re.compile(
    r"hsk[_\-](?:(?P<env>live|test)[_\-](?P<prefix>[0-9A-Za-z]{12})(?![0-9A-Za-z]))?(?P<rest>[^\s\"'<>,;&]*)",
    re.IGNORECASE | re.ASCII,
)
_REST = re.compile(r"[^\s\"'<>,;&]*")
_BEGINNING = re.compile(r"(?:live|test)?[^0-9A-Za-z]*", re.IGNORECASE | re.ASCII)
# The underscore was lost, or turned into a space: the secret alone behind its prefix.
_LOOSE = re.compile(
    r"(?P<public>hsk_(?:live|test)_[0-9A-Za-z]{12})[\s:|=]{1,4}[0-9A-Za-z]{32}(?![0-9A-Za-z])", re.IGNORECASE | re.ASCII
)
_PASTED = re.compile(r"(?<![0-9A-Za-z_\-])(?:hsk[_\-]|bearer)", re.IGNORECASE | re.ASCII)
# Longer words behind “bearer” are words, unless they have a digit in them or are far too long.
_BEARER = re.compile(
    r"(?P<said>bearer['\"]?(?:%20|[\s:=+])++['\"]?)(?!hsk[_\-])(?=[^\s'\",]{20}|[^\s'\",0-9]{0,19}[0-9])[^\s'\",]{8,}+",
    re.IGNORECASE,
)


def redact(text: str) -> str:
    """Return `text` with every token reduced to its public prefix, and any other bearer credential masked."""
    if not is_suspect(text):
        return text
    for _ in range(_ROUNDS):
        before = text
        text = "".join(_without_wrapped(text))
        text = _LOOSE.sub(rf"\g<public>_{MASK}", text)
        text = _TOKEN.sub(_masked, text)
        text = _BEARER.sub(rf"\g<said>{MASK}", text)
        if text == before:
            break
    return text


def redact_pasted(text: str) -> str:
    """`redact` for what may also be random, such as a code in an address: only what begins like a token is masked."""
    kept = redact(text)
    return kept if kept != text and (_PASTED.search(text) or any(tokens_in(text))) else text


def cut(text: str, limit: int) -> str:
    """Return `text`, which is masked already, cut to `limit` characters so that masking it again changes nothing."""
    return text if len(text) <= limit else redact(text[:limit])[:limit]


def redact_value(value: Any) -> Any:
    """`redact` for every string, keys included, in a value made of JSON's types."""
    if isinstance(value, str):
        return redact(value)
    if isinstance(value, dict):
        return {redact(str(key)): redact_value(item) for key, item in value.items()}
    if isinstance(value, list | tuple):
        return [redact_value(item) for item in value]
    return value


def _without_wrapped(text: str) -> Iterator[str]:
    """Yield `text` in parts, with every token masked that is recognised as a whole, however it is wrapped."""
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
