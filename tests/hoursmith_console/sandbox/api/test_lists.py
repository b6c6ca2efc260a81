"""Lists: every filter, sort and range of the contract's section 7, and pages that show each row exactly once."""

from datetime import UTC, datetime
from typing import Any
from urllib.parse import urlencode

import pytest
from django.db import connections, router
from django.test.utils import CaptureQueriesContext
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from hoursmith_console.sandbox.api.resources import OPERATIONS
from hoursmith_console.sandbox.models import Client, Organization, Project, TimeEntry
from tests.generated import examples
from tests.hoursmith_console.sandbox.api.listing import (
    FILTERS,
    NUMBERS,
    RANGES,
    RANKED,
    SEARCHED,
    SORTS,
    WORDS,
    Crowd,
    comparable,
    expected_order,
)
from tests.hoursmith_console.sandbox.fixtures import NOWHERE, Caller, World, code, fields

pytestmark = [pytest.mark.django_db(databases="__all__"), pytest.mark.usefixtures("no_limits")]


@pytest.fixture
def crowd(world: World) -> World:
    Crowd(world)
    return world


def _all(caller: Caller, noun: str, limit: int = 200, **query: Any) -> list[dict[str, Any]]:
    """Every page of a list, one after the other."""
    rows: list[dict[str, Any]] = []
    parameters = {"limit": limit, **query}
    while True:
        answer = caller.get(f"/{noun}?{urlencode(parameters)}")
        assert answer.status_code == 200, answer.content
        found = answer.json()
        assert found["pagination"]["limit"] == limit
        assert len(found["data"]) <= limit
        rows += found["data"]
        cursor = found["pagination"]["nextCursor"]
        if cursor is None:
            return rows
        assert len(found["data"]) == limit
        assert len(cursor) <= 2000
        parameters["cursor"] = cursor


def _ids(rows: list[dict[str, Any]]) -> list[str]:
    return [row["id"] for row in rows]


@pytest.mark.parametrize("noun", SORTS)
def test_a_list_offers_exactly_what_the_contract_names(noun: str) -> None:
    listing = next(each.listing for each in OPERATIONS if each.path == f"/{noun}" and each.listing)
    assert sorted(listing.sorts) == SORTS[noun].split()
    partial = {"clientName"} if noun in ("projects", "expenses", "invoices") else set()
    more = {"tasks": {"assigneeId"}, "time-entries": {"running"}}.get(noun, set())
    assert {each.name for each in listing.filters} == {*FILTERS[noun].split(), *partial, *more}
    assert list(listing.ranges) == RANGES[noun].split()


@pytest.mark.parametrize("noun", SORTS)
def test_paging_in_every_order_shows_each_row_once_and_in_order(crowd: World, noun: str) -> None:
    rows = _all(crowd.owner, noun)
    assert len(rows) > 30
    assert _ids(rows) == expected_order(rows, "-createdAt")
    for name in SORTS[noun].split():
        for sort in (name, f"-{name}"):
            assert _ids(_all(crowd.owner, noun, 7, sort=sort)) == expected_order(rows, sort), sort


@given(data=st.data())
@settings(
    max_examples=examples(60),
    deadline=None,
    derandomize=True,
    suppress_health_check=[HealthCheck.function_scoped_fixture],
)
def test_any_combination_of_filters_and_order_pages_through_the_rows_that_fit(crowd: World, data: Any) -> None:
    noun = data.draw(st.sampled_from(sorted(SORTS)))
    rows = _all(crowd.owner, noun)
    sort = data.draw(st.sampled_from(SORTS[noun].split())) if data.draw(st.booleans()) else "createdAt"
    sort = data.draw(st.sampled_from(["", "-"])) + sort
    query: dict[str, Any] = {"sort": sort}
    for name in data.draw(st.lists(st.sampled_from(FILTERS[noun].split() or [""]), max_size=2, unique=True)):
        if name:
            value = data.draw(st.sampled_from([row[name] for row in rows]))
            rows = [row for row in rows if row[name] == value] if value is not None else rows
            query |= {name: str(value)} if value is not None else {}
    for name in data.draw(st.lists(st.sampled_from(RANGES[noun].split()), max_size=1)):
        lower = data.draw(st.booleans())
        bound = data.draw(st.sampled_from([row[name] for row in rows if row[name] is not None] or [None]))
        if bound is not None:
            rows = [row for row in rows if _is_within(name, row[name], bound, lower=lower)]
            query[name + _suffix(name, lower=lower)] = bound
    limit = data.draw(st.integers(3, 20))
    assert _ids(_all(crowd.owner, noun, limit, **query)) == expected_order(rows, sort)


def _suffix(name: str, *, lower: bool) -> str:
    if name in NUMBERS:
        return "Min" if lower else "Max"
    return "From" if lower else "To"


