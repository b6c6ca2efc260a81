"""Reads one page of a long list at a bounded price, whatever the list holds and however deep the page lies.

A list that one index answers is read from that index: one ordered scan for each value that is asked for, merged.
Every other list is read in windows of time that grow while they are cheap; when the time for a page is used up, what
was found is shown with the instant that was reached, and the next page continues from there.
"""

import time
from collections.abc import Iterator, Sequence
from dataclasses import dataclass, replace
from datetime import MAXYEAR, MINYEAR, UTC, datetime, timedelta
from typing import Any, NamedTuple

from django.core.exceptions import EmptyResultSet
from django.db import connections
from django.db.models import Q, QuerySet
from django.utils import timezone

from mcpbridge.activity.partitions import lies_in_months, month_of

# Of one page. A page that has not been filled by then is shown as it is.
PAGE_BUDGET_S = 0.06
_FIRST_WINDOW_ROWS = 2_000
_GROWTH = 4
# More ordered scans than that are read in windows instead.
MOST_BRANCHES = 12
# How many months beyond that of the page are looked into before all of them are.
_FIRST_MONTHS = (1, 6)


class Key(NamedTuple):
    """Where a page ends: what the list is ordered by, and the row."""

    value: Any
    pk: Any


@dataclass(frozen=True, slots=True)
class Order:
    """What a list is ordered by: an instant, a number or a text; the row's key breaks ties alike."""

    field: str
    is_descending: bool = True
    is_instant: bool = True
    is_text: bool = False
    label: str = ""

    @property
    def columns(self) -> list[str]:
        """As `order_by` takes it."""
        sign = "-" if self.is_descending else ""
        return [f"{sign}{self.field}", f"{sign}pk"]

    def turned(self) -> "Order":
        """The same from the other end."""
        return replace(self, is_descending=not self.is_descending)

    def beyond(self, rows: QuerySet[Any], key: Key) -> QuerySet[Any]:
        """Those of `rows` that come after `key`."""
        side = "lt" if self.is_descending else "gt"
        # The first condition alone lets the index do the work; the second breaks ties.
        return rows.filter(**{f"{self.field}__{side}e": key.value}).filter(
            Q(**{f"{self.field}__{side}": key.value}) | Q(**{f"pk__{side}": key.pk})
        )


@dataclass(frozen=True, slots=True)
class Page:
    """Rows in order. `has_more`: others follow. `reached`: where the search stopped before the page was full."""

    rows: list[Any]
    has_more: bool
    reached: datetime | None = None


def keyset_page_by_branch(
    rows: QuerySet[Any], order: Order, start: Key | None, size: int, branches: Sequence[Q]
) -> Page:
    """The page behind `start` of a list that an index answers, for each of `branches` on its own."""
    if start:
        rows = order.beyond(rows, start)
    rows = rows.order_by(*order.columns)
    # One more than is shown tells whether there is another page.
    wanted, found = size + 1, []
    for near in _spans(rows, order, start):
        some = rows.filter(near)
        found = list(some[:wanted]) if len(branches) < 2 else _merged(some, order, wanted, branches)
        if len(found) == wanted:
            break
    return Page(found[:size], len(found) > size)


def _spans(rows: QuerySet[Any], order: Order, start: Key | None) -> Iterator[Q]:
    """Where to look for the page first, and where then; in the end everywhere.

    Where the rows lie in months, planning a question costs something for each month that it could be about, and once
    more for each part of it; the page is nearly always found in the nearest ones.
    """
    here = start.value if start else timezone.now()
    is_near = lies_in_months(rows) and MINYEAR + 1 < here.year < MAXYEAR - 1
    if is_near and order.is_descending:
        yield from (Q(**{f"{order.field}__gte": month_of(here, -months)}) for months in _FIRST_MONTHS)
    elif is_near and start:
        yield from (Q(**{f"{order.field}__lt": month_of(here, months + 1)}) for months in _FIRST_MONTHS)
    yield Q()


