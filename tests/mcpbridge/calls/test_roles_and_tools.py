"""Every role with every tool gets exactly what the contract's matrix says (section 3), through a served console."""

import dataclasses
import uuid

import httpx
import jsonschema_rs
import pytest

from mcpbridge.models import CallKind
from mcpbridge.tools import READ_TOOLS, TOOLS
from tests.mcpbridge.factories import NOWHERE, ROLES, Cast, cast_of, every, refusal
from tests.servers import Served

pytestmark = pytest.mark.usefixtures("quiet_log")

STAFF = ROLES[:3]
WRITES = [name for name in TOOLS if name not in READ_TOOLS]
WITH_ID = [name for name, tool in TOOLS.items() if "id" in tool.required]
MONEY = {"hourlyRate", "fixedFeeAmount", "budgetAmount"}
# What the matrix leaves to Members; the other 17 answer them with 403.
MEMBERS_MAY = {
    "get_me",
    "get_organization",
    "list_projects",
    "get_project",
    "list_tasks",
    "get_task",
    "update_task",
    "list_time_entries",
    "get_time_entry",
    "get_running_timer",
    "create_time_entry",
    "update_time_entry",
    "delete_time_entry",
    "list_members",
}


@pytest.fixture(scope="module")
def cast(console: Served, http: httpx.Client) -> Cast:
    return cast_of(console, http)


@pytest.mark.parametrize("role", ROLES)
@pytest.mark.parametrize("tool", TOOLS)
def test_a_role_may_exactly_what_the_matrix_says(cast: Cast, role: str, tool: str) -> None:
    wire, arguments = cast.by_role[role], cast.arguments(tool, role)
    if role == "MEMBER" and tool not in MEMBERS_MAY:
        refusal(wire, tool, arguments, 403, "forbidden_scope")
        return
    result = wire.call(tool, arguments)
    assert not result.get("isError"), result
    jsonschema_rs.validate(TOOLS[tool].output_schema, result["structuredContent"])
    if TOOLS[tool].method == "DELETE":
        assert result["structuredContent"] == {"data": None}
        refusal(wire, tool, arguments, 404, "not_found")


@pytest.mark.parametrize("tool", WITH_ID)
def test_a_record_that_does_not_exist_is_not_found(cast: Cast, tool: str) -> None:
    arguments = {**cast.arguments(tool, "OWNER"), "id": NOWHERE}
    for role in STAFF:
        refusal(cast.by_role[role], tool, arguments, 404, "not_found")
    # To those without the right it makes no difference whether there is one.
    status, code = (404, "not_found") if tool in MEMBERS_MAY else (403, "forbidden_scope")
    refusal(cast.bob, tool, arguments, status, code)


def test_what_a_member_is_not_on_does_not_exist_for_them(cast: Cast) -> None:
    elsewhere, hers = cast.task(project=cast.other), cast.entry(cast.charlie)
    for tool, arguments in (
        ("get_project", {"id": cast.other}),
        ("get_task", {"id": elsewhere}),
        ("update_task", {"id": elsewhere, "status": "DONE"}),
        ("get_time_entry", {"id": hers}),
        ("update_time_entry", {"id": hers, "note": "Mine now"}),
        ("delete_time_entry", {"id": hers}),
    ):
        refusal(cast.bob, tool, arguments, 404, "not_found")
    assert cast.charlie.data("get_time_entry", id=hers)["note"] == "Cast"
    error = cast.bob.error("create_time_entry", projectId=cast.other, entryDate="2026-11-02", duration="1h")
    assert error["status"] in (404, 422)


def test_a_member_sees_a_colleagues_task_and_cannot_change_it(cast: Cast) -> None:
    hers = cast.task(assignees=(cast.charlie_id,))
    assert cast.bob.data("get_task", id=hers)["status"] == "TODO"
    refusal(cast.bob, "update_task", {"id": hers, "status": "DONE"}, 403, "forbidden_scope")
    assert cast.charlie.data("update_task", id=hers, status="done")["status"] == "DONE"


def test_assigning_a_task_to_a_member_puts_them_on_its_project(cast: Cast) -> None:
    project = cast.project()
    refusal(cast.bob, "get_project", {"id": project}, 404, "not_found")
    cast.task(project=project, assignees=(cast.bob_id,))
    assert cast.bob.data("get_project", id=project)["id"] == project
    assert project in cast.bob.data("get_me")["projectIds"]


def test_members_are_blind_to_money(cast: Cast) -> None:
    for tool, arguments in (("get_project", {"id": cast.mine}), ("list_projects", {"clientId": cast.client})):
        for wire, sees in ((cast.bob, False), *((cast.by_role[role], True) for role in STAFF)):
            data = wire.data(tool, **arguments)
            for project in data if isinstance(data, list) else [data]:
                assert MONEY & project.keys() == (MONEY if sees else set())
    assert cast.alice.data("get_project", id=cast.mine)["hourlyRate"] == "95.50"
    found = cast.bob.call("list_time_entries", {"limit": 200})["content"][0]["text"]
    assert not any(word in found.lower() for word in ("rate", "amount", "budget"))


