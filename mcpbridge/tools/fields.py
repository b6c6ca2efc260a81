"""Argument types of tools: their JSON schema for models, and their validation.

Schemas use only the JSON Schema 2020-12 keywords that every model provider accepts. What a schema cannot express is a
separate check. An error text never repeats the value.

Source: the Hoursmith contract, sections 1 (ids, money, dates), 6 (idempotency) and 7 (lists).
"""

import contextlib
import re
from collections.abc import Callable, Iterable, Mapping
from dataclasses import dataclass, field, replace
from datetime import datetime
from decimal import Decimal
from typing import Any

import orjson

# Control characters other than tab and line breaks, and halves of UTF-16 pairs, which no JSON text can carry on.
_UNREADABLE = re.compile("[\x00-\x08\x0b\x0c\x0e-\x1f\x7f-\x9f\ud800-\udfff]")
_UNREADABLE_REASON = "must not hold control characters or broken Unicode"

_UUID = "^[0-9a-fA-F]{8}(-[0-9a-fA-F]{4}){3}-[0-9a-fA-F]{12}$"
_WHOLE = re.compile("-?[0-9]{1,18}")
_TRUTHS = {"true": True, "false": False}
_DATE = "^[0-9]{4}-[0-9]{2}-[0-9]{2}$"
# Only the format, since it is in the catalogue some fifty times; date and time are checked separately.
_INSTANT = "^[0-9]{4}-[0-9]{2}-[0-9]{2}T[0-9:.]{5,15}(Z|[+-][0-9]{2}:[0-9]{2})$"
_MOMENT = "^[0-9]{4}-[0-9]{2}-[0-9]{2}(T[0-9:.]{5,15}(Z|[+-][0-9]{2}:[0-9]{2}))?$"
_DURATION = "^([0-9]{1,4}:[0-5][0-9]|[0-9]{1,4}([.][0-9]{1,2})?h([0-9]{1,2}m)?|[0-9]{1,5}m)$"
_KEY = "^[!-~]([ -~]{0,253}[!-~])?$"
# Far above any workspace's sums, and still exact to the fourth decimal where a client sends it as a float.
_MOST = 99_999_999_999


@dataclass(frozen=True, slots=True)
class Argument:
    """One argument of a tool: its schema, and how an error describes a valid value."""

    schema: dict[str, Any]
    shape: str
    check: Callable[[Any], str] | None = None
    spellings: Mapping[str, str] = field(default_factory=dict)
    item: "Argument | None" = None

    @property
    def takes_null(self) -> bool:
        """Return whether null clears the field."""
        return "null" in self.schema["type"]

    def read(self, value: Any) -> Any:
        """Return `value` as it goes upstream; what models write for it is taken where it has one meaning only.

        What cannot fit comes back short and flat, for the check.
        """
        if isinstance(value, str):
            value = self._read_text(value)
        if isinstance(value, float) and "integer" in self.schema["type"] and value.is_integer():
            return int(value)
        if isinstance(value, dict):
            return {}
        if isinstance(value, list):
            return [_flat(item) for item in value[: self.schema.get("maxItems", 0) + 1]]
        return value

    def _read_text(self, value: str) -> Any:
        kinds = self.schema["type"]
        if "string" in kinds:
            return self.spellings.get(value.lower(), value)
        if "integer" in kinds and _WHOLE.fullmatch(value):
            return int(value)
        if "boolean" in kinds and value.lower() in _TRUTHS:
            return _TRUTHS[value.lower()]
        if "array" in kinds and value[:1] == "[":
            with contextlib.suppress(orjson.JSONDecodeError):
                return orjson.loads(value)
        return value


def unreadable(name: str, value: Any) -> dict[str, str]:
    """Return the error of argument `name` if its value, or an item of it, has characters that cannot be passed on."""
    if isinstance(value, str):
        return {name: _UNREADABLE_REASON} if _UNREADABLE.search(value) else {}
    if isinstance(value, list):
        places = [place for place, item in enumerate(value) if isinstance(item, str) and _UNREADABLE.search(item)]
        return {f"{name}[{place}]": _UNREADABLE_REASON for place in places}
    return {}


def _flat(item: Any) -> Any:
    return {} if isinstance(item, dict | list) else item


def text(description: str, *, most: int, least: int = 0) -> Argument:
    """Build a text argument of `least` to `most` characters."""
    schema: dict[str, Any] = {"type": "string", "description": description, "maxLength": most}
    if least:
        schema["minLength"] = least
    return Argument(schema, "must be text")


def uuid(description: str) -> Argument:
    """Build an argument for the id of a record."""
    schema = {"type": "string", "description": description, "format": "uuid", "pattern": _UUID}
    return Argument(schema, "must be an id (UUID), as the list tools give them")


def date(description: str) -> Argument:
    """Build a date argument."""
    schema = {"type": "string", "description": description, "format": "date", "pattern": _DATE}
    return Argument(schema, "must be a date, YYYY-MM-DD")


def instant(description: str) -> Argument:
    """Build an argument for an instant with its UTC offset."""
    return _timed(description, _INSTANT, "must be an instant such as 2026-01-31T09:30:00Z")


def moment(description: str) -> Argument:
    """Build an argument for a date or an instant."""
    return _timed(description, _MOMENT, "must be a date, YYYY-MM-DD, or an instant such as 2026-01-31T09:30:00Z")


def _timed(description: str, pattern: str, shape: str) -> Argument:
    def check(value: str) -> str:
        try:
            datetime.fromisoformat(value)
        except ValueError:
            return shape
        return ""

    return Argument({"type": "string", "description": description, "pattern": pattern}, shape, check)


