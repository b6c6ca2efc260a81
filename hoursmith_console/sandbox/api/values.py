"""The kinds of value that fields and filters have: how each is read, written and described.

A kind reads JSON (`parse`) and query text (`read`), raising InvalidValueError with a reason that does not
repeat the value; `schema` is what it takes as JSON Schema, so that check and document cannot disagree.
"""

import re
import uuid
from abc import ABC, abstractmethod
from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any, ClassVar

Schema = dict[str, Any]

_UUID = re.compile(r"[0-9a-f]{8}-[0-9a-f]{4}-[0-9a-f]{4}-[0-9a-f]{4}-[0-9a-f]{12}", re.ASCII | re.IGNORECASE)
# NUL cannot be stored in PostgreSQL, half a surrogate pair not in any encoding.
_UNSTORABLE = re.compile("[\x00\ud800-\udfff]")
_BOOLEANS = {"true": True, "1": True, "yes": True, "false": False, "0": False, "no": False}


class InvalidValueError(ValueError):
    """The value is not of its kind; the message is the reason in words."""


class ValueType(ABC):
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

    def response_schema(self) -> Schema:
        """What an answer holds."""
        return self.schema()


@dataclass(frozen=True)
class Text(ValueType):
    """Text of at most `maximum` characters, of the shape `pattern` where one is given."""

    maximum: int
    minimum: int = 0
    pattern: str = ""
    reason: str = ""
    upper: bool = False

    def parse(self, value: Any) -> str:
        if not isinstance(value, str):
            raise InvalidValueError("must be text")
        if len(value) < self.minimum:
            raise InvalidValueError("required")
        if len(value) > self.maximum:
            raise InvalidValueError(f"must have at most {self.maximum} characters")
        if _UNSTORABLE.search(value):
            raise InvalidValueError("must not hold NUL characters or broken Unicode")
        if self.pattern and not re.fullmatch(self.pattern, value):
            raise InvalidValueError(self.reason)
        return value.upper() if self.upper else value

    def schema(self) -> Schema:
        found: Schema = {"type": "string", "maxLength": self.maximum}
        if self.minimum:
            found["minLength"] = self.minimum
        found["pattern"] = f"^{self.pattern}$" if self.pattern else r"^[^\u0000]*$"
        return found

    def response_schema(self) -> Schema:
        return {"type": "string"}


@dataclass(frozen=True)
class Choice(ValueType):
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

    def response_schema(self) -> Schema:
        return {"type": "string", "enum": list(self.values)}


def _either_case(letter: str) -> str:
    return f"[{letter.upper()}{letter.lower()}]" if letter.isalpha() else letter


@dataclass(frozen=True)
class Boolean(ValueType):
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
class Identifier(ValueType):
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
class ListOf(ValueType):
    """A list of up to `maximum` different values of one kind."""

    item: ValueType
    maximum: int

    def parse(self, value: Any) -> list[Any]:
        if not isinstance(value, list):
            raise InvalidValueError("must be a list")
        if len(value) > self.maximum:
            raise InvalidValueError(f"must have at most {self.maximum} entries")
        return list(dict.fromkeys(self.item.parse(entry) for entry in value))

    def render(self, value: Sequence[Any]) -> list[Any]:
        return [self.item.render(entry) for entry in value]

    def schema(self) -> Schema:
        return {"type": "array", "items": self.item.schema(), "maxItems": self.maximum}

    def response_schema(self) -> Schema:
        return {"type": "array", "items": self.item.response_schema()}


ID = Identifier()
BOOLEAN = Boolean()
EMAIL = Text(320, pattern=r"[^@\s\u0000]+@[^@\s\u0000]+", reason="must be an e-mail address")
CURRENCY = Text(3, pattern="[A-Za-z]{3}", reason="must be a currency of three letters, such as EUR", upper=True)
