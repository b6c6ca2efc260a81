"""Sanitize what callers send before it is stored: mask token secrets, shorten, and drop what a database refuses.

Arguments come from an assistant and can be any JSON: megabytes, a thousand levels deep, with NUL characters that
PostgreSQL refuses. The result always fits its column, and the cost depends on what is kept, not on what was sent.
"""

import json
import math
import re
from dataclasses import dataclass
from operator import gt
from typing import Any

from django.db.models import CharField

from mcpbridge.core.types import Call
from mcpbridge.models import CallFacts, ToolCall
from mcpbridge.redaction.masking import MASK, cut, redact, redact_visible
from mcpbridge.redaction.visible_text import is_plain

# Neither NUL nor half a surrogate pair can be stored: PostgreSQL refuses the one, UTF-8 the other.
_UNSTORABLE = re.compile("[\x00\ud800-\udfff]")
_LEFT_OUT = "…"
# What stands for the rest of a list, or at the end of a text.
_COUNTED = re.compile(r"… [0-9,]+ more")
_SHORTENED = re.compile(r"… \([0-9,]+ characters\)$")
_LARGEST_WHOLE = 2**53 - 1
_LEAST_FRACTION = 1e-4
NOT_RECORDED = "(not recorded)"


@dataclass(frozen=True, slots=True)
class _Limits:
    """Limits: `size` in bytes of stored JSON, `text` in characters, `items` per list or object."""

    size: int
    text: int
    items: int
    depth: int


ARGUMENT_LIMITS = _Limits(size=16 * 1024, text=200, items=50, depth=8)
SNAPSHOT_LIMITS = _Limits(size=256 * 1024, text=64 * 1024, items=1_000, depth=16)


def sanitize_arguments(arguments: dict[str, Any], policy: str) -> dict[str, Any]:
    """Return `arguments` fit to be stored; `policy` is `full`, `names` (no values) or `none`."""
    if policy == "none":
        return {}
    if policy == "names":
        arguments = dict.fromkeys(arguments, NOT_RECORDED)
    if _is_fine(arguments, ARGUMENT_LIMITS):
        return dict(arguments)
    shortened = _Shortener(ARGUMENT_LIMITS).value(arguments)
    return shortened if isinstance(shortened, dict) else {}


def sanitize_snapshot(record: Any) -> Any:
    """Return a Hoursmith record fit to be stored: whole, unless it exceeds SNAPSHOT_LIMITS."""
    return dict(record) if _is_fine(record, SNAPSHOT_LIMITS) else _Shortener(SNAPSHOT_LIMITS).value(record)


def _is_fine(value: Any, limits: _Limits) -> bool:
    """Return whether `value` can be stored unchanged: a flat object of short texts, as nearly all are."""
    if type(value) is not dict or len(value) > limits.items:
        return False
    texts = [*value]
    for each in value.values():
        if type(each) is str:
            texts.append(each)
        elif not (each is None or type(each) is bool or (type(each) is int and abs(each) <= _LARGEST_WHOLE)):
            return False
    # A character is at most twelve in JSON.
    room = limits.size // 16
    if not all(type(text) is str and len(text) <= limits.text for text in texts) or sum(map(len, texts)) > room:
        return False
    # One check of all texts together, as for the columns below.
    together = " ".join(texts)
    return redact(together) == together and not _UNSTORABLE.search(together)


def sanitize_text(text: str, limit: int) -> str:
    """Return `text` fit for a column: no token secret, nothing hidden, at most `limit` characters."""
    if not text:
        return text
    # Masking shortens texts; four times the limit is enough, and skips the rest of a huge text.
    return cut(redact_visible(text[: 4 * limit + 256]), limit)


_SHARED = {column.name for column in CallFacts._meta.get_fields()}
_TEXT_LIMITS = {
    column.name: int(column.max_length or 0)
    for column in ToolCall._meta.get_fields()
    if isinstance(column, CharField) and column.name in _SHARED
}


def sanitized_columns(call: Call) -> dict[str, Any]:
    """Return the columns of `call` for an audit or activity row, each text fit for its column."""
    if call.stored is None:
        call.stored = _columns(call)
    return dict(call.stored)


