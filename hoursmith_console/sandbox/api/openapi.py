"""OpenAPI 3.1 document, generated from the declarations that the API runs on."""

from collections.abc import Iterable
from functools import cache
from typing import Any

from django.http import HttpRequest, HttpResponse, JsonResponse
from django.views.decorators.http import require_safe

from hoursmith_console.sandbox.api.dispatch import KEY
from hoursmith_console.sandbox.api.fields import Field
from hoursmith_console.sandbox.api.lists import CURSOR, DEFAULT_LIMIT, DEFAULT_SORT, LIMIT, SEARCH, Listing
from hoursmith_console.sandbox.api.operations import Operation, Shape
from hoursmith_console.sandbox.api.resources import OPERATIONS, me, members, organization
from hoursmith_console.sandbox.api.resources.clients import CLIENTS
from hoursmith_console.sandbox.api.resources.expenses import EXPENSES
from hoursmith_console.sandbox.api.resources.invoices import INVOICES
from hoursmith_console.sandbox.api.resources.projects import PROJECTS
from hoursmith_console.sandbox.api.resources.tasks import TASKS
from hoursmith_console.sandbox.api.resources.time_entries import TIME_ENTRIES
from hoursmith_console.sandbox.api.values import Schema

_RECORDS: dict[str, Iterable[Field]] = {
    "Me": me.FIELDS,
    "Organization": organization.FIELDS,
    **{each.schema: each.fields for each in (CLIENTS, PROJECTS, TASKS, TIME_ENTRIES, EXPENSES, INVOICES)},
    "Member": members.FIELDS,
}
_ERRORS = {
    400: "The request cannot be read.",
    401: "No valid token.",
    402: "The plan has no API access.",
    403: "The role or the token's scope does not allow this.",
    404: "Not found, or not visible to the caller.",
    405: "No such method here.",
    409: "The record's state, or the key's, forbids it.",
    413: "The body is too large.",
    422: "`fields` lists the errors.",
    429: "Too many requests; wait `Retry-After` seconds.",
    500: "Internal error.",
}
_RATE_HEADERS: Schema = {
    f"X-RateLimit-{name}": {"required": True, "schema": {"type": "string", "pattern": "^[0-9]+$"}, "description": text}
    for name, text in (
        ("Limit", "Requests in the tighter window."),
        ("Remaining", "Remaining requests in this window."),
        ("Reset", "Unix seconds at which the window ends."),
    )
}


@require_safe
def openapi_view(request: HttpRequest) -> HttpResponse:
    """Return the document; no token is required."""
    return JsonResponse(openapi_document())


@cache
def openapi_document() -> dict[str, Any]:
    """Return the document. Paths are relative to the server's `/v1`."""
    paths: dict[str, dict[str, Any]] = {}
    for operation in OPERATIONS:
        paths.setdefault(f"/v1{operation.path}", {})[operation.method.lower()] = _operation(operation)
    return {
        "openapi": "3.1.0",
        "info": {
            "title": "Hoursmith sandbox",
            "version": "1",
            "description": "The Hoursmith REST API v1 of the embedded workspace.",
        },
        "servers": [{"url": "/sandbox/api"}],
        "security": [{"token": []}],
        "paths": paths,
        "components": {
            "securitySchemes": {"token": {"type": "http", "scheme": "bearer", "description": "hsk_…"}},
            "schemas": _schemas(),
        },
    }


def _schemas() -> dict[str, Schema]:
    found = {name: _response_schema(fields) for name, fields in _RECORDS.items()}
    for operation in OPERATIONS:
        if operation.fields:
            found[_body_name(operation)] = _body_schema(operation.fields, creating=operation.creates)
    found["Pagination"] = _object(
        {"nextCursor": {"type": ["string", "null"]}, "limit": LIMIT.schema()}, ["nextCursor", "limit"]
    )
    found["Error"] = _object({"error": _error_schema()}, ["error"])
    return found


def _error_schema() -> Schema:
    return _object(
        {
            "code": {"type": "string", "description": "Machine-readable; do not parse the message."},
            "message": {"type": "string"},
            "fields": {"type": "object", "additionalProperties": {"type": "string"}},
            "requiredPlan": {"type": "string"},
            "feature": {"type": "string"},
        },
        ["code", "message"],
    )


