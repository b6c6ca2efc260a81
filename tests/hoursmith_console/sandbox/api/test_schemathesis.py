"""The API against its own OpenAPI document: schemathesis sends what the document allows, and what it forbids."""

import itertools
import json
from typing import Any

import pytest
import schemathesis
from django.core.wsgi import get_wsgi_application
from hypothesis import HealthCheck, settings
from schemathesis.config import SchemathesisConfig
from schemathesis.specs.openapi.checks import positive_data_acceptance

from hoursmith_console.sandbox.api.openapi import openapi_document
from tests.hoursmith_console.sandbox.fixtures import World

pytestmark = [pytest.mark.django_db(databases="__all__"), pytest.mark.usefixtures("no_limits")]


PATHS = sorted(openapi_document()["paths"])
# What these take is of the same kinds as what the others take, only more of it.
_ALIKE = ["list_invoices", "list_tasks", "list_projects", "update_client", "update_project", "update_task"]


def _loaded(request: pytest.FixtureRequest, *, boundaries: bool) -> Any:
    """The document of one path; with `boundaries` every field and parameter is tried at its limits and just beyond."""
    # It names tests as pytest did before 9.2.
    request.node._nodeid = request.node.nodeid
    document = json.loads(json.dumps(openapi_document()))
    document["paths"] = {request.param: document["paths"][request.param]}
    config = SchemathesisConfig.from_dict(
        {"phases": {"examples": {"enabled": False}, "coverage": {"enabled": boundaries}}}
    )
    found = schemathesis.openapi.from_dict(document, config=config)
    found.app = get_wsgi_application()
    return found


# Made as their tests begin: every process of a run collects all tests, and this takes it five seconds.
@pytest.fixture(params=[path for path in PATHS if path != "/v1/invoices"])
def path_at_boundaries(request: pytest.FixtureRequest) -> Any:
    return _loaded(request, boundaries=True)


@pytest.fixture(params=PATHS)
def path_at_random(request: pytest.FixtureRequest) -> Any:
    return _loaded(request, boundaries=False)


at_boundaries = schemathesis.pytest.from_fixture("path_at_boundaries").exclude(operation_id=_ALIKE)
at_random = schemathesis.pytest.from_fixture("path_at_random")

# Rules between fields and about records, which a schema cannot say: what they refuse is no fault of the document.
_BEYOND_SCHEMA = {
    "budgetAmount", "fixedFeeAmount", "dueDate", "startedAt", "stoppedAt", "durationSeconds",
    "clientId", "projectId", "taskId", "assigneeIds",
}  # fmt: skip
_DECIMALS = "must have at most 2 decimals"
_numbers = itertools.count()


def _bounded(examples: int) -> Any:
    return settings(
        max_examples=examples, deadline=None, derandomize=True, database=None, suppress_health_check=list(HealthCheck)
    )


def _make_real(case: Any, world: World) -> None:
    """Name records that exist, and use a new key, so that what the document allows gets past the door."""
    records = {
        "/v1/clients": world.client,
        "/v1/projects": world.site,
        "/v1/tasks": world.own_task,
        "/v1/time-entries": world.own_entry,
        "/v1/expenses": world.expense,
        "/v1/invoices": world.invoice,
    }
    for path, record in records.items():
        if case.path.startswith(f"{path}/{{id}}"):
            case.path_parameters["id"] = str(record.pk)
    case.query.pop("cursor", None)
    if case.method == "POST":
        case.headers["Idempotency-Key"] = f"key {next(_numbers)}"
    real = {"clientId": world.client, "projectId": world.site, "taskId": world.own_task}
    if isinstance(case.body, dict):
        case.body.update({name: str(real[name].pk) for name in case.body.keys() & real.keys()})


def _check(case: Any, world: World, token: str) -> None:
    is_positive = case.meta is None or case.meta.generation.mode.is_positive
    if is_positive:
        _make_real(case, world)
    is_write = case.method in ("POST", "PATCH")
    headers = {"Authorization": f"Bearer {token}"}
    answer = case.call(headers=headers)
    beyond = [positive_data_acceptance] if is_write else []
    case.validate_response(answer, excluded_checks=beyond, headers=headers, transport_kwargs={"headers": headers})
    if is_positive and is_write and answer.status_code == 422:
        faults = answer.json()["error"]["fields"]
        assert all(name in _BEYOND_SCHEMA or reason == _DECIMALS for name, reason in faults.items()), faults


@at_boundaries.parametrize()
@_bounded(1)
def test_the_api_keeps_to_its_document_at_the_limits_of_every_value(case: Any, world: World) -> None:
    _check(case, world, world.admin.token)


@at_random.parametrize()
@_bounded(4)
def test_the_api_keeps_to_its_document_for_an_admin(case: Any, world: World) -> None:
    _check(case, world, world.admin.token)


@at_random.parametrize()
@_bounded(2)
def test_the_api_keeps_to_its_document_for_a_member(case: Any, world: World) -> None:
    _check(case, world, world.member.token)
