"""The catalogue is the contract's: 31 tools, their calls, what they destroy, and words for everything."""

import json
from typing import Any

import pytest
from jsonschema import Draft202012Validator

from mcpbridge.calls.errors import tool_error
from mcpbridge.models import CallKind, Result
from mcpbridge.tools import READ_TOOLS, TOOLS, Tool

CALLS = {
    "get_me": ("GET", "/me"),
    "get_organization": ("GET", "/organization"),
    "list_clients": ("GET", "/clients"),
    "get_client": ("GET", "/clients/{id}"),
    "create_client": ("POST", "/clients"),
    "update_client": ("PATCH", "/clients/{id}"),
    "delete_client": ("DELETE", "/clients/{id}"),
    "list_projects": ("GET", "/projects"),
    "get_project": ("GET", "/projects/{id}"),
    "create_project": ("POST", "/projects"),
    "update_project": ("PATCH", "/projects/{id}"),
    "archive_project": ("POST", "/projects/{id}/archive"),
    "list_tasks": ("GET", "/tasks"),
    "get_task": ("GET", "/tasks/{id}"),
    "create_task": ("POST", "/tasks"),
    "update_task": ("PATCH", "/tasks/{id}"),
    "archive_task": ("POST", "/tasks/{id}/archive"),
    "list_time_entries": ("GET", "/time-entries"),
    "get_time_entry": ("GET", "/time-entries/{id}"),
    "get_running_timer": ("GET", "/time-entries/running"),
    "create_time_entry": ("POST", "/time-entries"),
    "update_time_entry": ("PATCH", "/time-entries/{id}"),
    "delete_time_entry": ("DELETE", "/time-entries/{id}"),
    "list_expenses": ("GET", "/expenses"),
    "get_expense": ("GET", "/expenses/{id}"),
    "create_expense": ("POST", "/expenses"),
    "update_expense": ("PATCH", "/expenses/{id}"),
    "delete_expense": ("DELETE", "/expenses/{id}"),
    "list_invoices": ("GET", "/invoices"),
    "get_invoice": ("GET", "/invoices/{id}"),
    "list_members": ("GET", "/members"),
}
DESTRUCTIVE = {"delete_client", "archive_project", "archive_task", "delete_time_entry", "delete_expense"}

# Section 7: the fields that a list is sorted by, and its arguments besides search, sort, cursor and limit.
LISTS: dict[str, tuple[str, str]] = {
    "list_clients": ("createdAt id name updatedAt", "createdAtFrom createdAtTo updatedAtFrom updatedAtTo"),
    "list_projects": (
        "createdAt dueDate id name startDate status updatedAt",
        "clientId clientName status startDateFrom startDateTo dueDateFrom dueDateTo createdAtFrom createdAtTo",
    ),
    "list_tasks": (
        "createdAt dueDate endDate id name priority startDate status updatedAt",
        "projectId assigneeId status priority billable startDateFrom startDateTo dueDateFrom dueDateTo endDateFrom "
        "endDateTo createdAtFrom createdAtTo",
    ),
    "list_time_entries": (
        "createdAt durationSeconds entryDate id updatedAt",
        "projectId taskId userId billable running entryDateFrom entryDateTo createdAtFrom createdAtTo "
        "durationSecondsMin durationSecondsMax",
    ),
    "list_expenses": (
        "amount createdAt expenseDate id updatedAt",
        "clientId clientName projectId billable category expenseDateFrom expenseDateTo createdAtFrom createdAtTo "
        "amountMin amountMax",
    ),
    "list_invoices": (
        "amountPaid createdAt dueDate id issueDate number paidAt paymentStatus sentAt status total updatedAt",
        "clientId clientName status paymentStatus issueDateFrom issueDateTo dueDateFrom dueDateTo sentAtFrom sentAtTo "
        "paidAtFrom paidAtTo createdAtFrom createdAtTo totalMin totalMax amountPaidMin amountPaidMax",
    ),
    "list_members": ("createdAt id role", "role createdAtFrom createdAtTo"),
}

