"""Declare tools: a name, one REST call, its arguments and the schema of its result.

A tool adds no permissions: `request` only puts validated arguments into the path, query or body of the REST call, and
Hoursmith decides. `faults` reports everything that is wrong with the arguments at once.

Source: the Hoursmith contract, section 10; MCP 2025-11-25 and 2026-07-28, server/tools.
"""

import re
import uuid
from collections.abc import Mapping
from dataclasses import dataclass, field
from decimal import Decimal
from itertools import islice
from typing import Any
from urllib.parse import quote

import jsonschema_rs

from mcpbridge.models import CallKind
from mcpbridge.redaction.visible_text import marked, shows_nothing
from mcpbridge.tools.fields import Argument, unreadable

MOST_FAULTS = 30
LABEL_LENGTH = 200
# Repeated only if it looks like a mistyped name: anything else could be a value in the wrong place.
_NAME = re.compile(r"[A-Za-z][A-Za-z_-]{0,28}[0-9]?")
_OTHER = "(unreadable name)"
_PLAIN_SEGMENT = re.compile("[0-9A-Za-z-]+")


@dataclass(frozen=True, slots=True)
class RestRequest:
    """One request to the REST API, relative to its base address."""

    method: str
    path: str
    query: list[tuple[str, str]] = field(default_factory=list)
    body: dict[str, Any] | None = None
    idempotency_key: str | None = None
    # The path as declared, with `{id}`; empty if unknown.
    route: str = field(default="", compare=False)


@dataclass(frozen=True, slots=True)
class Hints:
    """MCP's four annotations of a tool. All are set, because a missing one means the worst case."""

    read_only: bool
    destructive: bool
    idempotent: bool
    open_world: bool


