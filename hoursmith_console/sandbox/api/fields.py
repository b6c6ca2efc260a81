"""Field declarations of a record, used to parse, validate, render and document it."""

from collections.abc import Iterable, Mapping
from dataclasses import dataclass, field
from typing import Any

from hoursmith_console.sandbox.api.errors import ValidationFaultError
from hoursmith_console.sandbox.api.formats.times import INSTANT
from hoursmith_console.sandbox.api.values import ID, InvalidValueError, Schema, ValueType


def snake(name: str) -> str:
    """Return the model attribute of an API name: `created_at` for `createdAt`."""
    return "".join(f"_{letter.lower()}" if letter.isupper() else letter for letter in name)


@dataclass(frozen=True)
class Field:
    """One field. A request may set it unless it is `read_only`; a response contains it unless it is `write_only`.

    `required` must be given on create and can never be cleared; a field with a `default` cannot be cleared
    either. `cleared` is the value that null sets. Members do not get `hidden_from_members` fields.
    """

    name: str
    value_type: ValueType
    required: bool = False
    default: Any = None
    cleared: Any = None
    nullable: bool = True
    read_only: bool = False
    write_only: bool = False
    hidden_from_members: bool = False
    attr: str = field(init=False)

    def __post_init__(self) -> None:
        object.__setattr__(self, "attr", snake(self.name))
        if self.required or self.default is not None:
            object.__setattr__(self, "nullable", False)

    def parse(self, value: Any) -> Any:
        """Return the Python value of a request's value. Raises InvalidValueError."""
        if value is None or value == "":
            # The contract, section 1: null clears, and an empty string is null.
            if self.required:
                raise InvalidValueError("required")
            if not self.nullable:
                raise InvalidValueError("must not be empty")
            return self.cleared
        return self.value_type.parse(value)

    def render(self, record: Any) -> Any:
        """Return the JSON value of this field of `record`."""
        value = getattr(record, self.attr)
        return None if value is None else self.value_type.render(value)

    def request_schema(self) -> Schema:
        schema = self.value_type.schema()
        if self.nullable:
            return {"anyOf": [schema, {"enum": [None, ""]}]}
        return schema

    def response_schema(self) -> Schema:
        schema = self.value_type.response_schema()
        if self.nullable and self.cleared is None:
            return {"anyOf": [schema, {"type": "null"}]}
        return schema


def fixed(name: str, value_type: ValueType = ID, *, nullable: bool = False) -> Field:
    """Declare a field that the server sets."""
    return Field(name, value_type, read_only=True, nullable=nullable)


IDENTITY = (fixed("id"), fixed("orgId"))
STAMPS = (fixed("createdAt", INSTANT), fixed("updatedAt", INSTANT), fixed("deletedAt", INSTANT, nullable=True))


def parse_body(body: Mapping[str, Any], fields: Iterable[Field], *, creating: bool) -> dict[str, Any]:
    """Return the values that `body` sets, by attribute, with defaults if `creating`. Raises ValidationFaultError."""
    known = {field.name: field for field in fields}
    faults: dict[str, str] = {}
    values: dict[str, Any] = {}
    for name, value in body.items():
        found = known.get(name)
        if found is None or found.read_only:
            faults[_printable(name)] = "cannot be set" if found else "unknown field"
            continue
        try:
            values[found.attr] = found.parse(value)
        except InvalidValueError as error:
            faults[name] = str(error)
    if creating:
        for found in known.values():
            if found.name in body or found.read_only:
                continue
            if found.required:
                faults[found.name] = "required"
            elif found.default is not None:
                values[found.attr] = found.default
    if faults:
        raise ValidationFaultError(faults)
    return values


def _printable(name: str) -> str:
    return name[:60].encode("utf-8", "replace").decode()
