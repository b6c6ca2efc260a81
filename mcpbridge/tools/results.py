"""Output schemas of tools: of records, of pages, and of deletions.

They promise little on purpose. Members do not see money, so any field but the id may be missing; Hoursmith may add
fields and values; official clients refuse a result that does not fit. Hence no `enum`, no `format`, no
closed objects, and no keyword that one of the usual validators lacks.

Source: the Hoursmith contract, sections 1 (envelope), 3 (money-blindness) and 9 (objects).
"""

from typing import Any

Shape = dict[str, Any]


def string(description: str = "") -> Shape:
    """Text that is always there."""
    return _field(["string"], description)


def maybe(description: str = "") -> Shape:
    """Text, or null."""
    return _field(["string", "null"], description)


def money(description: str = "A decimal string.") -> Shape:
    """A sum as a decimal string, or null."""
    return _field(["string", "null"], description)


def number(description: str = "") -> Shape:
    """A number, which may come as a decimal string, or null."""
    return _field(["number", "string", "null"], description)


def boolean(description: str = "") -> Shape:
    """True or false."""
    return _field(["boolean"], description)


def strings(description: str = "") -> Shape:
    """A list of texts."""
    return {**_field(["array"], description), "items": {"type": "string"}}


def _field(kinds: list[str], description: str) -> Shape:
    shape: Shape = {"type": kinds if len(kinds) > 1 else kinds[0]}
    return {**shape, "description": description} if description else shape


def record(fields: dict[str, Shape], *, known_by: str = "id") -> Shape:
    """A record of which only the field `known_by` is sure to be there."""
    return {"type": "object", "properties": fields, "required": [known_by]}


def stamps() -> dict[str, Shape]:
    """The instants that records carry."""
    return {
        "createdAt": string("ISO 8601, UTC."),
        "updatedAt": string(),
        "deletedAt": maybe("Set once the record is archived."),
    }


def one(shape: Shape) -> Shape:
    """`{"data": record}`."""
    return _envelope(shape)


def one_or_none(shape: Shape) -> Shape:
    """`{"data": record}`, or `{"data": null}` where Hoursmith has nothing to show."""
    return _envelope({**shape, "type": ["object", "null"]})


def nothing() -> Shape:
    """`{"data": null}`, as a deletion answers; a record in its place would do as well."""
    return _envelope({"type": ["object", "null"], "description": "null: there is nothing left to show."})


def page(shape: Shape) -> Shape:
    """`{"data": [record, …], "pagination": {…}}`."""
    envelope = _envelope({"type": "array", "items": shape})
    envelope["properties"]["pagination"] = {
        "type": "object",
        "properties": {
            "nextCursor": maybe("Pass it as cursor for the next page; null on the last one."),
            "limit": {"type": "integer"},
        },
    }
    return envelope


def _envelope(data: Shape) -> Shape:
    """Return the schema of a result with `data`, or with the error that a failed call has only in its text.

    Neither is required: the Gemini CLI reads that text into the structured content and checks it against the shape,
    and would show its user the broken shape in place of the error.
    """
    error = {"type": "object", "description": "In place of data where the call failed: status, code, message, hint."}
    return {"type": "object", "properties": {"data": data, "error": error}}