def _merged(rows: QuerySet[Any], order: Order, wanted: int, branches: Sequence[Q]) -> list[Any]:
    connection = connections[rows.db]
    scans, parameters = [], []
    for number, part in enumerate(branches):
        query = rows.filter(part).values_list(order.field, "pk")[:wanted].query
        try:
            sql, given = query.get_compiler(connection=connection).as_sql()
        except EmptyResultSet:
            continue
        scans.append(f"SELECT * FROM ({sql}) AS part_{number}")  # noqa: S608 - the ORM's own statement
        parameters += given
    if not scans:
        return []
    direction = "DESC" if order.is_descending else "ASC"
    ending = f" ORDER BY 1 {direction}, 2 {direction} LIMIT {wanted}"
    with connection.cursor() as cursor:
        cursor.execute(" UNION ALL ".join(scans) + ending, parameters)
        places = cursor.fetchall()
    if places and connection.vendor == "postgresql":
        # Keys alone would be looked for in each month of the activity.
        low, high = sorted((places[0][0], places[-1][0]))
        rows = rows.filter(**{f"{order.field}__gte": low, f"{order.field}__lte": high})
    return list(rows.filter(pk__in=[pk for _, pk in places]))


def keyset_page_by_window(
    rows: QuerySet[Any], everything: QuerySet[Any], order: Order, start: Key | None, size: int
) -> Page:
    """The page behind `start` of a list that no index answers; `order` is by an instant.

    `everything` is the list without its filters, from which the first window is measured.
    """
    windows = _Windows(everything, order, start)
    if start:
        rows = order.beyond(rows, start)
    rows = rows.order_by(*order.columns)
    found: list[Any] = []
    until = time.monotonic() + PAGE_BUDGET_S
    while True:
        found += rows.filter(windows.current)[: size + 1 - len(found)]
        if len(found) > size:
            return Page(found[:size], has_more=True)
        if windows.is_last:
            return Page(found, has_more=False)
        if time.monotonic() >= until or not windows.grow(until):
            return Page(found, has_more=True, reached=windows.far)


class _Windows:
    """Windows of time, one after the other in the list's direction, each at most four times as long as the last."""

    def __init__(self, everything: QuerySet[Any], order: Order, start: Key | None) -> None:
        self._order = order
        self._everything = everything
        self._near: datetime | None = None
        self._begun = time.monotonic()
        ahead = order.beyond(everything, start) if start else everything
        instants = ahead.order_by(*order.columns).values_list(order.field, flat=True)
        first = instants.first()
        self.far: datetime | None = None
        for far in instants[_FIRST_WINDOW_ROWS : _FIRST_WINDOW_ROWS + 1]:
            self.far = far
        self._length = abs(first - self.far) if first and self.far else timedelta(0)
        self._end = self._last() if self.far else None

    def _last(self) -> datetime | None:
        """The instant behind which nothing lies."""
        turned = self._order.turned()
        last: datetime | None = (
            self._everything.order_by(*turned.columns).values_list(self._order.field, flat=True).first()
        )
        return last

    @property
    def is_last(self) -> bool:
        """Return whether no rows can come after the current window."""
        return self.far is None

    @property
    def current(self) -> Q:
        """Return the condition for rows in the current window."""
        field, within = self._order.field, Q()
        toward, back = ("gte", "lt") if self._order.is_descending else ("lte", "gt")
        if self.far is not None:
            within &= Q(**{f"{field}__{toward}": self.far})
        if self._near is not None:
            within &= Q(**{f"{field}__{back}": self._near})
        return within

    def grow(self, until: float) -> bool:
        """Move to the next window; return False if the remaining time is shorter than the last window took."""
        now = time.monotonic()
        took, self._begun = now - self._begun, now
        factor = min(_GROWTH, (until - now) / max(took, 1e-4))
        if factor < 1 or self.far is None:
            return False
        self._near = self.far
        self._length = max(self._length * factor, timedelta(seconds=1))
        sign = -1 if self._order.is_descending else 1
        try:
            self.far = self.far + sign * self._length
        except OverflowError:
            self.far = None
        if self.far and self._end and sign * (self.far - self._end) >= timedelta(0):
            self.far = None
        return True


def parse_instant(text: str) -> datetime:
    """The instant of a cursor; raises ValueError."""
    return datetime.strptime(text, "%Y%m%dT%H%M%S.%f").replace(tzinfo=UTC)


def instant_text(instant: datetime) -> str:
    """An instant as a cursor names it."""
    return f"{instant.astimezone(UTC):%Y%m%dT%H%M%S.%f}"
