"""The kinds of value that fields and filters have: how each is read, written and described.

A kind reads JSON (`parse`) and query text (`read`), raising InvalidValueError with a reason that does not
repeat the value; `schema` is what it takes as JSON Schema, so that check and document cannot disagree.
"""

import re
import uuid
from abc import ABC, abstractmethod
from collections.abc import Sequence
from dataclasses import dataclass
from datetime import UTC, date, datetime, time
from decimal import ROUND_CEILING, ROUND_FLOOR, Decimal
from typing import Any, ClassVar

Schema = dict[str, Any]

_DAY = re.compile(r"\d{4}-\d{2}-\d{2}", re.ASCII)
_INSTANT = re.compile(r"(\d{4}-\d{2}-\d{2})[Tt](\d{2}:\d{2}(?::\d{2}(?:\.\d{1,9})?)?)([Zz]|[+-]\d{2}:\d{2})", re.ASCII)
_UUID = re.compile(r"[0-9a-f]{8}-[0-9a-f]{4}-[0-9a-f]{4}-[0-9a-f]{4}-[0-9a-f]{12}", re.ASCII | re.IGNORECASE)
_AMOUNT = re.compile(r"\d{1,11}(?:\.\d{1,2})?", re.ASCII)
_BOUND = re.compile(r"-?\d{1,40}(?:\.\d{1,40})?", re.ASCII)
_WHOLE = re.compile(r"-?\d{1,18}", re.ASCII)
# NUL cannot be stored in PostgreSQL, half a surrogate pair not in any encoding.
_UNSTORABLE = re.compile("[\x00\ud800-\udfff]")
_BOOLEANS = {"true": True, "1": True, "yes": True, "false": False, "0": False, "no": False}


class InvalidValueError(ValueError):
    """The value is not of its kind; the message is the reason in words."""


class Kind(ABC):
    """One kind of value. `bounds` end the names of the two parameters of a range."""

    bounds: ClassVar[tuple[str, str]] = ("From", "To")

    @abstractmethod
    def parse(self, value: Any) -> Any:
        """The Python value of a JSON value."""

    def read(self, text: str) -> Any:
        """The Python value of a query parameter."""
        return self.parse(text)

    def render(self, value: Any) -> Any:
        """The JSON value of a Python value that is not None."""
        return value

    @abstractmethod
    def schema(self) -> Schema:
        """What a request may hold."""

    def query_schema(self) -> Schema:
        """What a query parameter may hold."""
        return self.schema()

    def answer_schema(self) -> Schema:
        """What an answer holds."""
        return self.schema()


@dataclass(frozen=True)
class Text(Kind):
    """Text of at most `most` characters, of the shape `pattern` where one is given."""

    most: int
    least: int = 0
    pattern: str = ""
    reason: str = ""
    upper: bool = False

    def parse(self, value: Any) -> str:
        if not isinstance(value, str):
            raise InvalidValueError("must be text")
        if len(value) < self.least:
            raise InvalidValueError("required")
        if len(value) > self.most:
            raise InvalidValueError(f"must have at most {self.most} characters")
        if _UNSTORABLE.search(value):
            raise InvalidValueError("must not hold NUL characters or broken Unicode")
        if self.pattern and not re.fullmatch(self.pattern, value):
            raise InvalidValueError(self.reason)
        return value.upper() if self.upper else value

    def schema(self) -> Schema:
        found: Schema = {"type": "string", "maxLength": self.most}
        if self.least:
            found["minLength"] = self.least
        found["pattern"] = f"^{self.pattern}$" if self.pattern else r"^[^\u0000]*$"
        return found

    def answer_schema(self) -> Schema:
        return {"type": "string"}


@dataclass(frozen=True)
class Choice(Kind):
    """One of `values`, taken in either case. `accepted` narrows what a request may say."""

    values: Sequence[str]
    accepted: Sequence[str] = ()
    hint: str = ""

    def parse(self, value: Any) -> str:
        if isinstance(value, str):
            for known in self.accepted or self.values:
                if value.lower() == known.lower():
                    return known
        raise InvalidValueError(f"must be one of {', '.join(self.accepted or self.values)}{self.hint}")

    def schema(self) -> Schema:
        accepted = self.accepted or self.values
        # The pattern says “in either case”, which an enum cannot.
        spellings = ("".join(_either_case(letter) for letter in value) for value in accepted)
        return {"type": "string", "pattern": f"^(?:{'|'.join(spellings)})$", "examples": list(accepted)}

    def answer_schema(self) -> Schema:
        return {"type": "string", "enum": list(self.values)}