@dataclass(frozen=True, slots=True, kw_only=True, eq=False)
class Tool:
    """One tool. `arguments` that the path does not name go into the query of a GET, or into the body."""

    name: str
    title: str
    description: str
    method: str
    path: str
    kind: CallKind
    target_type: str
    arguments: Mapping[str, Argument]
    output_schema: dict[str, Any]
    required: tuple[str, ...] = ()
    # At least one of these is required. A top-level anyOf would express it, but model providers refuse it.
    either: tuple[str, ...] = ()
    # The fields that name a record to a user, the best first.
    label: tuple[str, ...] = ()
    input_schema: dict[str, Any] = field(init=False)
    annotations: Hints = field(init=False)
    _validator: jsonschema_rs.Draft202012Validator = field(init=False, repr=False)

    def __post_init__(self) -> None:
        schema: dict[str, Any] = {
            "type": "object",
            "properties": {name: argument.schema for name, argument in self.arguments.items()},
            "additionalProperties": False,
        }
        if self.required:
            schema["required"] = list(self.required)
        if self._is_update:
            schema["minProperties"] = 2
        hints = Hints(
            read_only=self.kind is CallKind.READ,
            destructive=self.kind is CallKind.DESTRUCTIVE,
            # Repeating changes nothing, unless each call creates another record.
            idempotent=self.method != "POST" or self.kind is CallKind.DESTRUCTIVE,
            open_world=False,
        )
        for name, value in (
            ("input_schema", schema),
            ("annotations", hints),
            ("_validator", jsonschema_rs.Draft202012Validator(schema, validate_formats=True)),
        ):
            object.__setattr__(self, name, value)

    @property
    def _is_update(self) -> bool:
        return self.method == "PATCH"

    def faults(self, arguments: dict[str, Any]) -> dict[str, str]:
        """Return what is wrong with `arguments`, field by field; empty if they are valid.

        Reasons name rules and never repeat a value.
        """
        known = self._read(arguments)
        found: dict[str, str] = {}
        plain = {}
        for name, value in known.items():
            if faults := unreadable(name, value):
                # Not passed to the validator, which reads only valid UTF-8.
                found.update(faults)
            else:
                plain[name] = value
        if not arguments.keys() <= self.arguments.keys():
            self._add_unknown(arguments, found)
        if not self._validator.is_valid(plain):
            self._add_misfits(plain, found)
        self._add_failed_checks(plain, found)
        if self._is_update and known.keys() <= {"id"}:
            found["(arguments)"] = "at least one field to change, besides id"
        if self.either and known.keys().isdisjoint(self.either):
            found[self.either[0]] = f"required, unless {' or '.join(self.either[1:])} is given"
        return dict(islice(found.items(), MOST_FAULTS))

    def _read(self, arguments: dict[str, Any]) -> dict[str, Any]:
        """Return the known arguments as they go upstream.

        Null is dropped unless it can clear a field: models send it for arguments that they do not mean to set.
        """
        return {
            name: argument.read(value)
            for name, value in arguments.items()
            if (argument := self.arguments.get(name)) is not None
            and (value is not None or self._is_update or argument.takes_null)
        }

    def _add_unknown(self, arguments: dict[str, Any], found: dict[str, str]) -> None:
        meant = {_folded(name): name for name in self.arguments}
        for name in arguments:
            if name in self.arguments:
                continue
            if len(found) >= MOST_FAULTS:
                return
            shown = name if _NAME.fullmatch(name) else _OTHER
            known = meant.get(_folded(shown))
            found[shown] = f"unknown argument, did you mean {known}?" if known else "unknown argument"

    def _add_misfits(self, plain: dict[str, Any], found: dict[str, str]) -> None:
        for error in self._validator.iter_errors(plain):
            if len(found) >= MOST_FAULTS:
                return
            kind = error.kind
            if isinstance(kind, jsonschema_rs.ValidationErrorKind.Required):
                found.setdefault(kind.property, "required")
            elif error.instance_path:
                name, *places = error.instance_path
                where = f"{name}{''.join(f'[{place}]' for place in places)}"
                argument = self.arguments[str(name)]
                found.setdefault(where, _reason(kind, argument.item if places and argument.item else argument))

    def _add_failed_checks(self, plain: dict[str, Any], found: dict[str, str]) -> None:
        if len(found) >= MOST_FAULTS:
            # Past the limit `found` may be incomplete, and checks rely on values of the right type.
            return
        for name, value in plain.items():
            check = self.arguments[name].check
            if check is not None and value is not None and name not in found and (reason := check(value)):
                found[name] = reason

    def request(self, arguments: dict[str, Any]) -> RestRequest:
        """Return the REST request for `arguments` in which `faults` found nothing.

        A POST without an `idempotencyKey` gets a new one, which Hoursmith requires.
        """
        plain = self._read(arguments)
        path = self._path_for(plain.pop("id", None))
        key = plain.pop("idempotencyKey", None)
        if self.method == "GET":
            query = [(name, _query(value)) for name, value in plain.items()]
            return RestRequest("GET", path, query=query, route=self.path)
        if self.method == "POST" and key is None:
            key = str(uuid.uuid4())
        return RestRequest(self.method, path, body=plain or None, idempotency_key=key, route=self.path)

    def snapshot_request(self, arguments: dict[str, Any]) -> RestRequest | None:
        """Return the request that reads the record before a destructive call; None for other tools."""
        if self.kind is not CallKind.DESTRUCTIVE:
            return None
        path = self._path_for(arguments["id"])
        return RestRequest("GET", path.removesuffix("/archive"), route=self.path.removesuffix("/archive"))

    def _path_for(self, record_id: str | None) -> str:
        return self.path if record_id is None else self.path.replace("{id}", _quoted(record_id))

    def target_id(self, arguments: dict[str, Any]) -> str:
        """Return the id of the record in `arguments`; empty if there is none."""
        found = arguments.get("id")
        return found if isinstance(found, str) else ""

    def target_label(self, record: dict[str, Any] | None) -> str:
        """Return the name of `record` for a user, on one line; empty if it has none."""
        for name in self.label:
            value = (record or {}).get(name)
            if isinstance(value, str) and not shows_nothing(line := " ".join(value[: 4 * LABEL_LENGTH].split())):
                return marked(line)[:LABEL_LENGTH]
        return ""


def _quoted(text: str) -> str:
    """Return `text` as one path segment. Most ids need no quoting, and checking is faster than quoting."""
    return text if _PLAIN_SEGMENT.fullmatch(text) else quote(text, safe="")


def _folded(name: str) -> str:
    return re.sub("[_-]", "", name).lower()


def _query(value: Any) -> str:
    """Return `value` as in a query string; numbers without an exponent."""
    if isinstance(value, bool):
        return "true" if value else "false"
    if isinstance(value, float):
        return format(Decimal(str(value)), "f")
    return str(value)


def _reason(kind: jsonschema_rs.ValidationErrorKind, argument: Argument) -> str:
    """Return the broken rule as a phrase; for other kinds of errors, the expected type."""
    kinds = jsonschema_rs.ValidationErrorKind
    match kind:
        case kinds.MaxLength(limit=limit):
            return f"at most {limit} characters"
        case kinds.MinLength():
            return "must not be empty"
        case kinds.MaxItems(limit=limit):
            return f"at most {limit} entries"
        case kinds.Minimum(limit=limit):
            return f"at least {limit}"
        case kinds.ExclusiveMinimum(limit=limit):
            return f"must be above {limit}"
        case kinds.Maximum(limit=limit):
            return f"at most {limit}"
    return argument.shape