def _object(properties: dict[str, Any], required: list[str]) -> Schema:
    found: Schema = {"type": "object", "properties": properties, "additionalProperties": False}
    return {**found, "required": required} if required else found


def _response_schema(fields: Iterable[Field]) -> Schema:
    shown = [field for field in fields if not field.write_only]
    # Members do not get these fields, so they are not required.
    return _object(
        {field.name: field.response_schema() for field in shown},
        [field.name for field in shown if not field.hidden_from_members],
    )


def _body_schema(fields: Iterable[Field], *, creating: bool) -> Schema:
    taken = [field for field in fields if not field.read_only]
    properties = {}
    for field in taken:
        properties[field.name] = field.request_schema()
        if creating and field.default is not None:
            properties[field.name] = {**properties[field.name], "default": field.default}
    return _object(properties, [field.name for field in taken if field.required] if creating else [])


def _body_name(operation: Operation) -> str:
    return f"{operation.record}{'Create' if operation.creates else 'Update'}"


def _operation(operation: Operation) -> dict[str, Any]:
    found: dict[str, Any] = {
        "operationId": operation.name,
        "summary": operation.summary,
        "tags": [operation.record],
        "description": f"For {', '.join(role.title() for role in operation.roles_in_order)}.",
        "parameters": list(_parameters(operation)),
        "responses": _responses(operation),
    }
    if operation.fields is not None:
        schema: Schema = {"$ref": f"#/components/schemas/{_body_name(operation)}"}
        if not operation.fields:
            schema = _object({}, [])
        found["requestBody"] = {
            "required": bool(operation.fields),
            "content": {"application/json": {"schema": schema}},
        }
    return found


def _parameters(operation: Operation) -> Iterable[dict[str, Any]]:
    if "{id}" in operation.path:
        yield _parameter("id", {"type": "string", "format": "uuid"}, place="path")
    if operation.method == "POST":
        yield _parameter("Idempotency-Key", KEY.schema(), place="header")
    if operation.listing is not None:
        yield from _list_parameters(operation.listing)


def _list_parameters(listing: Listing) -> Iterable[dict[str, Any]]:
    yield _parameter("limit", {**LIMIT.schema(), "default": DEFAULT_LIMIT})
    yield _parameter("cursor", {**CURSOR.schema(), "description": "`nextCursor` of the previous page."})
    yield _parameter("sort", {"type": "string", "enum": listing.orders, "default": DEFAULT_SORT})
    yield _parameter("search", SEARCH.schema())
    for each in listing.filters:
        yield _parameter(each.name, each.value_type.query_schema())
    for name, (_, value_type, _lower) in listing.bounds().items():
        yield _parameter(name, value_type.query_schema())


def _parameter(name: str, schema: Schema, *, place: str = "query") -> dict[str, Any]:
    return {"name": name, "in": place, "required": place != "query", "schema": schema}


def _responses(operation: Operation) -> dict[str, Any]:
    found: dict[str, Any] = {str(operation.status): _success(operation)}
    error = {"application/json": {"schema": {"$ref": "#/components/schemas/Error"}}}
    for status, description in _ERRORS.items():
        found[str(status)] = {"description": description, "headers": _RATE_HEADERS, "content": error}
    return found


def _success(operation: Operation) -> dict[str, Any]:
    found: dict[str, Any] = {"description": operation.shape.value.capitalize() + ".", "headers": _RATE_HEADERS}
    record: Schema = {"$ref": f"#/components/schemas/{operation.record}"}
    if operation.shape is Shape.NOTHING:
        return found
    if operation.shape is Shape.PAGE:
        page = {"data": {"type": "array", "items": record}, "pagination": {"$ref": "#/components/schemas/Pagination"}}
        schema = _object(page, ["data", "pagination"])
    elif operation.shape is Shape.RECORD_OR_NULL:
        schema = _object({"data": {"anyOf": [record, {"type": "null"}]}}, ["data"])
    else:
        schema = _object({"data": record}, ["data"])
    return {**found, "content": {"application/json": {"schema": schema}}}
