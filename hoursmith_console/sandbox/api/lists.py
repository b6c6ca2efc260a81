"""Lists (contract section 7): filters, search, ranges, order, and pages by keyset cursor.

A `Listing` declares the parameters of a resource's list; `read_query` parses them into a `ListQuery`,
and `page` runs it in one query.
"""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from typing import Any, TypeVar

from django.db.models import Case, F, IntegerField, Model, Q, QuerySet, Value, When
from django.http import QueryDict

from hoursmith_console.sandbox.api.errors import ValidationFaultError
from hoursmith_console.sandbox.api.fields import snake
from hoursmith_console.sandbox.api.formats import cursors
from hoursmith_console.sandbox.api.formats.numbers import Integer
from hoursmith_console.sandbox.api.values import Choice, InvalidValueError, Text, ValueType
from hoursmith_console.sandbox.text import Fold

Row = TypeVar("Row", bound=Model)

DEFAULT_SORT = "-createdAt"
LIMIT = Integer(1, 200)
DEFAULT_LIMIT = 50
SEARCH = Text(200)
CURSOR = Text(2000, minimum=1)
_RANK = Integer(0, 99)


@dataclass(frozen=True)
class Filter:
    """One exact filter: the query parameter `name`, its type, and the condition of a value."""

    name: str
    value_type: ValueType
    lookup: str = ""

    def condition(self, value: Any) -> Q:
        return Q(**{self.lookup or snake(self.name): value})


@dataclass(frozen=True)
class BooleanFilter(Filter):
    """A boolean filter with a condition."""

    when: Q = field(default_factory=Q)

    def condition(self, value: Any) -> Q:
        return self.when if value else ~self.when


@dataclass(frozen=True)
class PartialFilter:
    """A case-insensitive substring filter on `attr`."""

    name: str
    attr: str
    value_type: ValueType = SEARCH


@dataclass(frozen=True)
class Listing:
    """Parameters of a resource's list. `sorts` and `ranges` map fields to their types."""

    sorts: Mapping[str, ValueType]
    search: Sequence[str] = ()
    filters: Sequence[Filter | PartialFilter] = ()
    ranges: Mapping[str, ValueType] = field(default_factory=dict)

    def bounds(self) -> dict[str, tuple[str, ValueType, bool]]:
        """Query parameter → attribute, type, and whether it is the lower bound."""
        found = {}
        for name, value_type in self.ranges.items():
            for suffix, lower in zip(value_type.bounds, (True, False), strict=True):
                found[f"{name}{suffix}"] = (snake(name), value_type, lower)
        return found

    @property
    def orders(self) -> list[str]:
        """Return every value that `sort` accepts."""
        return [order for name in sorted(self.sorts) for order in (name, f"-{name}")]


@dataclass(frozen=True)
class ListQuery:
    """A list request, checked.

    `asked` are the filters as they were given; `after` is the last row of the page before: sort value and id.
    """

    asked: Mapping[str, Any]
    conditions: tuple[Q, ...]
    partial: tuple[tuple[Sequence[str], str], ...]
    sort: str
    limit: int
    after: tuple[Any, Any] | None


EVERYTHING = ListQuery({}, (), (), DEFAULT_SORT, DEFAULT_LIMIT, None)


def read_query(listing: Listing, query: QueryDict, *, ignored: Sequence[str] = ()) -> ListQuery:
    """Return the parsed list request. Raises ValidationFaultError with all invalid parameters.

    Filters in `ignored` are checked like the others and then have no effect.
    """
    reader = _Reader(query)
    limit = reader.take("limit", LIMIT.read, DEFAULT_LIMIT)
    sort = reader.take("sort", _order_of(listing), DEFAULT_SORT)
    after = reader.take("cursor", lambda text: cursors.read(CURSOR.read(text), sort, _sort_type(listing, sort)), None)
    conditions: list[Q] = []
    partial: list[tuple[Sequence[str], str]] = []
    if term := reader.take("search", SEARCH.read, ""):
        partial.append((listing.search, term))
    asked = {each.name: reader.take(each.name, each.value_type.read, None) for each in listing.filters}
    for each in listing.filters:
        value = asked[each.name]
        if value is None or value == "" or each.name in ignored:
            continue
        if isinstance(each, PartialFilter):
            partial.append(((each.attr,), value))
        else:
            conditions.append(each.condition(value))
    for name, (attr, value_type, lower) in listing.bounds().items():
        value = reader.take(name, _bound_of(value_type, lower=lower), None)
        if value is not None:
            conditions.append(Q(**{f"{attr}__{'gte' if lower else 'lte'}": value}))
    reader.finish()
    return ListQuery(asked, tuple(conditions), tuple(partial), sort, limit, after)


