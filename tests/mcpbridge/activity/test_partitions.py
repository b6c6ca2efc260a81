"""The activity in months on PostgreSQL: none is missing, no row is refused, and lists read no more than they show."""

import uuid
from collections.abc import Callable
from datetime import UTC, datetime, timedelta
from typing import Any

import pytest
from django.core.management import call_command
from django.db import connection, transaction
from django.db.models import Q, QuerySet
from django.test.utils import CaptureQueriesContext
from django.utils import timezone

from hoursmith_console.core.lists.pagination import Key, Order, keyset_page_by_branch
from mcpbridge.activity.partitions import MONTHS_AHEAD, drop_months, make_months, month_of, months_of
from mcpbridge.core.sanitize import sanitized_columns
from mcpbridge.db.bulk import insert
from mcpbridge.models import ToolCall
from tests.call_records import a_call
from tests.databases import RecordDatabase

pytestmark = pytest.mark.usefixtures("postgres_database")


@pytest.fixture(autouse=True)
def at_one_instant(postgres_database: RecordDatabase, stop_clock: Callable[[datetime], None]) -> None:
    """It is still the month in which the database was made: another may have begun since."""
    first = min(months_of("default").begins)
    stop_clock(min(timezone.now(), month_of(first, 1) - timedelta(seconds=1)))


def row_at(at: datetime) -> dict[str, Any]:
    """A call at `at`, as the recorder would insert it."""
    return {**sanitized_columns(a_call(at=at)), "result": "succeeded", "status": 204, "code": "", "duration_ms": 1.0}


def write(*instants: datetime) -> list[uuid.UUID]:
    rows = [row_at(at) for at in instants]
    insert("default", ToolCall, rows)
    return [row["call_id"] for row in rows]


def lies_in(call_id: uuid.UUID) -> str:
    """The part that holds a call, by the end of its name."""
    with connection.cursor() as cursor:
        cursor.execute("SELECT tableoid::regclass::text FROM mcpbridge_toolcall WHERE call_id = %s", [call_id])
        (name,) = cursor.fetchone()
    return str(name).removeprefix("mcpbridge_toolcall_")


def plan_of(rows: "QuerySet[Any]") -> str:
    """How the database reads `rows` where it has to use indexes, few as the rows of a test are."""
    with transaction.atomic(), connection.cursor() as cursor:
        cursor.execute("SET LOCAL enable_seqscan = off")
        cursor.execute("SET LOCAL enable_sort = off")
        cursor.execute("SET LOCAL enable_bitmapscan = off")
        return rows.explain(analyze=True)


def test_a_call_lies_in_its_month_and_none_is_refused_whatever_its_instant() -> None:
    now = timezone.now()
    ages = write(now, datetime(1970, 1, 1, tzinfo=UTC), datetime(2999, 1, 1, tzinfo=UTC), month_of(now, 1))
    assert [lies_in(call_id) for call_id in ages] == [
        f"{now:%Y_%m}",
        "earlier",
        "later",
        f"{month_of(now, 1):%Y_%m}",
    ]
    assert ToolCall.objects.count() == 4


def test_months_are_made_ahead_once_and_take_in_what_came_before_them() -> None:
    now = timezone.now()
    assert make_months("default", now=now) == 0
    much_later = month_of(now, 7) + timedelta(days=3)
    (early,) = write(much_later)
    assert lies_in(early) == "later"
    assert make_months("default", now=much_later) == 7
    assert make_months("default", now=much_later) == 0
    assert lies_in(early) == f"{much_later:%Y_%m}"
    months = months_of("default")
    assert months.end == month_of(much_later, MONTHS_AHEAD + 1)
    assert sorted(months.begins) == [month_of(now, ahead) for ahead in range(len(months.begins))]


def test_old_months_go_whole_and_what_comes_from_that_time_is_still_taken() -> None:
    now = timezone.now()
    make_months("default", now=month_of(now, 5))
    old, kept = write(month_of(now, -3), month_of(now, 1), month_of(now, 2))[1:]
    with transaction.atomic():
        # All that is earlier, this month and the next.
        assert drop_months("default", before=month_of(now, 2) + timedelta(days=9)) == 3
    assert not ToolCall.objects.filter(call_id=old).exists()
    assert lies_in(kept) == f"{month_of(now, 2):%Y_%m}"
    assert lies_in(write(now)[0]) == "earlier"
    with transaction.atomic():
        assert drop_months("default", before=month_of(now, 2)) == 1
        assert drop_months("default", before=month_of(now, 2)) == 0