def _either_case(letter: str) -> str:
    return f"[{letter.upper()}{letter.lower()}]" if letter.isalpha() else letter


@dataclass(frozen=True)
class Flag(Kind):
    """True or false; in a query `true/false/1/0/yes/no`."""

    def parse(self, value: Any) -> bool:
        if not isinstance(value, bool):
            raise InvalidValueError("must be true or false")
        return value

    def read(self, text: str) -> bool:
        if text.lower() not in _BOOLEANS:
            raise InvalidValueError("must be true or false")
        return _BOOLEANS[text.lower()]

    def schema(self) -> Schema:
        return {"type": "boolean"}

    def query_schema(self) -> Schema:
        return Choice(list(_BOOLEANS)).schema()


@dataclass(frozen=True)
class Whole(Kind):
    """A whole number from `least` to `most`."""

    least: int
    most: int
    bounds = ("Min", "Max")

    def parse(self, value: Any) -> int:
        if isinstance(value, Decimal) and value.is_finite() and abs(value.adjusted()) < 20 and value == int(value):
            # JSON has one kind of number: 60.0 is 60.
            value = int(value)
        if isinstance(value, bool) or not isinstance(value, int):
            raise InvalidValueError("must be a whole number")
        if not self.least <= value <= self.most:
            raise InvalidValueError(f"must be from {self.least} to {self.most}")
        return value

    def read(self, text: str) -> int:
        if not _WHOLE.fullmatch(text):
            raise InvalidValueError("must be a whole number")
        return self.parse(int(text))

    def schema(self) -> Schema:
        return {"type": "integer", "minimum": self.least, "maximum": self.most}

    def answer_schema(self) -> Schema:
        return {"type": "integer"}


@dataclass(frozen=True)
class Number(Kind):
    """An exact number with at most two decimals, given as a number or as text of the shape `text`."""

    least: Decimal
    most: Decimal
    text: str
    reason: str = ""
    bounds = ("Min", "Max")

    def parse(self, value: Any) -> Decimal:
        if isinstance(value, str) and _AMOUNT.fullmatch(value):
            if not re.fullmatch(self.text, value):
                raise InvalidValueError(self._range)
            value = Decimal(value)
        elif isinstance(value, int) and not isinstance(value, bool):
            value = Decimal(value)
        if not isinstance(value, Decimal) or not value.is_finite():
            raise InvalidValueError("must be a number or a decimal string such as 120.50")
        if not self.least <= value <= self.most:
            raise InvalidValueError(self._range)
        rounded = value.quantize(Decimal("0.01"), rounding=ROUND_FLOOR)
        if rounded != value:
            raise InvalidValueError("must have at most 2 decimals")
        return rounded

    @property
    def _range(self) -> str:
        return self.reason or f"must be from {self.least} to {self.most}"

    def bound(self, text: str, *, lower: bool) -> Decimal:
        """The bound of a range, on the nearest amount with two decimals that is inside of it."""
        if not _BOUND.fullmatch(text):
            raise InvalidValueError("must be a number")
        value = min(max(Decimal(text), -self.most), self.most)
        return value.quantize(Decimal("0.01"), rounding=ROUND_CEILING if lower else ROUND_FLOOR)

    def schema(self) -> Schema:
        number = {"type": "number", "minimum": float(self.least), "maximum": float(self.most)}
        return {"anyOf": [number, {"type": "string", "pattern": f"^{self.text}$"}]}

    def query_schema(self) -> Schema:
        return {"type": "string", "pattern": r"^-?[0-9]{1,40}(?:\.[0-9]{1,40})?$"}


@dataclass(frozen=True)
class Money(Number):
    """An amount; a decimal string in answers."""

    def render(self, value: Decimal) -> str:
        return f"{value:.2f}"

    def answer_schema(self) -> Schema:
        return {"type": "string", "pattern": r"^-?[0-9]+\.[0-9]{2}$"}


@dataclass(frozen=True)
class Hours(Number):
    """A number of hours; a number in answers."""

    def render(self, value: Decimal) -> int | float:
        return int(value) if value == int(value) else float(value)

    def answer_schema(self) -> Schema:
        return {"type": "number"}


