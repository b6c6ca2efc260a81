"""Lists of records that cost the same on every page: filtered by the address bar, paged by key, counted to a bound."""

from collections.abc import Mapping, Sequence
from functools import cached_property
from typing import Any, cast
from urllib.parse import urlencode

from django.contrib.admin import SimpleListFilter
from django.contrib.admin.views.main import SEARCH_VAR, ChangeList
from django.core.exceptions import ValidationError
from django.db.models import Field, Q, QuerySet, UUIDField
from django.http import HttpRequest

from hoursmith_console.core.lists.chips import Chip
from hoursmith_console.core.lists.counting import BoundedCount, bounded_count, count_text
from hoursmith_console.core.lists.pagination import (
    MOST_BRANCHES,
    Key,
    Order,
    Page,
    instant_text,
    keyset_page_by_branch,
    keyset_page_by_window,
    parse_instant,
)
from hoursmith_console.core.lists.scope import current_tab, range_links, tab_links
from hoursmith_console.core.lists.time_filter import ZONE, TimeFilter
from hoursmith_console.core.viewer import ViewerRequest

OLDER, NEWER, SORT = "before", "after", "sort"
_HIGHEST = 2**63 - 1


class ChoiceFilter(SimpleListFilter):
    """Rows whose `field` has the chosen value; a value that is not on offer filters nothing."""

    control = "choice"
    field = ""

    def __init__(self, request: HttpRequest, *args: Any) -> None:
        self.viewer: Any = cast(ViewerRequest, request).viewer
        # Rows by value, where they are known.
        self.counts: Mapping[str, int] = {}
        super().__init__(request, *args)

    @property
    def chosen(self) -> str | None:
        """The value in the address, where it is on offer."""
        value = self.value()
        return value if value is not None and value in {str(key) for key, _ in self.lookup_choices} else None

    def chips(self) -> list[Chip]:
        """What is shown of the chosen value, and which parameter removes it."""
        chosen = self.chosen
        label = next((str(label) for key, label in self.lookup_choices if str(key) == chosen), "")
        return [] if chosen is None else [Chip(str(self.title), label, (str(self.parameter_name),))]

    def queryset(self, request: HttpRequest, queryset: QuerySet[Any]) -> QuerySet[Any]:
        return queryset if self.chosen is None else self.apply(queryset, self.chosen)

    def apply(self, queryset: QuerySet[Any], value: str) -> QuerySet[Any]:
        """`queryset` with the known `value` applied."""
        return queryset.filter(**{self.field: value})

    def index_branches(self, value: str) -> list[Q] | None:
        """What an index answers in order, once for each of these; None where no index does."""
        return [Q(**{self.field: value})]

    def options(self) -> list[dict[str, Any]]:
        """What a select element shows; with the number of rows where `counts` says it."""
        return [
            {"value": key, "label": self._counted(str(key), str(label)), "is_chosen": str(key) == self.value()}
            for key, label in self.lookup_choices
        ]

    def _counted(self, key: str, label: str) -> str:
        return f"{label} ({self.counts[key]:,})" if key in self.counts else label