def _is_within(name: str, value: Any, bound: Any, *, lower: bool) -> bool:
    if value is None:
        return False
    value, bound = comparable(name, value), comparable(name, bound)
    return bool(value >= bound if lower else value <= bound)


@pytest.mark.parametrize("noun", SORTS)
def test_search_finds_parts_of_words_in_any_case_and_alphabet(crowd: World, noun: str) -> None:
    rows = _all(crowd.owner, noun)
    for term in ("ALPHA", "ärg", "Émil", "%", "_", "\\", "本", "b@", "B-1", "crowd"):
        hits = {
            row["id"]
            for row in rows
            if any(row[name] is not None and term.casefold() in row[name].casefold() for name in SEARCHED[noun].split())
        }
        assert set(_ids(_all(crowd.owner, noun, search=term))) == hits, term


@pytest.mark.parametrize("noun", ["projects", "expenses", "invoices"])
def test_a_client_is_found_by_a_part_of_its_name(crowd: World, noun: str) -> None:
    names = dict(Client.objects.values_list("pk", "name"))
    rows = _all(crowd.owner, noun)
    hits = {
        row["id"] for row in rows if "ärg" in next(n for pk, n in names.items() if str(pk) == row["clientId"]).lower()
    }
    assert hits
    assert set(_ids(_all(crowd.owner, noun, clientName="ÄRG"))) == hits


def test_tasks_are_filtered_by_assignee_without_showing_one_twice(world: World) -> None:
    world.own_task.assignees.add(world.manager.member.user)
    for who in (world.member, world.manager):
        assert _ids(_all(world.owner, "tasks", assigneeId=who.user_id)) == [str(world.own_task.pk)]
    assert _all(world.owner, "tasks", assigneeId=NOWHERE) == []


def test_running_timers_are_told_from_the_others(world: World) -> None:
    running = world.entry(world.member, world.site, started_at=datetime(2026, 3, 2, 9, tzinfo=UTC))
    stopped = world.entry(
        world.member,
        world.site,
        started_at=datetime(2026, 3, 2, 9, tzinfo=UTC),
        stopped_at=datetime(2026, 3, 2, 10, tzinfo=UTC),
    )
    assert _ids(_all(world.owner, "time-entries", running="yes")) == [str(running.pk)]
    others = _ids(_all(world.owner, "time-entries", running="0"))
    assert len(others) == 4
    assert str(stopped.pk) in others


@pytest.mark.parametrize(
    ("text", "value"), [("true", True), ("1", True), ("YES", True), ("false", False), ("0", False), ("No", False)]
)
def test_booleans_are_read_as_people_write_them(world: World, text: str, value: bool) -> None:
    world.entry(world.owner, world.site, billable=False)
    assert {row["billable"] for row in _all(world.owner, "time-entries", billable=text)} == {value}


@pytest.mark.parametrize("text", ["active", "Active", "ACTIVE"])
def test_choices_are_read_in_either_case(world: World, text: str) -> None:
    assert len(_all(world.owner, "projects", status=text)) == 2


def test_a_plain_date_means_its_whole_day_in_utc(world: World) -> None:
    TimeEntry.objects.update(created_at=datetime(2026, 3, 2, 23, 59, 59, 999000, tzinfo=UTC))
    late = str(world.own_entry.pk)
    TimeEntry.objects.filter(pk=late).update(created_at=datetime(2026, 3, 3, tzinfo=UTC))
    for query, count in (
        ({"createdAtTo": "2026-03-02"}, 2),
        ({"createdAtTo": "2026-03-03"}, 3),
        ({"createdAtFrom": "2026-03-03"}, 1),
        ({"createdAtFrom": "2026-03-02", "createdAtTo": "2026-03-02"}, 2),
        ({"createdAtTo": "2026-03-02T23:59:59.998Z"}, 0),
        ({"createdAtTo": "2026-03-03T01:59:59.999+02:00"}, 2),
        ({"createdAtTo": "9999-12-31"}, 3),
        ({"createdAtFrom": "0001-01-01"}, 3),
        ({"entryDateFrom": "2026-03-02T12:00:00Z", "entryDateTo": "2026-03-02T12:00:00Z"}, 3),
    ):
        assert len(_all(world.owner, "time-entries", **query)) == count, query


@pytest.mark.parametrize(
    ("query", "count"),
    [
        ("amountMin=12.50&amountMax=12.5", 2),
        ("amountMin=12.501", 0),
        ("amountMax=12.499", 0),
        ("amountMin=-3", 2),
        ("amountMax=99999999999999999999999", 2),
    ],
)
def test_amounts_are_compared_exactly(world: World, query: str, count: int) -> None:
    assert len(world.owner.list(f"/expenses?{query}")) == count