def refuse_query(query: QueryDict) -> None:
    """Raise ValidationFaultError if there are parameters; none is allowed here."""
    _Reader(query).finish()


class _Reader:
    """Take parameters from a query and collect their errors."""

    def __init__(self, query: QueryDict) -> None:
        self._query = query
        self._taken: set[str] = set()
        self._faults: dict[str, str] = {}

    def take(self, name: str, read: Any, default: Any) -> Any:
        self._taken.add(name)
        values = self._query.getlist(name)
        if not values:
            return default
        if len(values) > 1:
            self._faults[name] = "given more than once"
            return default
        try:
            return read(values[0])
        except InvalidValueError as error:
            self._faults[name] = str(error)
            return default

    def finish(self) -> None:
        for name in self._query:
            if name not in self._taken:
                self._faults[name[:60].encode("utf-8", "replace").decode()] = "unknown parameter"
        if self._faults:
            raise ValidationFaultError(self._faults)


def _order_of(listing: Listing) -> Any:
    orders = listing.orders

    def read(text: str) -> str:
        if text not in orders:
            raise InvalidValueError(f"must be one of {', '.join(orders)}")
        return text

    return read


def _bound_of(value_type: ValueType, *, lower: bool) -> Any:
    bound = getattr(value_type, "bound", None)
    return (lambda text: bound(text, lower=lower)) if bound else value_type.read


def _sort_type(listing: Listing, sort: str) -> ValueType:
    """Return the type of the values that `sort` compares."""
    value_type = listing.sorts[sort.lstrip("-")]
    return _RANK if isinstance(value_type, Choice) else value_type


def page(rows: QuerySet[Row], listing: Listing, query: ListQuery) -> tuple[list[Row], str | None]:
    """Return one page of `rows`, and the cursor of the next page or None."""
    for place, (attrs, term) in enumerate(query.partial):
        rows = _containing(rows, attrs, term, place)
    chosen: QuerySet[Any] = rows.filter(*query.conditions)
    name, descending = query.sort.lstrip("-"), query.sort.startswith("-")
    column = snake(name)
    if isinstance(choice := listing.sorts[name], Choice):
        # Choices come in the order they are declared in: HIGH is above LOW, whatever the alphabet says.
        ranks = [When(**{column: value, "then": Value(rank)}) for rank, value in enumerate(choice.values)]
        chosen, column = chosen.annotate(sort_rank=Case(*ranks, output_field=IntegerField())), "sort_rank"
    if query.after is not None:
        chosen = chosen.filter(_beyond(column, query.after, descending=descending))
    chosen = chosen.order_by(*_ordering(column, descending=descending))
    # One row more than asked for tells whether there is a next page.
    found = list(chosen[: query.limit + 1])
    if len(found) <= query.limit:
        return found, None
    last = found[query.limit - 1]
    return found[: query.limit], cursors.write(
        query.sort, _sort_type(listing, query.sort), getattr(last, column), last.pk
    )


def _ordering(column: str, *, descending: bool) -> list[Any]:
    # Explicit, because PostgreSQL sorts nulls the other way.
    if descending:
        return [F(column).desc(nulls_last=True), "-id"] if column != "id" else ["-id"]
    return [F(column).asc(nulls_first=True), "id"] if column != "id" else ["id"]


def _beyond(column: str, after: tuple[Any, Any], *, descending: bool) -> Q:
    """Return the condition for rows after the row with this sort value and id."""
    value, last_id = after
    sign = "lt" if descending else "gt"
    later_id = Q(**{f"id__{sign}": last_id})
    if column == "id":
        return later_id
    if value is None:
        same = Q(**{f"{column}__isnull": True}) & later_id
        return same if descending else same | Q(**{f"{column}__isnull": False})
    found = Q(**{f"{column}__{sign}": value}) | (Q(**{column: value}) & later_id)
    return found | Q(**{f"{column}__isnull": True}) if descending else found


def _containing(rows: QuerySet[Row], attrs: Sequence[str], term: str, place: int) -> QuerySet[Row]:
    """Return the rows that contain `term` in one of `attrs`, ignoring case."""
    found = Q()
    for number, attr in enumerate(attrs):
        alias = f"folded_{place}_{number}"
        rows = rows.alias(**{alias: Fold(attr)})
        found |= Q(**{f"{alias}__contains": Fold(Value(term))})
    return rows.filter(found)
