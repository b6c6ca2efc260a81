"""Every role at every endpoint, as the table of the contract's section 3 says."""

from typing import Any

import pytest

from hoursmith_console.sandbox.api.resources import OPERATIONS
from hoursmith_console.sandbox.models import Project, Task
from tests.hoursmith_console.sandbox.fixtures import NOWHERE, ROLES, STAFF, World, code

pytestmark = pytest.mark.django_db(databases="__all__")

_DAY = "2026-03-03"


def _calls(world: World) -> dict[str, tuple[str, str, Any]]:
    """One call that would succeed for each operation, by its name."""
    clients, projects, tasks = (
        f"/clients/{world.client.pk}",
        f"/projects/{world.site.pk}",
        f"/tasks/{world.own_task.pk}",
    )
    entry, expense = f"/time-entries/{world.own_entry.pk}", f"/expenses/{world.expense.pk}"
    site, client = str(world.site.pk), str(world.client.pk)
    return {
        "get_me": ("GET", "/me", None),
        "get_organization": ("GET", "/organization", None),
        "list_clients": ("GET", "/clients", None),
        "get_client": ("GET", clients, None),
        "create_client": ("POST", "/clients", {"name": "New"}),
        "update_client": ("PATCH", clients, {"notes": "x"}),
        "delete_client": ("DELETE", f"/clients/{world.idle_client.pk}", None),
        "list_projects": ("GET", "/projects", None),
        "get_project": ("GET", projects, None),
        "create_project": ("POST", "/projects", {"clientId": client, "name": "New"}),
        "update_project": ("PATCH", projects, {"name": "Renamed"}),
        "archive_project": ("POST", f"{projects}/archive", None),
        "list_tasks": ("GET", "/tasks", None),
        "get_task": ("GET", tasks, None),
        "create_task": ("POST", "/tasks", {"projectId": site, "name": "New"}),
        "update_task": ("PATCH", tasks, {"status": "DONE"}),
        "archive_task": ("POST", f"{tasks}/archive", None),
        "list_time_entries": ("GET", "/time-entries", None),
        "get_running_timer": ("GET", "/time-entries/running", None),
        "get_time_entry": ("GET", entry, None),
        "create_time_entry": ("POST", "/time-entries", {"projectId": site, "entryDate": _DAY, "duration": "1h"}),
        "update_time_entry": ("PATCH", entry, {"note": "x"}),
        "delete_time_entry": ("DELETE", entry, None),
        "list_expenses": ("GET", "/expenses", None),
        "get_expense": ("GET", expense, None),
        "create_expense": (
            "POST",
            "/expenses",
            {"clientId": client, "description": "Taxi", "amount": "9.90", "expenseDate": _DAY},
        ),
        "update_expense": ("PATCH", expense, {"amount": 3}),
        "delete_expense": ("DELETE", expense, None),
        "list_invoices": ("GET", "/invoices", None),
        "get_invoice": ("GET", f"/invoices/{world.invoice.pk}", None),
        "list_members": ("GET", "/members", None),
    }


_NOT_FOR_MEMBERS = {
    "list_clients", "get_client", "create_client", "update_client", "delete_client",
    "create_project", "update_project", "archive_project", "create_task", "archive_task",
    "list_expenses", "get_expense", "create_expense", "update_expense", "delete_expense",
    "list_invoices", "get_invoice",
}  # fmt: skip


def test_the_api_has_the_31_operations_of_the_contract(world: World) -> None:
    assert {operation.name for operation in OPERATIONS} == set(_calls(world))
    assert len(OPERATIONS) == 31


@pytest.mark.parametrize("role", ROLES)
@pytest.mark.parametrize("name", [operation.name for operation in OPERATIONS])
def test_each_role_may_do_what_the_table_says_and_nothing_else(world: World, role: str, name: str) -> None:
    method, path, body = _calls(world)[name]
    call = world.caller(role)
    answer = call.post(path, body) if method == "POST" else call.call(method, path, body)
    if role == "member" and name in _NOT_FOR_MEMBERS:
        assert code(answer) == (403, "forbidden_scope")
    else:
        expected = {"DELETE": 204}.get(method, 201 if name.startswith("create_") else 200)
        assert answer.status_code == expected, answer.content


@pytest.mark.parametrize("name", [operation.name for operation in OPERATIONS])
def test_a_token_without_write_reads_everything_and_changes_nothing(world: World, name: str) -> None:
    method, path, body = _calls(world)[name]
    reader = world.narrowed(world.owner, "read")
    answer = reader.post(path, body) if method == "POST" else reader.call(method, path, body)
    assert code(answer) == ((200, "") if method == "GET" else (403, "forbidden_scope"))


def test_a_token_without_read_shows_nothing(world: World) -> None:
    assert code(world.narrowed(world.owner, "write").get("/me")) == (403, "forbidden_scope")


@pytest.mark.parametrize("name", [operation.name for operation in OPERATIONS])
def test_an_outsider_finds_none_of_the_records(world: World, outside: World, name: str) -> None:
    method, path, body = _calls(world)[name]
    answer = outside.owner.post(path, body) if method == "POST" else outside.owner.call(method, path, body)
    if str(world.org.pk) in answer.content.decode():
        pytest.fail("The answer names the other workspace.")
    if path.count("/") > 1 and not path.endswith("/running"):
        assert code(answer) == (404, "not_found")
    elif body and any(name.endswith("Id") for name in body):
        assert code(answer) == (422, "validation_error")