@pytest.mark.parametrize(
    ("query", "faulty"),
    [
        ("limit=0", "limit"),
        ("limit=201", "limit"),
        ("limit=ten", "limit"),
        ("limit=+5", "limit"),
        ("limit=5&limit=6", "limit"),
        ("sort=hourlyRate", "sort"),
        ("sort=--name", "sort"),
        ("sort=", "sort"),
        ("cursor=nonsense", "cursor"),
        ("cursor=", "cursor"),
        ("search=" + "x" * 201, "search"),
        ("search=%00", "search"),
        ("status=GONE", "status"),
        ("clientId=7", "clientId"),
        ("startDateFrom=2026-02-30", "startDateFrom"),
        ("createdAtTo=yesterday", "createdAtTo"),
        ("createdAtTo=2026-01-01T00:00:00", "createdAtTo"),
        ("pageSize=5", "pageSize"),
    ],
)
def test_a_wrong_parameter_is_named(world: World, query: str, faulty: str) -> None:
    assert list(fields(world.owner.get(f"/projects?{query}"))) == [faulty]


def test_all_wrong_parameters_are_named_at_once(world: World) -> None:
    assert set(fields(world.owner.get("/tasks?limit=0&sort=x&billable=maybe&y=1"))) == {
        "limit",
        "sort",
        "billable",
        "y",
    }


def test_a_cursor_is_bound_to_its_order_and_cannot_be_made_up(crowd: World) -> None:
    cursor = crowd.owner.get("/clients?limit=3&sort=name").json()["pagination"]["nextCursor"]
    assert crowd.owner.get(f"/clients?sort=name&cursor={cursor}").status_code == 200
    for query in (f"cursor={cursor}", f"sort=-name&cursor={cursor}", f"sort=name&cursor=x{cursor}"):
        assert list(fields(crowd.owner.get(f"/clients?{query}"))) == ["cursor"]
    assert not any(word in cursor for word in WORDS)


def test_rows_that_come_or_go_between_pages_do_not_shift_the_others(crowd: World) -> None:
    before = _ids(_all(crowd.owner, "clients", sort="name"))
    page = crowd.owner.get("/clients?limit=10&sort=name").json()
    Client.objects.filter(pk__in=before[8:11]).delete()
    crowd.make(Client, name="AAA")
    rest = _all(crowd.owner, "clients", sort="name", cursor=page["pagination"]["nextCursor"])
    assert _ids(rest) == before[11:]


def test_archived_rows_are_left_out_and_still_answer_by_id(world: World) -> None:
    for noun, row in (("projects", world.site), ("tasks", world.own_task)):
        world.owner.post(f"/{noun}/{row.pk}/archive")
        assert str(row.pk) not in _ids(_all(world.owner, noun))
        assert world.owner.get(f"/{noun}/{row.pk}").json()["data"]["deletedAt"] is not None
    assert _ids(_all(world.owner, "projects", status="ARCHIVED")) == [str(world.site.pk)]


def test_deleted_rows_are_gone_from_lists_and_by_id(world: World) -> None:
    for noun, row in (("clients", world.idle_client), ("time-entries", world.own_entry), ("expenses", world.expense)):
        assert world.owner.delete(f"/{noun}/{row.pk}").status_code == 204
        assert str(row.pk) not in _ids(_all(world.owner, noun))
        for method in ("GET", "PATCH", "DELETE"):
            assert code(world.owner.call(method, f"/{noun}/{row.pk}", {})) == (404, "not_found")


def test_inactive_members_are_left_out(world: World) -> None:
    world.admin.member.is_active = False
    world.admin.member.save()
    assert len(_all(world.owner, "members")) == 4


def test_lists_of_two_workspaces_share_nothing(crowd: World, outside: World) -> None:
    for noun in SORTS:
        theirs = set(_ids(_all(outside.owner, noun)))
        assert theirs
        assert theirs.isdisjoint(_ids(_all(crowd.owner, noun)))


@pytest.mark.parametrize("noun", SORTS)
def test_a_list_takes_as_many_queries_however_many_rows_it_has(crowd: World, noun: str) -> None:
    connection = connections[router.db_for_read(Organization)]
    counts = []
    for limit in (1, 200):
        with CaptureQueriesContext(connection) as queries:
            crowd.owner.get(f"/{noun}?limit={limit}")
        counts.append(len(queries))
    assert counts[0] == counts[1] <= 3


@pytest.mark.parametrize("name", RANKED["status"][:3])
def test_every_status_of_a_project_can_be_filtered(world: World, name: str) -> None:
    Project.objects.filter(pk=world.site.pk).update(status=name)
    assert str(world.site.pk) in _ids(_all(world.owner, "projects", status=name.lower()))
