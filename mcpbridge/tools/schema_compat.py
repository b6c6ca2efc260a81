"""Convert schemas to a form that most clients and model providers accept.

Internally a field with two types has a list as its `type`, which is short and gives short error texts. Dialects with a
single `type` (OpenAPI 3.0 and its derivatives) refuse such a schema or drop its rules, so the published schema uses
`anyOf` instead.
"""

from typing import Any

_NUMBER = ("minimum", "maximum", "exclusiveMinimum", "exclusiveMaximum", "multipleOf")
# JSON Schema 2020-12 validation: the keywords that only mean something for one kind of value.
_RULES: dict[str, tuple[str, ...]] = {
    "string": ("format", "pattern", "minLength", "maxLength"),
    "number": _NUMBER,
    "integer": _NUMBER,
    "array": ("items", "minItems", "maxItems", "uniqueItems"),
    "object": ("properties", "required", "additionalProperties", "minProperties", "maxProperties"),
    "boolean": (),
    "null": (),
}
_OF_ONE_KIND = frozenset(rule for rules in _RULES.values() for rule in rules) | {"type", "enum"}


def to_portable_schema(schema: dict[str, Any]) -> dict[str, Any]:
    """Return a schema that accepts the same values, without a list as `type` and without `format` beside `pattern`.

    Some clients (AutoGen) take `format: uuid` to mean version 4; the pattern is sufficient.
    """
    inner = {name: value for name, value in schema.items() if name != "format" or "pattern" not in schema}
    if "properties" in inner:
        inner["properties"] = {name: to_portable_schema(field) for name, field in inner["properties"].items()}
    if "items" in inner:
        inner["items"] = to_portable_schema(inner["items"])
    kinds = inner.get("type")
    if not isinstance(kinds, list):
        return inner
    outer = {name: value for name, value in inner.items() if name not in _OF_ONE_KIND}
    return {**outer, "anyOf": [_branch(kind, inner) for kind in kinds]}


def _branch(kind: str, schema: dict[str, Any]) -> dict[str, Any]:
    branch = {"type": kind, **{rule: schema[rule] for rule in _RULES[kind] if rule in schema}}
    if "enum" in schema and kind != "null":
        # Null is in an enum only to clear the field, which is a branch of its own here.
        branch["enum"] = [value for value in schema["enum"] if value is not None]
    return branch