class KeysetChangeList(ChangeList):
    """A change list that pages by the ordering's key: page 1,000 costs what page 1 costs."""

    result_list: Sequence[Any]

    def __init__(self, request: HttpRequest, *args: Any, **kwargs: Any) -> None:
        self.viewer: Any = cast(ViewerRequest, request).viewer
        self.before = request.GET.get(OLDER, "")
        self.after = request.GET.get(NEWER, "")
        self._zone = request.GET.get(ZONE, "")
        super().__init__(request, *args, **kwargs)

    @property
    def _admin(self) -> Any:
        """The area, a `ReadOnlyModelAdmin`."""
        return self.model_admin

    def get_filters_params(self, params: Any = None) -> dict[str, Any]:
        """Only what a filter of this list knows: an unknown parameter is neither a lookup nor an error."""
        given = super().get_filters_params(params)
        known = {name for item in self.list_filter for name in _parameters(item)}
        return {name: values for name, values in given.items() if name in known}

    def get_results(self, request: HttpRequest) -> None:
        self.sort: str = self._admin.sort_of(request)
        self.order: Order = self._admin.orders[self.sort]
        older, newer = self._key(self.before), self._key(self.after)
        page = self._page_of(request, self.order.turned() if newer else self.order, newer or older)
        rows = page.rows[::-1] if newer else page.rows
        self.result_list, self.result_count, self.multi_page = rows, len(rows), False
        self.reached = page.reached
        has_older, has_newer = (bool(rows), page.has_more) if newer else (page.has_more, bool(older))
        self.older_query = self._page(OLDER, rows, page) if has_older else ""
        self.newer_query = self._page(NEWER, rows, page) if has_newer else ""
        self.is_narrowed = self.has_active_filters or bool(self.query)
        counts = {} if self.is_narrowed else self._counts
        for spec in self.filter_specs:
            if isinstance(spec, ChoiceFilter):
                spec.counts = counts.get(str(spec.parameter_name), {})

    def _page_of(self, request: HttpRequest, order: Order, start: Key | None) -> Page:
        rows = self.queryset
        branches = [] if self._admin.is_short else self._branches(request)
        self.counted: list[QuerySet[Any]] | None = None if branches is None else [rows]
        if branches is not None:
            if len(branches) > 1:
                # Each part says all that the filter does. Said twice, databases guess too few rows and sort them all.
                rows = self._in_time(request, self.root_queryset)
                self.counted = [rows.filter(branch) for branch in branches]
            return keyset_page_by_branch(
                rows.defer(*self._admin.list_defer), order, start, self.list_per_page, branches
            )
        everything = self._in_time(request, self.model._default_manager.filter(org_id=self.viewer.org_id))
        return keyset_page_by_window(rows.defer(*self._admin.list_defer), everything, order, start, self.list_per_page)

    def _in_time(self, request: HttpRequest, rows: QuerySet[Any]) -> QuerySet[Any]:
        """Those of `rows` that fit the filter by time, if there is one."""
        return self.time.queryset(request, rows) if self.time else rows

    def _branches(self, request: HttpRequest) -> list[Q] | None:
        """What one index answers; None where the list is narrowed in a way that none does."""
        if self.query and not self._admin.is_exact_search(self.query):
            return None
        narrowings: list[list[Q] | None] = [
            spec.index_branches(spec.chosen)
            for spec in self.filter_specs
            if isinstance(spec, ChoiceFilter) and spec.chosen is not None
        ]
        own = self._admin.visible_branches(self.viewer)
        if own is not None:
            narrowings.append(own)
        if self.query:
            narrowings.append([])
        if not narrowings:
            return list(self._admin.base_branches)
        branches = narrowings[0]
        return branches if len(narrowings) == 1 and branches is not None and len(branches) <= MOST_BRANCHES else None

    def sort_options(self) -> list[dict[str, Any]]:
        """What a select element shows of the orders, where there is a choice."""
        orders = self._admin.orders
        if len(orders) < 2:
            return []
        return [{"value": name, "label": order.label, "is_chosen": name == self.sort} for name, order in orders.items()]

    def chips(self) -> list[dict[str, str]]:
        """Each filter in use, but for the tab: its title, its value, and the address of the list without it."""
        tabs = self._admin.tabs(self.viewer)
        tab = current_tab(self, tabs) if current_tab(self, tabs) in tabs.values() else {}
        specs = [spec for spec in self.filter_specs if getattr(spec, "parameter_name", "") not in tab]
        found = [chip for spec in specs for chip in getattr(spec, "chips", list)()]
        if self.query:
            found.append(Chip("search", self.query, (SEARCH_VAR,)))
        return [
            {"title": chip.title, "label": chip.label, "address": self.address(without=chip.parameters)}
            for chip in found
        ]

    def describe(self) -> str:
        """Return the filters in use as text; empty where there are none."""
        return ", ".join(f"{chip['title']}: {chip['label']}" for chip in self.chips())

    def quick_filters(self) -> list[dict[str, Any]]:
        """Filters that the section offers at one click: label, number of rows where it is known, and address."""
        counts, used = self._counts, dict(self.active_params())
        return [
            {
                "label": label,
                "count": counts.get(name, {}).get(value),
                "address": f"?{urlencode({name: value})}",
            }
            for label, name, value in self._admin.quick_filters
            if used.get(name) != value
        ]

    @cached_property
    def _counts(self) -> Mapping[str, Mapping[str, int]]:
        counts: Mapping[str, Mapping[str, int]] = self._admin.choice_counts(self.viewer)
        return counts

    @cached_property
    def total(self) -> BoundedCount | None:
        """How many rows match; None for a list that no index answers, which would have to be read to be counted."""
        if self.counted is None:
            return None
        return BoundedCount(sum(bounded_count(rows) for rows in self.counted))

    @property
    def total_text(self) -> str:
        """The number of rows that match, as a page shows it."""
        return count_text(self.total or 0)

    def header(self, column: str) -> dict[str, str]:
        """Return what the heading of a sortable column needs: the address that sorts by it, and how it is sorted."""
        first, second = self._admin.sort_columns[column]
        target = second if self.sort == first else first
        is_here = self.sort in (first, second)
        kept = [(name, value) for name, value in self.active_params() if name != SORT]
        address = "?" + urlencode([*kept, *([(SORT, target)] if target != next(iter(self._admin.orders)) else [])])
        direction = "descending" if self.order.is_descending else "ascending"
        return {"address": address, "direction": direction if is_here else ""}

    @property
    def time(self) -> TimeFilter | None:
        """The filter by time, if the list has one."""
        return next((spec for spec in self.filter_specs if isinstance(spec, TimeFilter)), None)

    def quick_ranges(self) -> list[dict[str, Any]]:
        """What `console/_ranges.html` shows of the quick ranges."""
        return range_links(self)

    def tabs(self) -> list[dict[str, Any]]:
        """What `console/_ranges.html` shows of the tabs."""
        return tab_links(self, self._admin.tabs(self.viewer))

    @property
    def target(self) -> Any:
        """The filter by record, where the list is one record's history."""
        return next((spec for spec in self.filter_specs if getattr(spec, "parameter_name", "") == "target"), None)

    def active_params(self, *, without: Sequence[str] = ()) -> list[tuple[str, str]]:
        """The filters, the search and the order in the address, without the place in the list."""
        filters = self.get_filters_params()
        kept = [(name, value) for name, values in filters.items() for value in values if name not in without]
        if self._zone and any(value for name, value in kept if name in ("since", "until")):
            kept.append((ZONE, self._zone))
        if self.query:
            kept.append((SEARCH_VAR, self.query))
        if self.sort != next(iter(self._admin.orders)):
            kept.append((SORT, self.sort))
        return [(name, value) for name, value in kept if value and name not in without]

    def address(self, *more: tuple[str, str], without: Sequence[str] = ()) -> str:
        """The query of this list, with `more`."""
        return "?" + urlencode([*self.active_params(without=without), *more])

    def cursor(self, row: Any) -> str:
        """The place of `row` in this list, for the address."""
        return f"{self._text(getattr(row, self.order.field))}_{row.pk}"

    def _page(self, direction: str, rows: Sequence[Any], page: Page) -> str:
        is_onward = direction == (NEWER if self._key(self.after) else OLDER)
        if page.reached and is_onward:
            # The search continues where it stopped: every row at that instant was checked.
            return self.address((direction, f"{self._text(page.reached)}_{self._edge(direction)}"))
        if not rows:
            return self.address((direction, self.before if direction == NEWER else self.after))
        return self.address((direction, self.cursor(rows[-1] if direction == OLDER else rows[0])))

    def _edge(self, direction: str) -> str:
        pk = self.lookup_opts.pk
        if isinstance(pk, UUIDField):
            return ("0" if direction == OLDER else "f") * 32
        return "0" if direction == OLDER else str(_HIGHEST)

    def _text(self, value: Any) -> str:
        return instant_text(value) if self.order.is_instant else str(value)

    def _key(self, cursor: str) -> Key | None:
        """The key in `cursor`; None where it is not one of ours."""
        # A text may contain the separator; so may the key of a row, but then an instant comes first.
        value, _, key = cursor.partition("_") if self.order.is_instant else cursor.rpartition("_")
        pk: Field[Any, Any] = self.lookup_opts.pk
        try:
            return Key(self._value(value), pk.to_python(key))
        except (ValueError, ValidationError):
            return None

    def _value(self, text: str) -> Any:
        """The place that a cursor names. Raises ValueError."""
        if self.order.is_instant:
            return parse_instant(text)
        if not self.order.is_text:
            return int(text[:18])
        if "\x00" in text:
            raise ValueError("No row has it.")
        return text


def _parameters(item: Any) -> tuple[str, ...]:
    return TimeFilter.PARAMETERS if issubclass(item, TimeFilter) else (item.parameter_name,)