def test_members_see_only_projects_they_are_on(world: World) -> None:
    assert [row["name"] for row in world.member.list("/projects")] == ["Site"]
    assert code(world.member.get(f"/projects/{world.shop.pk}")) == (404, "not_found")
    for role in STAFF:
        assert {row["name"] for row in world.caller(role).list("/projects")} == {"Site", "Shop"}


def test_members_see_only_tasks_of_their_projects(world: World) -> None:
    assert {row["name"] for row in world.member.list("/tasks")} == {"Draft", "Review"}
    assert code(world.member.get(f"/tasks/{world.shop_task.pk}")) == (404, "not_found")


def test_members_change_only_tasks_assigned_to_them(world: World) -> None:
    done = {"status": "DONE"}
    assert world.member.patch(f"/tasks/{world.own_task.pk}", done).status_code == 200
    assert code(world.member.patch(f"/tasks/{world.open_task.pk}", done)) == (403, "forbidden_scope")
    assert code(world.member.patch(f"/tasks/{world.shop_task.pk}", done)) == (404, "not_found")
    assert Task.objects.get(pk=world.open_task.pk).status == "TODO"


def test_members_cannot_move_their_task_into_a_project_they_do_not_see(world: World) -> None:
    answer = world.member.patch(f"/tasks/{world.own_task.pk}", {"projectId": str(world.shop.pk)})
    assert code(answer) == (422, "validation_error")


def test_members_see_only_their_own_time_whatever_they_ask_for(world: World) -> None:
    mine = {str(world.own_entry.pk), str(world.locked_entry.pk)}
    for query in ("", f"?userId={world.other_member.user_id}", f"?userId={NOWHERE}"):
        assert {row["id"] for row in world.member.list(f"/time-entries{query}")} == mine
    for method in ("GET", "PATCH", "DELETE"):
        answer = world.member.call(method, f"/time-entries/{world.other_entry.pk}", {"note": "x"})
        assert code(answer) == (404, "not_found")


def test_the_staff_filters_time_by_person_and_changes_anyones(world: World) -> None:
    for role in STAFF:
        rows = world.caller(role).list(f"/time-entries?userId={world.other_member.user_id}")
        assert [row["id"] for row in rows] == [str(world.other_entry.pk)]
        assert world.caller(role).patch(f"/time-entries/{world.own_entry.pk}", {"note": role}).status_code == 200


def test_members_cannot_log_time_on_projects_they_do_not_see(world: World) -> None:
    body = {"projectId": str(world.shop.pk), "entryDate": _DAY, "durationSeconds": 60}
    assert "projectId" in world.member.post("/time-entries", body).json()["error"]["fields"]


def test_a_new_entry_belongs_to_the_tokens_member(world: World) -> None:
    body = {"projectId": str(world.shop.pk), "entryDate": _DAY, "durationSeconds": 60}
    assert world.manager.post("/time-entries", body).json()["data"]["userId"] == world.manager.user_id
    refused = world.manager.post("/time-entries", {**body, "userId": world.member.user_id})
    assert refused.json()["error"]["fields"] == {"userId": "cannot be set"}


def test_members_see_only_their_own_membership(world: World) -> None:
    assert [row["email"] for row in world.member.list("/members")] == ["max@acme.example"]
    assert len(world.manager.list("/members")) == 5


@pytest.mark.parametrize("role", ROLES)
def test_members_get_projects_without_money_and_the_others_with_it(world: World, role: str) -> None:
    Project.objects.filter(pk=world.site.pk).update(budget_amount=500)
    money = {"hourlyRate", "fixedFeeAmount", "budgetAmount"}
    one = world.caller(role).get(f"/projects/{world.site.pk}").json()["data"]
    listed = world.caller(role).list("/projects?search=site")[0]
    assert one == listed
    assert money & one.keys() == (set() if role == "member" else money)
    if role != "member":
        assert (one["hourlyRate"], one["budgetAmount"]) == ("90.00", "500.00")


def test_me_says_role_scopes_and_projects_but_no_person(world: World) -> None:
    me = world.narrowed(world.member, "read").get("/me").json()["data"]
    assert me == {
        "orgId": str(world.org.pk),
        "orgName": "Acme",
        "plan": "agency",
        "role": "MEMBER",
        "tokenName": "narrow",
        "scopes": ["read"],
        "projectIds": [str(world.site.pk)],
    }


def test_a_changed_role_is_felt_on_the_next_request(world: World) -> None:
    member = world.manager.member
    assert world.manager.get("/clients").status_code == 200
    member.role = "MEMBER"
    member.save()
    assert code(world.manager.get("/clients")) == (403, "forbidden_scope")


def test_assigning_a_task_to_a_member_puts_them_on_its_project(world: World) -> None:
    nora = world.other_member
    assert code(nora.get(f"/projects/{world.site.pk}")) == (404, "not_found")
    body = {"assigneeIds": [nora.user_id, world.manager.user_id]}
    answer = world.manager.patch(f"/tasks/{world.open_task.pk}", body)
    assert sorted(answer.json()["data"]["assigneeIds"]) == sorted(body["assigneeIds"])
    assert nora.get(f"/projects/{world.site.pk}").status_code == 200
    # The staff sees every project anyway and is put on none.
    assert not world.site.people.filter(pk=world.manager.member.user_id).exists()


def test_a_task_that_moves_takes_its_members_along(world: World) -> None:
    world.manager.patch(f"/tasks/{world.own_task.pk}", {"projectId": str(world.shop.pk)})
    assert world.member.get(f"/projects/{world.shop.pk}").status_code == 200