@dataclass(frozen=True)
class Day(Kind):
    """A calendar day, `YYYY-MM-DD`. As the bound of a range an instant will do, and means its day in UTC."""

    def parse(self, value: Any) -> date:
        if isinstance(value, str) and _DAY.fullmatch(value):
            try:
                return date.fromisoformat(value)
            except ValueError:
                pass
        raise InvalidValueError("must be a date, YYYY-MM-DD")

    def render(self, value: date) -> str:
        return value.isoformat()

    def bound(self, text: str, *, lower: bool) -> date:
        return Instant().bound(text, lower=lower).date()

    def schema(self) -> Schema:
        return {"type": "string", "format": "date"}

    def query_schema(self) -> Schema:
        return Instant().query_schema()


@dataclass(frozen=True)
class Instant(Kind):
    """A point in time, ISO 8601 with an offset, kept to the millisecond."""

    def parse(self, value: Any) -> datetime:
        match = _INSTANT.fullmatch(value) if isinstance(value, str) else None
        if match:
            try:
                moment = datetime.fromisoformat(f"{match[1]}T{match[2]}{match[3].upper()}").astimezone(UTC)
            except (ValueError, OverflowError):
                pass
            else:
                return moment.replace(microsecond=moment.microsecond // 1000 * 1000)
        raise InvalidValueError("must be an instant such as 2026-01-31T09:30:00Z")

    def render(self, value: datetime) -> str:
        return value.astimezone(UTC).isoformat(timespec="milliseconds").replace("+00:00", "Z")

    def bound(self, text: str, *, lower: bool) -> datetime:
        """The bound of a range: an instant, or the beginning or end of a plain date in UTC."""
        if _DAY.fullmatch(text):
            return datetime.combine(Day().parse(text), time.min if lower else time.max, UTC)
        try:
            return self.parse(text)
        except InvalidValueError:
            raise InvalidValueError("must be a date, YYYY-MM-DD, or an instant such as 2026-01-31T09:30:00Z") from None

    def schema(self) -> Schema:
        return {"type": "string", "format": "date-time"}

    def query_schema(self) -> Schema:
        return {"anyOf": [{"type": "string", "format": "date"}, {"type": "string", "format": "date-time"}]}


@dataclass(frozen=True)
class Identifier(Kind):
    """The id of a record."""

    def parse(self, value: Any) -> uuid.UUID:
        if isinstance(value, str) and _UUID.fullmatch(value):
            return uuid.UUID(value)
        raise InvalidValueError("must be an id (UUID)")

    def render(self, value: uuid.UUID) -> str:
        return str(value)

    def schema(self) -> Schema:
        return {"type": "string", "format": "uuid"}


@dataclass(frozen=True)
class Several(Kind):
    """A list of up to `most` different values of one kind."""

    item: Kind
    most: int

    def parse(self, value: Any) -> list[Any]:
        if not isinstance(value, list):
            raise InvalidValueError("must be a list")
        if len(value) > self.most:
            raise InvalidValueError(f"must have at most {self.most} entries")
        return list(dict.fromkeys(self.item.parse(entry) for entry in value))

    def render(self, value: Sequence[Any]) -> list[Any]:
        return [self.item.render(entry) for entry in value]

    def schema(self) -> Schema:
        return {"type": "array", "items": self.item.schema(), "maxItems": self.most}

    def answer_schema(self) -> Schema:
        return {"type": "array", "items": self.item.answer_schema()}


ID = Identifier()
DAY = Day()
INSTANT = Instant()
FLAG = Flag()
EMAIL = Text(320, pattern=r"[^@\s\u0000]+@[^@\s\u0000]+", reason="must be an e-mail address")
CURRENCY = Text(3, pattern="[A-Za-z]{3}", reason="must be a currency of three letters, such as EUR", upper=True)
_CENTS = r"(?:\.[0-9]{1,2})?"
_MOST_MONEY = Decimal("99999999999.99")
MONEY = Money(Decimal(0), _MOST_MONEY, f"[0-9]{{1,11}}{_CENTS}")
SPENT = Money(
    Decimal("0.01"),
    _MOST_MONEY,
    # Some digit is not zero.
    f"(?=[0-9.]*[1-9])[0-9]{{1,11}}{_CENTS}",
    reason=f"must be above 0, and at most {_MOST_MONEY}",
)
PERCENT = Money(Decimal(0), Decimal(100), rf"(?:[0-9]{{1,2}}{_CENTS}|100(?:\.0{{1,2}})?)")
HOURS = Hours(Decimal(0), Decimal("9999999.99"), f"[0-9]{{1,7}}{_CENTS}")