def choice(description: str, values: Iterable[str], *, default: str | None = None) -> Argument:
    """Build an argument for one of `values`, in either case; `default` is Hoursmith's default on create."""
    values = list(values)
    schema: dict[str, Any] = {"type": "string", "description": description, "enum": values}
    if default is not None:
        schema["default"] = default
    return Argument(schema, f"must be one of {', '.join(values)}", spellings={value.lower(): value for value in values})


def flag(description: str, *, default: bool | None = None) -> Argument:
    """Build a boolean argument."""
    schema: dict[str, Any] = {"type": "boolean", "description": description}
    if default is not None:
        schema["default"] = default
    return Argument(schema, "must be true or false")


def whole(description: str, *, least: int, most: int, default: int | None = None) -> Argument:
    """Build an integer argument from `least` to `most`."""
    schema: dict[str, Any] = {"type": "integer", "description": description, "minimum": least, "maximum": most}
    if default is not None:
        schema["default"] = default
    return Argument(schema, "must be a whole number")


def decimal(description: str, *, decimals: int = 4, above_zero: bool = False, signed: bool = False) -> Argument:
    """Build an argument for a number or decimal string with at most `decimals` places, passed on as given."""
    sign = "-?" if signed else ""
    schema: dict[str, Any] = {
        "type": ["number", "string"],
        "description": description,
        "pattern": f"^{sign}[0-9]{{1,11}}([.][0-9]{{1,{decimals}}})?$",
        "maximum": _MOST,
    }
    if above_zero:
        schema["exclusiveMinimum"] = 0
    else:
        schema["minimum"] = -_MOST if signed else 0
    places = f"at most {decimals} decimals"

    def check(value: int | float | str) -> str:
        # Through its shortest spelling, so that 19.99 has two places and not fifty.
        number = Decimal(str(value))
        exponent = number.as_tuple().exponent
        if isinstance(exponent, int) and exponent < -decimals:
            return places
        return "must be above 0" if above_zero and number <= 0 else ""

    return Argument(schema, f"must be a number, or a decimal string such as 120.50, with {places}", check)


def duration(description: str) -> Argument:
    """Build an argument for a duration as people write it."""
    return Argument(
        {"type": "string", "description": description, "pattern": _DURATION},
        "must be a duration such as 1h30m, 1:30, 90m or 1.5h",
    )


def currency(description: str) -> Argument:
    """Build an argument for a currency code."""
    return Argument(
        {"type": "string", "description": description, "pattern": "^[A-Za-z]{3}$"},
        "must be three letters, such as EUR",
    )


def many(description: str, item: Argument, *, most: int) -> Argument:
    """Build an argument for a list of up to `most` values of one type."""
    schema = {"type": "array", "description": description, "items": item.schema, "maxItems": most}
    return Argument(schema, "must be a list", item=item)


def clearable(argument: Argument) -> Argument:
    """Return the argument with `null` to clear the field (PATCH, section 1)."""
    kinds = argument.schema["type"]
    schema = {**argument.schema, "type": [*([kinds] if isinstance(kinds, str) else kinds), "null"]}
    schema["description"] += " null clears it."
    if "enum" in schema:
        schema["enum"] = [*schema["enum"], None]
    return replace(argument, schema=schema, shape=f"{argument.shape}, or null to clear it")


def changes(fields: Mapping[str, Argument], *, kept: Iterable[str]) -> dict[str, Argument]:
    """Return the arguments of an update: `fields` without defaults, all clearable except those in `kept`."""
    kept = set(kept)
    update = {}
    for name, argument in fields.items():
        bare = replace(argument, schema={key: rule for key, rule in argument.schema.items() if key != "default"})
        update[name] = bare if name in kept else clearable(bare)
    return update


def idempotency_key() -> Argument:
    """Build the argument that makes a POST safe to repeat (section 6)."""
    return Argument(
        {
            "type": "string",
            "description": (
                "Optional. Give the same key when you repeat the same call after an unclear answer: Hoursmith then "
                "does it once only. Kept 24 hours. Left out, a fresh key is made for this call."
            ),
            "minLength": 1,
            "maxLength": 255,
            "pattern": _KEY,
        },
        "must be 1 to 255 printable ASCII characters, with no space at either end",
    )


def days(*names: str) -> dict[str, Argument]:
    """Build `<name>From` and `<name>To` for each of `names`, dates or instants (section 7)."""
    found = {}
    for name in names:
        found[f"{name}From"] = moment(f"Only records whose {name} is at or after this date or instant.")
        found[f"{name}To"] = moment(
            f"Only records whose {name} is at or before this; a date counts to its end, in UTC."
        )
    return found


def amounts(*names: str) -> dict[str, Argument]:
    """Build `<name>Min` and `<name>Max` for each of `names`, amounts of money (section 7)."""
    found = {}
    for name in names:
        found[f"{name}Min"] = decimal(f"Only records whose {name} is at least this.", signed=True)
        found[f"{name}Max"] = decimal(f"Only records whose {name} is at most this.", signed=True)
    return found


def listing(
    filters: Mapping[str, Argument], *, sort: Iterable[str], search: str, ranges: Mapping[str, Argument]
) -> dict[str, Argument]:
    """Build the arguments of a list tool: search in the fields named in `search`, filters, ranges, order and page."""
    orders = [order for name in sort for order in (name, f"-{name}")]
    return {
        "search": text(f"Only records that hold this text, in any case, in their {search}.", most=200),
        **filters,
        **ranges,
        "sort": choice("The order; a leading - means descending.", orders, default="-createdAt"),
        "cursor": text(
            "The next page: pagination.nextCursor of the page before, unchanged, with the same sort and filters.",
            least=1,
            most=2000,
        ),
        "limit": whole("How many records a page holds.", least=1, most=200, default=50),
    }
