"""Lists of records that cost the same on every page: filtered by the address bar, paged by key, never counted."""

from collections.abc import Iterator, Sequence
from datetime import UTC, date, datetime, time, timedelta
from typing import Any
from urllib.parse import urlencode

from django.contrib.admin import ListFilter, SimpleListFilter
from django.contrib.admin.views.main import SEARCH_VAR, ChangeList
from django.core.exceptions import ValidationError
from django.db.models import Field, Model, Q, QuerySet
from django.http import HttpRequest

OLDER, NEWER = "before", "after"


class ChoiceFilter(SimpleListFilter):
    """Rows whose `field` has the chosen value; a value that is not on offer filters nothing."""

    control = "choice"
    field = ""

    def queryset(self, request: HttpRequest, queryset: QuerySet[Any]) -> QuerySet[Any]:
        value = self.value()
        if value is None or value not in {str(key) for key, _ in self.lookup_choices}:
            return queryset
        return self.narrow(queryset, value)

    def narrow(self, queryset: QuerySet[Any], value: str) -> QuerySet[Any]:
        """`queryset` with the known `value` applied."""
        return queryset.filter(**{self.field: value})

    def options(self) -> list[dict[str, Any]]:
        """What a select element shows."""
        return [
            {"value": key, "label": label, "is_chosen": str(key) == self.value()} for key, label in self.lookup_choices
        ]


class DaysFilter(ListFilter):
    """Rows between two days, both included (UTC). A day that is none filters nothing."""

    title = "days"
    control = "days"
    field = "at"

    def __init__(self, request: HttpRequest, params: dict[str, Any], model: type[Model], model_admin: Any) -> None:
        super().__init__(request, params, model, model_admin)
        self.since = _day(params.pop("since", [""])[-1])
        self.until = _day(params.pop("until", [""])[-1])

    def has_output(self) -> bool:
        return True

    def choices(self, changelist: ChangeList) -> Iterator[Any]:
        return iter(())

    def expected_parameters(self) -> list[str | None]:
        return ["since", "until"]

    def value(self) -> date | None:
        """Something, where this filter is in use."""
        return self.since or self.until

    def queryset(self, request: HttpRequest, queryset: QuerySet[Any]) -> QuerySet[Any]:
        if self.since:
            queryset = queryset.filter(**{f"{self.field}__gte": datetime.combine(self.since, time(), UTC)})
        if self.until and self.until < date.max:
            end = datetime.combine(self.until + timedelta(days=1), time(), UTC)
            queryset = queryset.filter(**{f"{self.field}__lt": end})
        return queryset


def _day(text: str) -> date | None:
    try:
        return date.fromisoformat(text)
    except ValueError:
        return None


class KeysetChangeList(ChangeList):
    """A change list that pages by the ordering's key: page 1,000 costs what page 1 costs, and nothing is counted.

    The ordering must be `(-field, -pk)` with an instant in the field.
    """

    result_list: Sequence[Any]

    def __init__(self, request: HttpRequest, *args: Any, **kwargs: Any) -> None:
        self.before = request.GET.get(OLDER, "")
        self.after = request.GET.get(NEWER, "")
        super().__init__(request, *args, **kwargs)

    def get_filters_params(self, params: Any = None) -> dict[str, Any]:
        """Only what a filter of this list knows: an unknown parameter is neither a lookup nor an error."""
        given = super().get_filters_params(params)
        known = {name for item in self.list_filter for name in _parameters(item)}
        return {name: values for name, values in given.items() if name in known}

    def get_results(self, request: HttpRequest) -> None:
        field = self.key_field = str(self.model_admin.get_ordering(request)[0]).removeprefix("-")
        older, newer = self._key(self.before), self._key(self.after)
        rows: QuerySet[Any] = self.queryset
        if newer:
            rows = _beyond(rows, field, "gt", newer).order_by(field, "pk")
        elif older:
            rows = _beyond(rows, field, "lt", older)
        # One more than is shown tells whether there is another page.
        found = list(rows[: self.list_per_page + 1])
        has_more = len(found) > self.list_per_page
        found = found[: self.list_per_page]
        if newer:
            found.reverse()
        self.result_list = found
        self.result_count = len(found)
        self.multi_page = False
        has_older, has_newer = (bool(found), has_more) if newer else (has_more, bool(older))
        self.older_query = self._page(OLDER, found[-1]) if has_older and found else ""
        self.newer_query = self._page(NEWER, found[0]) if has_newer and found else ""
        self.is_narrowed = self.has_active_filters or bool(self.query)

    def _page(self, direction: str, row: Any) -> str:
        kept = [(name, value) for name, values in self.get_filters_params().items() for value in values]
        if self.query:
            kept.append((SEARCH_VAR, self.query))
        at: datetime = getattr(row, self.key_field)
        return "?" + urlencode([*kept, (direction, f"{at.astimezone(UTC):%Y%m%dT%H%M%S.%f}_{row.pk}")])

    def _key(self, cursor: str) -> tuple[datetime, Any] | None:
        """The key in `cursor`; None where it is not one of ours."""
        instant, _, key = cursor.partition("_")
        pk: Field[Any, Any] = self.lookup_opts.pk
        try:
            return datetime.strptime(instant, "%Y%m%dT%H%M%S.%f").replace(tzinfo=UTC), pk.to_python(key)
        except (ValueError, ValidationError):
            return None


def _parameters(item: Any) -> list[str]:
    return ["since", "until"] if issubclass(item, DaysFilter) else [item.parameter_name]


def _beyond(rows: QuerySet[Any], field: str, side: str, key: tuple[datetime, Any]) -> QuerySet[Any]:
    instant, pk = key
    # The first condition alone lets the index do the work; the second breaks ties.
    return rows.filter(**{f"{field}__{side}e": instant}).filter(
        Q(**{f"{field}__{side}": instant}) | Q(**{f"pk__{side}": pk})
    )
