"""The filter by time: the last hour to the last month, or from and to, each a day or a minute (UTC)."""

from collections.abc import Iterator
from datetime import UTC, date, datetime, time, timedelta
from typing import Any, ClassVar

from django.contrib.admin import ListFilter
from django.contrib.admin.views.main import ChangeList
from django.db.models import Model, QuerySet
from django.http import HttpRequest
from django.utils import timezone

from hoursmith_console.core.lists.chips import Chip

_RANGES = {
    "1h": ("the last hour", timedelta(hours=1)),
    "24h": ("the last 24 hours", timedelta(hours=24)),
    "7d": ("the last 7 days", timedelta(days=7)),
    "30d": ("the last 30 days", timedelta(days=30)),
}


class TimeFilter(ListFilter):
    """Rows between two instants, the named days and minutes included; none, and `faults`, where one cannot be read."""

    title = "time"
    control = "time"
    field: ClassVar[str] = "at"
    PARAMETERS = ("range", "since", "until")

    def __init__(self, request: HttpRequest, params: dict[str, Any], model: type[Model], model_admin: Any) -> None:
        super().__init__(request, params, model, model_admin)
        given = {name: params.pop(name, [""])[-1] for name in self.PARAMETERS}
        self.range = given["range"] if given["range"] in _RANGES else ""
        self.faults: list[str] = []
        self.since = self._read("From", given["since"])
        self.until = self._read("To", given["until"])

    def _read(self, control: str, text: str) -> tuple[datetime, datetime] | None:
        if not text:
            return None
        found = _span(text)
        if found is None:
            self.faults.append(
                f"The time in “{control}” cannot be read. Write a day (2026-11-30) or a minute (2026-11-30T09:30, "
                "with an offset such as +02:00 where it is not UTC)."
            )
        return found

    def has_output(self) -> bool:
        return True

    def choices(self, changelist: ChangeList) -> Iterator[Any]:
        return iter(())

    def expected_parameters(self) -> list[str | None]:
        return list(self.PARAMETERS)

    def value(self) -> Any:
        """Something, where this filter is in use."""
        return self.range or self.since or self.until or self.faults

    def chips(self) -> list[Chip]:
        """What is shown of the times in use, and which parameters remove them."""
        found = [Chip("time", _RANGES[self.range][0], ("range",))] if self.range else []
        for name, span, text in (("from", self.since, self.since_text), ("to", self.until, self.until_text)):
            if span:
                parameter = "since" if name == "from" else "until"
                found.append(Chip(name, f"{text.replace('T', ' ')} UTC", (parameter,)))
        return found

    def options(self) -> list[dict[str, Any]]:
        """What the select element shows."""
        return [{"value": key, "label": label, "is_chosen": key == self.range} for key, (label, _) in _RANGES.items()]

    @property
    def since_text(self) -> str:
        """The first minute, as a control shows it."""
        return f"{self.since[0]:%Y-%m-%dT%H:%M}" if self.since else ""

    @property
    def until_text(self) -> str:
        """The last minute, as a control shows it."""
        return f"{self.until[1] - timedelta(minutes=1):%Y-%m-%dT%H:%M}" if self.until else ""

    def queryset(self, request: HttpRequest, queryset: QuerySet[Any]) -> QuerySet[Any]:
        if self.faults:
            # Other rows than those that were asked for would be taken for them.
            return queryset.none()
        if self.range:
            queryset = queryset.filter(**{f"{self.field}__gte": timezone.now() - _RANGES[self.range][1]})
        if self.since:
            queryset = queryset.filter(**{f"{self.field}__gte": self.since[0]})
        if self.until:
            queryset = queryset.filter(**{f"{self.field}__lt": self.until[1]})
        return queryset


def _span(text: str) -> tuple[datetime, datetime] | None:
    """Return the day or minute that `text` names, in UTC unless it says otherwise: its begin, and that of the next.

    None where it names neither. A plus sign may have become a space on its way through an address (`+02:00`).
    """
    text = text.strip()
    try:
        if "T" not in text:
            day = datetime.combine(date.fromisoformat(text), time(), UTC)
            return day, day + timedelta(days=1)
        said = datetime.fromisoformat(text.replace(" ", "+"))
        minute = (said if said.tzinfo else said.replace(tzinfo=UTC)).astimezone(UTC).replace(second=0, microsecond=0)
        return minute, minute + timedelta(minutes=1)
    except (ValueError, OverflowError):
        return None
