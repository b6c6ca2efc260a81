"""Value types of numbers: integers, and exact decimals such as money."""

import re
from dataclasses import dataclass
from decimal import ROUND_CEILING, ROUND_FLOOR, Decimal
from typing import Any

from hoursmith_console.sandbox.api.values import InvalidValueError, Schema, ValueType

_AMOUNT = re.compile(r"\d{1,11}(?:\.\d{1,2})?", re.ASCII)
_BOUND = re.compile(r"-?\d{1,40}(?:\.\d{1,40})?", re.ASCII)
_WHOLE = re.compile(r"-?\d{1,18}", re.ASCII)


@dataclass(frozen=True)
class Integer(ValueType):
    """A whole number from `minimum` to `maximum`."""

    minimum: int
    maximum: int
    bounds = ("Min", "Max")

    def parse(self, value: Any) -> int:
        if isinstance(value, Decimal) and value.is_finite() and abs(value.adjusted()) < 20 and value == int(value):
            # JSON has one kind of number: 60.0 is 60.
            value = int(value)
        if isinstance(value, bool) or not isinstance(value, int):
            raise InvalidValueError("must be a whole number")
        if not self.minimum <= value <= self.maximum:
            raise InvalidValueError(f"must be from {self.minimum} to {self.maximum}")
        return value

    def read(self, text: str) -> int:
        if not _WHOLE.fullmatch(text):
            raise InvalidValueError("must be a whole number")
        return self.parse(int(text))

    def schema(self) -> Schema:
        return {"type": "integer", "minimum": self.minimum, "maximum": self.maximum}

    def response_schema(self) -> Schema:
        return {"type": "integer"}


@dataclass(frozen=True)
class Number(ValueType):
    """An exact number with at most two decimals, given as a number or as text of the shape `text`."""

    minimum: Decimal
    maximum: Decimal
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
        if not self.minimum <= value <= self.maximum:
            raise InvalidValueError(self._range)
        rounded = value.quantize(Decimal("0.01"), rounding=ROUND_FLOOR)
        if rounded != value:
            raise InvalidValueError("must have at most 2 decimals")
        return rounded

    @property
    def _range(self) -> str:
        return self.reason or f"must be from {self.minimum} to {self.maximum}"

    def bound(self, text: str, *, lower: bool) -> Decimal:
        """Return the bound of a range, rounded inwards to two decimals."""
        if not _BOUND.fullmatch(text):
            raise InvalidValueError("must be a number")
        value = min(max(Decimal(text), -self.maximum), self.maximum)
        return value.quantize(Decimal("0.01"), rounding=ROUND_CEILING if lower else ROUND_FLOOR)

    def schema(self) -> Schema:
        number = {"type": "number", "minimum": float(self.minimum), "maximum": float(self.maximum)}
        return {"anyOf": [number, {"type": "string", "pattern": f"^{self.text}$"}]}

    def query_schema(self) -> Schema:
        return {"type": "string", "pattern": r"^-?[0-9]{1,40}(?:\.[0-9]{1,40})?$"}


@dataclass(frozen=True)
class Money(Number):
    """An amount; a decimal string in responses."""

    def render(self, value: Decimal) -> str:
        return f"{value:.2f}"

    def response_schema(self) -> Schema:
        return {"type": "string", "pattern": r"^-?[0-9]+\.[0-9]{2}$"}


@dataclass(frozen=True)
class Hours(Number):
    """A number of hours; a number in responses."""

    def render(self, value: Decimal) -> int | float:
        return int(value) if value == int(value) else float(value)

    def response_schema(self) -> Schema:
        return {"type": "number"}


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
