"""What is published takes the same values as what is checked, in a spelling that every client can read."""

from collections.abc import Iterator
from typing import Any

import pytest
from jsonschema import Draft202012Validator

from mcpbridge.tools import TOOLS, Tool
from mcpbridge.tools.schema_compat import to_portable_schema

VALUES: list[Any] = [
    *(None, True, False, 0, -1, 3, 51, 201, 10**12, 0.5, 19.999, "", "text", "x" * 400, "x" * 20_000),
    *("TODO", "todo", "EUR", "120.50", "-3", "1,5", "2026-01-31", "2026-01-31T09:30:00Z", "1h30m"),
    *("6f1c2a52-94c4-4f0e-8d5b-0c7a3a1d9e11", [], ["print"], ["x" * 400], [None], ["a"] * 300, {}, {"id": 1}),
    *({"id": "1"}, [{"id": "1"}], [{"id": None}]),
]


def schemas_in(schema: dict[str, Any]) -> Iterator[dict[str, Any]]:
    yield schema
    for field in (*schema.get("properties", {}).values(), *schema.get("anyOf", [])):
        yield from schemas_in(field)
    if "items" in schema:
        yield from schemas_in(schema["items"])


@pytest.mark.parametrize("tool", TOOLS.values(), ids=TOOLS)
def test_no_published_type_is_a_list(tool: Tool) -> None:
    for schema in (tool.input_schema, tool.output_schema):
        published = to_portable_schema(schema)
        Draft202012Validator.check_schema(published)
        assert [part for part in schemas_in(published) if isinstance(part.get("type"), list)] == []


@pytest.mark.parametrize("tool", TOOLS.values(), ids=TOOLS)
def test_the_published_schema_takes_what_the_checked_one_takes(tool: Tool) -> None:
    for name, field in tool.input_schema["properties"].items():
        checked, published = Draft202012Validator(field), Draft202012Validator(to_portable_schema(field))
        assert [published.is_valid(value) for value in VALUES] == [checked.is_valid(value) for value in VALUES], name
    data = tool.output_schema["properties"]["data"]
    checked, published = Draft202012Validator(data), Draft202012Validator(to_portable_schema(data))
    assert [published.is_valid(value) for value in VALUES] == [checked.is_valid(value) for value in VALUES]


def test_each_kind_keeps_its_own_rules_and_the_description_stays_outside() -> None:
    schema = {"type": ["string", "null"], "enum": ["LOW", None], "maxLength": 9, "minimum": 1, "description": "How."}

    assert to_portable_schema(schema) == {
        "description": "How.",
        "anyOf": [{"type": "string", "maxLength": 9, "enum": ["LOW"]}, {"type": "null"}],
    }


@pytest.mark.parametrize("tool", TOOLS.values(), ids=TOOLS)
def test_no_published_pattern_has_a_format_beside_it(tool: Tool) -> None:
    for part in schemas_in(to_portable_schema(tool.input_schema)):
        assert not {"format", "pattern"} <= part.keys()