def _columns(call: Call) -> dict[str, Any]:
    columns = call.columns()
    columns["kind"] = call.kind.value
    texts = [columns[name] for name in _TEXT_LIMITS]
    # Nearly always all are fine, and one check of all together costs a tenth of twenty checks.
    together = " ".join(texts)
    is_fine = redact(together) == together and is_plain(together)
    if not is_fine or any(map(gt, map(len, texts), _TEXT_LIMITS.values())):
        for name, limit in _TEXT_LIMITS.items():
            columns[name] = sanitize_text(columns[name], limit)
    return columns


def canonical_number(number: float) -> float | str:
    """Return `number` as the audit chain can hash it, or a text in its place.

    Every database and every JSON library must give back the same digits years later: whole numbers up to
    2^53, and fractions that all of them print alike (RFC 8785 section 3.2.2.3).
    """
    if isinstance(number, float):
        if not math.isfinite(number):
            return str(number)
        if not number.is_integer():
            return number if abs(number) >= _LEAST_FRACTION else repr(number)
        number = int(number)
    if number.bit_length() > 128:
        return "(a very large number)"
    return number if abs(number) <= _LARGEST_WHOLE else str(number)


def why_incomplete(value: Any) -> str:
    """Return why a value of a stored snapshot is not what Hoursmith sent, as a clause; empty if it is whole.

    A value that only looks like an omission counts as one, because the two cannot be told apart.
    """
    if isinstance(value, dict):
        return next(filter(None, map(why_incomplete, [*value, *value.values()])), "")
    if isinstance(value, list):
        return next(filter(None, map(why_incomplete, value)), "")
    if not isinstance(value, str):
        return ""
    if value == _LEFT_OUT or _COUNTED.fullmatch(value):
        return "left out of the snapshot, because the record was too large"
    if len(value) >= SNAPSHOT_LIMITS.text and _SHORTENED.search(value):
        return "shortened in the snapshot, because it was too long"
    if MASK in value:
        return "masked in the snapshot, because it held a token"
    return "changed in the snapshot, because it held characters that cannot be stored" if "\ufffd" in value else ""


class _Shortener:
    """Copies one JSON value within its limits. `room` is the number of bytes left."""

    def __init__(self, limits: _Limits) -> None:
        self._limits = limits
        # Reserved for the marks of omissions, at most one per level.
        self.room = limits.size - 64 * limits.depth

    def value(self, value: Any, depth: int = 0) -> Any:
        if isinstance(value, str):
            return self._text(value)
        if value is None or isinstance(value, bool):
            self.room -= 7
            return value
        if isinstance(value, int | float):
            return self._number(value)
        if depth >= self._limits.depth or self.room <= 0:
            self.room -= 10
            return _LEFT_OUT
        if isinstance(value, dict):
            return self._object(value, depth)
        if isinstance(value, list | tuple):
            return self._list(value, depth)
        return self._text(str(value))

    def _text(self, text: str) -> str:
        limit = self._limits.text
        # Hidden characters stay in the stored value; pages mark them.
        kept = cut(_UNSTORABLE.sub("\ufffd", redact(text[: 4 * limit + 256])), limit)
        if len(text) > limit:
            note = f"… ({len(text):,} characters)"
            kept = cut(kept, limit - len(note)) + note
        cost = len(json.dumps(kept)) + 2
        if cost > self.room:
            self.room -= 10
            return _LEFT_OUT
        self.room -= cost
        return kept

    def _number(self, number: float) -> Any:
        kept = canonical_number(number)
        if isinstance(kept, str):
            return self._text(kept)
        self.room -= len(str(kept)) + 2
        return kept

    def _object(self, value: dict[Any, Any], depth: int) -> dict[str, Any]:
        self.room -= 4
        kept: dict[str, Any] = {}
        for index, (key, item) in enumerate(value.items()):
            if index >= self._limits.items or self.room <= 0:
                kept[_LEFT_OUT] = f"{len(value) - index:,} more"
                break
            name = self._text(str(key))
            kept[name] = self.value(item, depth + 1)
        return kept

    def _list(self, value: list[Any] | tuple[Any, ...], depth: int) -> list[Any]:
        self.room -= 4
        kept: list[Any] = []
        for index, item in enumerate(value):
            if index >= self._limits.items or self.room <= 0:
                kept.append(f"… {len(value) - index:,} more")
                break
            kept.append(self.value(item, depth + 1))
        return kept
