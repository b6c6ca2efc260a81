"""Tasks: their defaults, people, tags, and archiving."""

from typing import Any

import pytest

from tests.hoursmith_console.sandbox.fixtures import NOWHERE, World, code, fields

pytestmark = [pytest.mark.django_db(databases="__all__"), pytest.mark.usefixtures("no_limits")]


def _make(world: World, **more: Any) -> Any:
    return world.owner.post("/tasks", {"projectId": str(world.site.pk), "name": "New", **more})


def test_a_new_task_has_the_defaults(world: World) -> None:
    made = _make(world).json()["data"]
    assert (made["status"], made["priority"], made["billable"]) == ("TODO", "MEDIUM", True)
    assert (made["assigneeIds"], made["tags"], made["estimatedHours"]) == ([], [], None)


def test_people_and_tags_replace_those_before_and_null_clears_them(world: World) -> None:
    everybody = [world.member.user_id, world.owner.user_id]
    made = _make(world, assigneeIds=everybody, tags=["b", "a", "b"]).json()["data"]
    assert sorted(made["assigneeIds"]) == sorted(everybody)
    assert made["tags"] == ["b", "a"]
    address = f"/tasks/{made['id']}"
    changed = world.owner.patch(address, {"assigneeIds": [world.member.user_id], "tags": ["c"]}).json()["data"]
    assert (changed["assigneeIds"], changed["tags"]) == ([world.member.user_id], ["c"])
    cleared = world.owner.patch(address, {"assigneeIds": None, "tags": None}).json()["data"]
    assert (cleared["assigneeIds"], cleared["tags"]) == ([], [])


@pytest.mark.parametrize(
    ("more", "faulty"),
    [
        ({"projectId": NOWHERE}, "projectId"),
        ({"assigneeIds": [NOWHERE]}, "assigneeIds"),
        ({"assigneeIds": ["x"]}, "assigneeIds"),
        ({"assigneeIds": NOWHERE}, "assigneeIds"),
        ({"assigneeIds": [NOWHERE] * 101}, "assigneeIds"),
        ({"tags": [""]}, "tags"),
        ({"tags": ["x" * 101]}, "tags"),
        ({"tags": [["x"]]}, "tags"),
        ({"priority": "URGENT"}, "priority"),
        ({"estimatedHours": -1}, "estimatedHours"),
    ],
)
def test_what_does_not_fit_is_named(world: World, more: dict[str, Any], faulty: str) -> None:
    assert list(fields(_make(world, **more))) == [faulty]


def test_people_of_other_workspaces_or_gone_ones_cannot_be_assigned(world: World, outside: World) -> None:
    assert list(fields(_make(world, assigneeIds=[outside.owner.user_id]))) == ["assigneeIds"]
    world.admin.member.is_active = False
    world.admin.member.save()
    assert list(fields(_make(world, assigneeIds=[world.admin.user_id]))) == ["assigneeIds"]


def test_a_task_with_time_on_it_cannot_move_to_another_project(world: World) -> None:
    address = f"/tasks/{world.own_task.pk}"
    entry = world.entry(world.member, world.site, task=world.own_task)
    assert code(world.owner.patch(address, {"projectId": str(world.shop.pk)})) == (409, "conflict")
    entry.delete()
    assert world.owner.patch(address, {"projectId": str(world.shop.pk)}).status_code == 200


def test_archiving_twice_keeps_the_first_instant(world: World) -> None:
    address = f"/tasks/{world.own_task.pk}/archive"
    first = world.owner.post(address).json()["data"]
    assert first["deletedAt"] is not None
    assert world.owner.post(address).json()["data"]["deletedAt"] == first["deletedAt"]
