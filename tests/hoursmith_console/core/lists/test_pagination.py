"""Reading long lists: merged scans and growing windows find what one plain query would find, in the same order."""

from collections.abc import Callable
from datetime import UTC, datetime, timedelta

import pytest
from django.db.models import Q, QuerySet
from django.utils import timezone

from hoursmith_console.core.lists import pagination
from hoursmith_console.core.lists.pagination import Key, Order, keyset_page_by_branch, keyset_page_by_window
from mcpbridge.models import ToolCall
from tests.hoursmith_console.conftest import Cast
from tests.hoursmith_console.records import call_row

ORDER = Order("at")
Rows = QuerySet[ToolCall]
Pages = Callable[[Order, Key | None], pagination.Page]


@pytest.fixture
def rows(cast: Cast) -> Rows:
    """Four hundred calls in three bursts, at instants that many of them share; one in seven is a write."""
    start = datetime(2026, 3, 1, tzinfo=UTC)
    made = [
        call_row(
            cast.tokens[("owner", "admin", "member")[number % 3]],
            "update_task" if number % 7 == 0 else "get_me",
            start + timedelta(days=30 * (number // 150), seconds=number // 5),
        )
        for number in range(400)
    ]
    ToolCall.objects.bulk_create(made)
    return ToolCall.objects.all()


def _walk(page_of: Pages, order: Order) -> list[int]:
    """The keys on every page of 20, one page after the other."""
    found: list[int] = []
    start, has_more = None, True
    while has_more:
        page = page_of(order, start)
        found += [row.pk for row in page.rows]
        has_more = page.has_more
        if page.reached:
            start = Key(page.reached, 0 if order.is_descending else 2**63 - 1)
        elif page.rows:
            start = Key(page.rows[-1].at, page.rows[-1].pk)
    return found


@pytest.mark.parametrize("order", [ORDER, ORDER.turned()])
def test_scans_of_several_values_are_merged_in_the_lists_order(rows: Rows, order: Order) -> None:
    prefixes = ("0a2c1bdedf00", "3a2c1bdedf00", "nobody")
    narrowed = rows.filter(prefix__in=prefixes)
    parts = [Q(prefix=prefix) for prefix in prefixes] + [Q(pk__in=[])]
    found = _walk(lambda order, start: keyset_page_by_branch(narrowed, order, start, 20, parts), order)
    assert found == list(narrowed.order_by(*order.columns).values_list("pk", flat=True))
    assert len(found) == 267


@pytest.mark.parametrize("order", [ORDER, ORDER.turned()])
@pytest.mark.parametrize("patience_s", [60.0, 0.0])
def test_windows_leave_nothing_out_however_little_time_there_is(
    rows: Rows, monkeypatch: pytest.MonkeyPatch, order: Order, patience_s: float
) -> None:
    monkeypatch.setattr(pagination, "_FIRST_WINDOW_ROWS", 13)
    monkeypatch.setattr(pagination, "PAGE_BUDGET_S", patience_s)
    narrowed = rows.filter(tool="update_task", prefix__endswith="dedf00")
    found = _walk(lambda order, start: keyset_page_by_window(narrowed, rows, order, start, 20), order)
    assert found == list(narrowed.order_by(*order.columns).values_list("pk", flat=True))
    assert len(found) == 58


def test_a_search_that_ran_out_of_time_says_how_far_it_came(rows: Rows, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(pagination, "_FIRST_WINDOW_ROWS", 13)
    monkeypatch.setattr(pagination, "PAGE_BUDGET_S", 0.0)
    page = keyset_page_by_window(rows.filter(tool="nothing"), rows, ORDER, None, 20)
    newest = list(rows.order_by("-at", "-pk")[:14])
    assert (page.rows, page.has_more, page.reached) == ([], True, newest[-1].at)


def test_a_search_that_came_to_the_end_says_so(rows: Rows, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(pagination, "_FIRST_WINDOW_ROWS", 13)
    monkeypatch.setattr(pagination, "PAGE_BUDGET_S", 60.0)
    page = keyset_page_by_window(rows.filter(tool="nothing"), rows, ORDER, None, 20)
    assert (page.rows, page.has_more, page.reached) == ([], False, None)


def test_an_empty_list_has_one_empty_page(cast: Cast) -> None:
    none = ToolCall.objects.filter(org_id=cast.org_id)
    assert keyset_page_by_window(none, none, ORDER, None, 20) == pagination.Page([], False)
    behind = Key(timezone.now(), 0)
    assert keyset_page_by_branch(none, ORDER, behind, 20, [Q(pk__in=[])] * 2) == pagination.Page([], False)