@pytest.mark.parametrize(
    "narrowed",
    [
        lambda rows: rows,
        lambda rows: rows.filter(prefix="4f8a2c1bdedf"),
        lambda rows: rows.filter(tool="delete_client"),
        lambda rows: rows.filter(client_name="Claude Desktop"),
        lambda rows: rows.exclude(kind="read").filter(kind="destructive"),
    ],
)
def test_a_page_of_a_list_reads_one_index_and_only_the_months_that_it_shows(
    narrowed: Callable[["QuerySet[Any]"], "QuerySet[Any]"],
) -> None:
    now = timezone.now()
    make_months("default", now=month_of(now, 3))
    write(*(month_of(now, ahead) + timedelta(hours=hour) for ahead in range(5) for hour in range(30)))
    rows = narrowed(ToolCall.objects.filter(org_id="org-1")).order_by("-at", "-pk")
    first = plan_of(rows[:21])
    assert "Seq Scan" not in first
    assert "Sort" not in first
    # The empty part to come, the newest month, and none behind it.
    assert first.count("never executed") == 5, first
    last = list(rows[:21])[-1]
    second = plan_of(rows.filter(at__lte=last.at).filter(at__lt=month_of(now, 6))[:21])
    assert "_later" not in second
    assert second.count("never executed") == 4, second


def test_a_page_looks_into_the_nearest_months_first_and_misses_none() -> None:
    now = timezone.now()
    make_months("default", now=month_of(now, 12))
    # Often in the last two months, hardly ever before.
    write(*(month_of(now, ahead) + timedelta(days=1) for ahead in range(10)))
    write(*(month_of(now, ahead) + timedelta(days=day) for ahead in (11, 12) for day in range(2, 27)))
    rows, order = ToolCall.objects.filter(org_id="org-1"), Order("at")
    newest = list(rows.order_by("-at", "-pk"))
    parts = [Q(tool="delete_client"), Q(tool="list_clients")]
    for asked in ([], parts):
        start, shown = Key(month_of(now, 13), 0), []
        while True:
            with CaptureQueriesContext(connection) as asked_for:
                page = keyset_page_by_branch(rows, order, start, 12, asked)
            shown += page.rows
            if len(shown) == 12:
                assert len(asked_for) == (2 if asked else 1)
            if not page.has_more:
                break
            start = Key(shown[-1].at, shown[-1].pk)
        assert shown == newest
        back = keyset_page_by_branch(rows, order.turned(), Key(newest[20].at, newest[20].pk), 12, asked)
        assert back.rows == newest[8:20][::-1]
    assert keyset_page_by_branch(rows, order, Key(datetime(1, 1, 1, tzinfo=UTC), 0), 12, []).rows == []


def test_the_migration_takes_the_table_over_as_it_lies_and_gives_it_back(postgres_database: RecordDatabase) -> None:
    now = timezone.now()

    def file_of(table: str) -> Any:
        with connection.cursor() as cursor:
            cursor.execute("SELECT pg_relation_filenode(%s::regclass)", [table])
            return cursor.fetchone()[0]

    call_command("migrate", "mcpbridge", "0002", verbosity=0)
    calls = write(now - timedelta(days=400), now - timedelta(days=1), now, datetime(2999, 1, 1, tzinfo=UTC))
    ids = dict(ToolCall.objects.values_list("call_id", "pk"))
    before = file_of("mcpbridge_toolcall")
    call_command("migrate", "mcpbridge", verbosity=0)
    assert file_of("mcpbridge_toolcall_earlier") == before
    assert [lies_in(call_id) for call_id in calls] == ["earlier"] * 3 + ["later"]
    assert dict(ToolCall.objects.values_list("call_id", "pk")) == ids
    (new,) = write(month_of(now, 1))
    assert lies_in(new) == f"{month_of(now, 1):%Y_%m}"
    assert ToolCall.objects.get(call_id=new).pk > max(ids.values())
    call_command("migrate", "mcpbridge", "0002", verbosity=0)
    assert ToolCall.objects.count() == 5
    write(now)
    assert ToolCall.objects.order_by("-pk").values_list("pk", flat=True)[0] == max(ids.values()) + 2
    call_command("migrate", "mcpbridge", verbosity=0)
    assert "toolcall_org_at" in plan_of(ToolCall.objects.filter(org_id="org-1", at__lt=now).order_by("-at", "-pk")[:5])