# Section 9: what a record is created with; the first are needed. What Hoursmith sets by itself is not accepted.
CREATES: dict[str, tuple[str, str]] = {
    "create_client": (
        "name",
        "contactName email phone website currency notes billingAddress billingLine1 billingLine2 billingCity "
        "billingRegion billingPostalCode billingCountry taxNumber defaultRate defaultPaymentTerms defaultTaxRate "
        "requirePoNumber billingEmail",
    ),
    "create_project": (
        "clientId name",
        "description color status rateType hourlyRate fixedFeeAmount budgetHours budgetAmount startDate dueDate",
    ),
    "create_task": (
        "projectId name",
        "description status priority billable estimatedHours assigneeIds tags startDate dueDate endDate",
    ),
    "create_time_entry": (
        "projectId entryDate",
        "taskId durationSeconds duration billable note startedAt stoppedAt",
    ),
    "create_expense": (
        "clientId description amount expenseDate",
        "projectId category customCategory billable",
    ),
}


def every_tool() -> Any:
    return pytest.mark.parametrize("tool", TOOLS.values(), ids=lambda tool: tool.name)


def test_the_tools_are_the_contracts_in_its_order_with_its_calls() -> None:
    assert {name: (tool.method, tool.path) for name, tool in TOOLS.items()} == CALLS
    assert list(TOOLS) == list(CALLS)
    assert len(TOOLS) == 31


def test_exactly_five_tools_destroy_something() -> None:
    assert {name for name, tool in TOOLS.items() if tool.kind is CallKind.DESTRUCTIVE} == DESTRUCTIVE


def test_the_read_tools_are_those_that_only_get() -> None:
    assert set(READ_TOOLS) == {name for name, (method, _) in CALLS.items() if method == "GET"}


@every_tool()
def test_all_four_hints_tell_what_the_call_does(tool: Tool) -> None:
    hints = tool.annotations
    assert hints.read_only is (tool.method == "GET")
    assert hints.destructive is (tool.name in DESTRUCTIVE)
    assert hints.idempotent is (not tool.name.startswith("create_"))
    assert hints.open_world is False


@every_tool()
def test_every_tool_and_every_argument_is_put_into_words(tool: Tool) -> None:
    assert tool.title
    assert not tool.title.endswith(".")
    assert tool.description.endswith(".")
    for name, schema in tool.input_schema["properties"].items():
        assert schema["description"].endswith("."), name


@pytest.mark.parametrize("name", sorted(DESTRUCTIVE))
def test_a_destructive_tool_says_what_is_lost_and_that_it_is_recorded(name: str) -> None:
    description = TOOLS[name].description
    assert "recorded for the workspace's admins" in description
    assert "Ask the user before you call it." in description


@every_tool()
def test_the_schemas_are_json_schema_that_every_client_takes(tool: Tool) -> None:
    for schema in (tool.input_schema, tool.output_schema):
        Draft202012Validator.check_schema(schema)
        assert schema["type"] == "object"
        # Model providers refuse these at the top, and ajv knows no 2020-12 by its address unless told.
        assert not {"anyOf", "oneOf", "allOf", "$schema", "$ref"} & schema.keys()
    assert tool.input_schema["additionalProperties"] is False


@every_tool()
def test_every_argument_has_a_limit(tool: Tool) -> None:
    for name, schema in tool.input_schema["properties"].items():
        kinds = schema["type"] if isinstance(schema["type"], list) else [schema["type"]]
        if "string" in kinds:
            assert {"maxLength", "enum", "pattern"} & schema.keys(), name
        if {"number", "integer"} & set(kinds):
            assert "maximum" in schema, name
            assert {"minimum", "exclusiveMinimum"} & schema.keys(), name
        if "array" in kinds:
            assert {"maxItems", "items"} <= schema.keys(), name


