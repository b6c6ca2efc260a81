"""The OpenAPI document: public, whole, and written from the same declarations that the API runs on."""

import json
from typing import Any

import pytest
from django.test import Client as HttpClient

from hoursmith_console.sandbox.api.openapi import openapi_document
from hoursmith_console.sandbox.api.resources import OPERATIONS
from tests.hoursmith_console.sandbox.fixtures import World

pytestmark = pytest.mark.django_db(databases="__all__")


@pytest.fixture
def document() -> dict[str, Any]:
    answer = HttpClient().get("/sandbox/api/openapi.json")
    assert answer.status_code == 200
    found: dict[str, Any] = answer.json()
    return found


def test_anybody_may_read_it_and_nobody_change_it(document: dict[str, Any]) -> None:
    assert document["openapi"].startswith("3.1")
    assert HttpClient().post("/sandbox/api/openapi.json").status_code == 405


def test_it_names_every_operation_by_the_tools_name(document: dict[str, Any]) -> None:
    named = {
        operation["operationId"]: (method.upper(), path)
        for path, methods in document["paths"].items()
        for method, operation in methods.items()
    }
    assert named == {operation.name: (operation.method, f"/v1{operation.path}") for operation in OPERATIONS}


def test_every_reference_in_it_leads_somewhere(document: dict[str, Any]) -> None:
    names = {part.split('"')[0] for part in json.dumps(document).split('"#/components/schemas/')[1:]}
    assert names <= set(document["components"]["schemas"])
    assert {"ClientCreate", "ProjectUpdate", "TimeEntry", "Error"} <= names


def test_every_write_names_its_key_and_every_answer_its_limits(document: dict[str, Any]) -> None:
    for path, methods in document["paths"].items():
        for method, operation in methods.items():
            named = {parameter["name"] for parameter in operation["parameters"]}
            assert ("Idempotency-Key" in named) == (method == "post"), path
            for answer in operation["responses"].values():
                assert "X-RateLimit-Remaining" in answer["headers"]


def test_answers_have_exactly_the_fields_of_the_document(world: World) -> None:
    schemas = openapi_document()["components"]["schemas"]
    answers = {
        "Me": "/me",
        "Organization": "/organization",
        "Client": f"/clients/{world.client.pk}",
        "Project": f"/projects/{world.site.pk}",
        "Task": f"/tasks/{world.own_task.pk}",
        "TimeEntry": f"/time-entries/{world.own_entry.pk}",
        "Expense": f"/expenses/{world.expense.pk}",
        "Invoice": f"/invoices/{world.invoice.pk}",
    }
    for name, address in answers.items():
        assert set(world.owner.get(address).json()["data"]) == set(schemas[name]["properties"]), name
    assert set(world.owner.list("/members")[0]) == set(schemas["Member"]["properties"])
