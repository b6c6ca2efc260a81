"""Turns a record or arguments, as JSON holds them, into labelled fields that a person can read."""

import re
from collections.abc import Mapping
from dataclasses import dataclass, field
from datetime import datetime
from typing import Any

from mcpbridge.redaction.visible_text import marked

_BORDERS = re.compile(r"_+|(?<=[^\W\d_A-Z])(?=[A-Z])|(?<=[^\W\d_])(?=\d)")
_ID = re.compile(r"[0-9a-f]{8}-[0-9a-f]{4}-[0-9a-f]{4}-[0-9a-f]{4}-[0-9a-f]{12}", re.IGNORECASE)
_INSTANT = re.compile(r"\d{4}-\d\d-\d\dT\d\d:\d\d")
DEEPEST = 4


@dataclass(frozen=True, slots=True)
class Field:
    """One labelled value. `kind` says how it is shown: text, number, id, instant, group (of `parts`)."""

    label: str
    kind: str
    value: Any = None
    parts: "list[Field]" = field(default_factory=list)


@dataclass(frozen=True, slots=True)
class Fields:
    """The fields that hold something, and the names of those that do not."""

    filled: list[Field]
    empty: list[str]


def labelled(record: Any) -> Fields:
    """The fields of `record`; what is no object becomes a single field."""
    content = record
    if isinstance(record, Mapping) and set(record) == {"data"}:
        content = record["data"]
    if not isinstance(content, Mapping):
        content = {} if content in (None, "", []) else {"value": content}
    filled = [_field(label_of(str(key)), str(key), value, 0) for key, value in content.items() if not _is_empty(value)]
    return Fields(filled, [label_of(str(key)) for key, value in content.items() if _is_empty(value)])


def label_of(key: str) -> str:
    """`key` as a label: `billingLine1` becomes "Billing line 1"."""
    words = [word if word.isupper() and len(word) > 1 else word.lower() for word in _BORDERS.split(key)]
    text = marked(" ".join(words).strip() or key)
    return text[:1].upper() + text[1:]


def _is_empty(value: Any) -> bool:
    return value is None or value in ("", [], {})


def _field(label: str, key: str, value: Any, depth: int) -> Field:
    if isinstance(value, bool):
        return Field(label, "text", "yes" if value else "no")
    if isinstance(value, int | float):
        return _number(label, key, value)
    if isinstance(value, Mapping) and depth < DEEPEST:
        parts = [_field(label_of(str(name)), str(name), item, depth + 1) for name, item in value.items()]
        return Field(label, "group", parts=parts)
    if isinstance(value, list) and depth < DEEPEST:
        if all(isinstance(item, str | int | float) and not _ID.fullmatch(str(item)) for item in value):
            return Field(label, "text", marked(", ".join(str(item) for item in value)))
        parts = [_field(str(place), "", item, depth + 1) for place, item in enumerate(value, start=1)]
        return Field(label, "group", parts=parts)
    return _text(label, "" if value is None else marked(str(value)))


def _number(label: str, key: str, value: float) -> Field:
    if key.endswith("Seconds") and isinstance(value, int) and value >= 0:
        hours, minutes = divmod(value // 60, 60)
        label = label.removesuffix(" seconds")
        return Field(label, "text", f"{hours} h {minutes:02} min" if hours else f"{minutes} min {value % 60:02} s")
    return Field(label, "number", value)


def _text(label: str, text: str) -> Field:
    if _ID.fullmatch(text):
        return Field(label, "id", text)
    if _INSTANT.match(text):
        try:
            return Field(label, "instant", datetime.fromisoformat(text))
        except ValueError:
            return Field(label, "text", text)
    return Field(label, "text", text)