@every_tool()
def test_result_shapes_use_plain_keywords_and_stay_open(tool: Tool) -> None:
    plain = {"type", "properties", "required", "items", "description"}

    def walk(schema: dict[str, Any]) -> None:
        assert schema.keys() <= plain
        for part in schema.get("properties", {}).values():
            walk(part)
        if "items" in schema:
            walk(schema["items"])

    walk(tool.output_schema)


@pytest.mark.parametrize("name", LISTS)
def test_a_list_takes_the_filters_ranges_and_orders_of_the_contract(name: str) -> None:
    sort, arguments = LISTS[name]
    properties = TOOLS[name].input_schema["properties"]
    assert set(properties) == {*arguments.split(), "search", "sort", "cursor", "limit"}
    assert set(properties["sort"]["enum"]) == {order for field in sort.split() for order in (field, f"-{field}")}
    assert properties["sort"]["default"] == "-createdAt"
    assert (properties["limit"]["minimum"], properties["limit"]["maximum"], properties["limit"]["default"]) == (
        1,
        200,
        50,
    )
    assert properties["search"]["maxLength"] == 200


@pytest.mark.parametrize("name", CREATES)
def test_a_create_takes_the_fields_of_the_contract_and_a_key(name: str) -> None:
    needed, others = CREATES[name]
    schema = TOOLS[name].input_schema
    assert set(schema["required"]) == set(needed.split())
    assert set(schema["properties"]) == {*needed.split(), *others.split(), "idempotencyKey"}


@pytest.mark.parametrize("name", CREATES)
def test_an_update_takes_what_a_create_takes_and_clears_only_what_may_be_empty(name: str) -> None:
    needed, others = CREATES[name]
    schema = TOOLS[name.replace("create_", "update_")].input_schema
    assert set(schema["properties"]) == {"id", *needed.split(), *others.split()}
    assert schema["required"] == ["id"]
    assert schema["minProperties"] == 2
    for field in ("id", *needed.split()):
        assert "null" not in schema["properties"][field]["type"]
    assert all("default" not in rules for rules in schema["properties"].values())


def test_no_update_archives_by_the_back_door() -> None:
    assert TOOLS["update_project"].input_schema["properties"]["status"]["enum"] == ["ACTIVE", "COMPLETED"]


@pytest.mark.parametrize("name", [name for name, (method, _) in CALLS.items() if method == "POST"])
def test_every_post_takes_an_optional_key(name: str) -> None:
    schema = TOOLS[name].input_schema
    assert schema["properties"]["idempotencyKey"]["maxLength"] == 255
    assert "idempotencyKey" not in schema["required"]


def test_the_catalogue_stays_small_enough_for_a_models_memory() -> None:
    size = sum(len(json.dumps([tool.description, tool.input_schema])) for tool in TOOLS.values())
    assert size < 60_000


@pytest.mark.parametrize("name", CALLS)
def test_results_of_the_contract_fit_their_shape_and_broken_ones_do_not(name: str) -> None:
    validator = Draft202012Validator(TOOLS[name].output_schema)
    record = {"id": "1", "orgId": "o", "someNewField": {"any": "thing"}}
    if name.startswith("list_"):
        assert validator.is_valid({"data": [record], "pagination": {"nextCursor": None, "limit": 50}})
        assert not validator.is_valid({"data": None})
    else:
        assert validator.is_valid({"data": record})
        may_be_empty = not name.startswith("get_") or name == "get_running_timer"
        assert validator.is_valid({"data": None}) is may_be_empty
    assert not validator.is_valid({"data": "text"})


@pytest.mark.parametrize("name", CALLS)
def test_an_error_fits_the_shape_of_every_tool(name: str) -> None:
    validator = Draft202012Validator(TOOLS[name].output_schema)
    assert validator.is_valid(tool_error("forbidden_scope", 403, Result.REFUSED).payload())
    assert not validator.is_valid({"error": "text"})