def test_a_members_lists_are_pinned_to_what_is_theirs(cast: Cast) -> None:
    cast.entry(cast.bob)
    cast.entry(cast.charlie)
    for filters in ({}, {"userId": cast.charlie_id}, {"userId": NOWHERE}):
        assert {entry["userId"] for entry in every(cast.bob, "list_time_entries", **filters)} == {cast.bob_id}
    on = set(cast.bob.data("get_me")["projectIds"])
    assert cast.mine in on
    assert cast.other not in on
    assert {project["id"] for project in every(cast.bob, "list_projects")} <= on
    for project in {task["projectId"] for task in every(cast.bob, "list_tasks")}:
        assert cast.bob.data("get_project", id=project)["id"] == project
    assert [member["userId"] for member in every(cast.bob, "list_members")] == [cast.bob_id]


def test_staff_see_everyones_time_and_members(cast: Cast) -> None:
    cast.entry(cast.charlie)
    for role in STAFF:
        found = cast.by_role[role].data("list_time_entries", userId=cast.charlie_id)
        assert {entry["userId"] for entry in found} == {cast.charlie_id}
        assert len(cast.by_role[role].data("list_members")) >= 6


def test_a_new_time_entry_belongs_to_the_tokens_member(cast: Cast) -> None:
    entry = cast.alice.data("get_time_entry", id=cast.entry(cast.bob))
    assert (entry["userId"], entry["durationSeconds"]) == (cast.bob_id, 5400)


@pytest.mark.parametrize("role", ROLES)
def test_invoiced_time_is_locked_for_everybody(cast: Cast, role: str) -> None:
    locked = cast.locked_entry(cast.bob_id)
    for tool, more in (("update_time_entry", {"note": "Later"}), ("delete_time_entry", {})):
        refusal(cast.by_role[role], tool, {"id": locked, **more}, 409, "conflict")
    assert cast.alice.data("get_time_entry", id=locked)["note"] != "Later"


@pytest.mark.parametrize("role", STAFF)
def test_invoiced_expenses_and_busy_clients_are_locked_for_everybody(cast: Cast, role: str) -> None:
    invoiced = cast.alice.data("list_invoices", limit=1)[0]["clientId"]
    for tool, arguments in (
        ("update_expense", {"id": cast.locked_expense(), "amount": 1}),
        ("delete_expense", {"id": cast.locked_expense()}),
        ("delete_client", {"id": cast.client}),
        ("delete_client", {"id": invoiced}),
    ):
        refusal(cast.by_role[role], tool, arguments, 409, "conflict")


def test_archived_records_leave_the_lists_and_still_answer(cast: Cast) -> None:
    project, other = cast.project(), cast.project()
    task = cast.task(project=project)
    assert cast.alice.data("archive_task", id=task)["deletedAt"]
    assert cast.alice.data("archive_project", id=project)["status"] == "ARCHIVED"
    assert cast.alice.data("list_tasks", projectId=project) == []
    listed = {found["id"] for found in every(cast.alice, "list_projects", status="ACTIVE")}
    assert (project in listed, other in listed) == (False, True)
    assert cast.alice.data("get_task", id=task)["deletedAt"]
    assert cast.alice.data("update_project", id=project, status="ACTIVE")["deletedAt"] is None


def test_a_key_makes_a_repeated_call_harmless(cast: Cast) -> None:
    call = {"name": f"Once {uuid.uuid4()}", "idempotencyKey": str(uuid.uuid4())}
    first, second = (cast.alice.data("create_client", **call) for _ in range(2))
    assert first == second
    refusal(cast.alice, "create_client", {**call, "name": "Other"}, 409, "conflict")
    without = {"name": call["name"]}
    assert cast.alice.data("create_client", **without)["id"] != cast.alice.data("create_client", **without)["id"]


@pytest.mark.parametrize("tool", TOOLS)
def test_a_token_without_the_write_scope_only_reads(cast: Cast, tool: str) -> None:
    arguments = cast.arguments(tool, "OWNER")
    if tool in READ_TOOLS:
        cast.reader.data(tool, **arguments)
    else:
        refusal(cast.reader, tool, arguments, 403, "forbidden_scope")


@pytest.mark.parametrize("tool", TOOLS)
def test_the_readonly_address_only_reads(cast: Cast, tool: str) -> None:
    arguments = cast.arguments(tool, "OWNER")
    wire = dataclasses.replace(cast.alice, url=f"{cast.alice.url}/readonly")
    if tool in READ_TOOLS:
        wire.data(tool, **arguments)
    else:
        refusal(wire, tool, arguments, 403, "read_only")
        if TOOLS[tool].kind is CallKind.DESTRUCTIVE:
            assert cast.alice.data(f"get_{TOOLS[tool].target_type}", id=arguments["id"])["deletedAt"] is None
