"""Value types of fields and filters: parse, render and describe values.

A type parses JSON (`parse`) and query text (`read`) and raises InvalidValueError with a reason that does not repeat the
value; `schema` is its JSON Schema, so that validation and documentation agree.
"""

import re
import uuid
from abc import ABC, abstractmethod
from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any, ClassVar

Schema = dict[str, Any]

_UUID = re.compile(r"[0-9a-f]{8}-[0-9a-f]{4}-[0-9a-f]{4}-[0-9a-f]{4}-[0-9a-f]{12}", re.ASCII | re.IGNORECASE)
# PostgreSQL cannot store NUL, and no encoding half a surrogate pair.
_UNSTORABLE = re.compile("[\x00\ud800-\udfff]")
_BOOLEANS = {"true": True, "1": True, "yes": True, "false": False, "0": False, "no": False}


class InvalidValueError(ValueError):
    """The value is invalid; the message is the reason."""


class ValueType(ABC):
    """A type of values. `bounds` are the suffixes of the two parameters of a range."""

    bounds: ClassVar[tuple[str, str]] = ("From", "To")

    @abstractmethod
    def parse(self, value: Any) -> Any:
        """Return the Python value of a JSON value."""

    def read(self, text: str) -> Any:
        """Return the Python value of a query parameter."""
        return self.parse(text)

    def render(self, value: Any) -> Any:
        """Return the JSON value of a Python value that is not None."""
        return value

    @abstractmethod
    def schema(self) -> Schema:
        """Return the JSON Schema of request values."""

    def query_schema(self) -> Schema:
        """Return the JSON Schema of query parameters."""
        return self.schema()

    def response_schema(self) -> Schema:
        """Return the JSON Schema of response values."""
        return self.schema()


@dataclass(frozen=True)
class Text(ValueType):
    """Text of at most `maximum` characters, matching `pattern` if given."""

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
            raise InvalidValueError("must not contain NUL characters or invalid Unicode")
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
    """One of `values`, case-insensitive. `accepted` restricts what a request may set."""

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
        # A pattern, because an enum cannot ignore case.
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
    """A list of up to `maximum` distinct values of one type."""

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
EMAIL = Text(320, pattern=r"[^@\s\u0000]+@[^@\s\u0000]+", reason="must be an email address")
CURRENCY = Text(3, pattern="[A-Za-z]{3}", reason="must be a currency of three letters, such as EUR", upper=True)
