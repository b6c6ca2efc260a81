"""The filter by time: a quick range, or from and to, each a day or a minute in the reader's zone."""

from collections.abc import Iterator
from datetime import UTC, datetime, timedelta
from typing import Any, ClassVar, cast

from django.contrib.admin import ListFilter
from django.contrib.admin.views.main import ChangeList
from django.db.models import Model, QuerySet
from django.http import HttpRequest
from django.utils import timezone

from hoursmith_console.core.lists.chips import Chip
from hoursmith_console.core.times.spans import Span, last_night, parse_span
from hoursmith_console.core.times.zones import current_zone_name, find_zone
from hoursmith_console.core.viewer import ViewerRequest

# The zone of from and to, so that a link means the same to every reader; without it they are UTC.
ZONE = "tz"
NIGHT, VISIT = "night", "visit"
_LAST = {
    "1h": ("Last hour", timedelta(hours=1)),
    "24h": ("24 hours", timedelta(hours=24)),
    "7d": ("7 days", timedelta(days=7)),
    "30d": ("30 days", timedelta(days=30)),
}
_QUICK = (NIGHT, VISIT, "24h", "7d")


class TimeFilter(ListFilter):
    """Rows between two instants, the named days and minutes included; none, and `faults`, where one cannot be read."""

    title = "time"
    control = "time"
    field: ClassVar[str] = "at"
    PARAMETERS = ("range", "since", "until")

    def __init__(self, request: HttpRequest, params: dict[str, Any], model: type[Model], model_admin: Any) -> None:
        super().__init__(request, params, model, model_admin)
        given = {name: params.pop(name, [""])[-1] for name in self.PARAMETERS}
        self._previous_sign_in_at = cast(ViewerRequest, request).viewer.member.previous_sign_in_at
        self._now = timezone.now()
        self.range = given["range"] if given["range"] in self._labels() else ""
        self.faults: list[str] = []
        self._zone = find_zone(request.GET.get(ZONE, "")) or UTC
        self.since = self._read("From", given["since"])
        self.until = self._read("To", given["until"])

    def _read(self, control: str, text: str) -> Span | None:
        if not text:
            return None
        found = parse_span(text, self._zone)
        if found is None:
            self.faults.append(
                f"The time in “{control}” cannot be read. Write a day (2026-11-30) or a minute (2026-11-30T09:30)."
            )
        return found

    def _labels(self) -> dict[str, str]:
        named = {NIGHT: "Last night"}
        if self._previous_sign_in_at:
            named[VISIT] = "Since my last visit"
        return named | {key: label for key, (label, _) in _LAST.items()}

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
        """What is shown of the times in use, but for quick ranges, and which parameters remove them."""
        found = [Chip("time", self._labels()[self.range], ("range",))] if self.range not in ("", *_QUICK) else []
        for name, span, text in (("from", self.since, self.since_text), ("to", self.until, self.until_text)):
            if span:
                parameter = "since" if name == "from" else "until"
                found.append(Chip(name, text.replace("T", " "), (parameter,)))
        return found

    def options(self) -> list[dict[str, Any]]:
        """What the select element shows."""
        return [{"value": key, "label": label, "is_chosen": key == self.range} for key, label in self._labels().items()]

    def quick_ranges(self) -> list[dict[str, Any]]:
        """Return the ranges that are one click away, each with the span that it means now."""
        labels = self._labels()
        return [
            {"value": key, "label": labels[key], "title": self._meaning(key), "is_chosen": key == self.range}
            for key in _QUICK
            if key in labels
        ]

    @property
    def since_text(self) -> str:
        """The first minute, as a control shows it, in the reader's zone."""
        return f"{timezone.localtime(self.since.since):%Y-%m-%dT%H:%M}" if self.since else ""

    @property
    def until_text(self) -> str:
        """The last minute, as a control shows it, in the reader's zone."""
        return f"{timezone.localtime(self.until.until) - timedelta(minutes=1):%Y-%m-%dT%H:%M}" if self.until else ""

    def bounds(self) -> tuple[datetime | None, datetime | None]:
        """Return the first instant that fits, and the first that comes after; None where there is no limit."""
        since, until = self._range_bounds(self.range)
        if self.since:
            since = max(self.since.since, since) if since else self.since.since
        if self.until:
            until = min(self.until.until, until) if until else self.until.until
        return since, until

    def recorded_bounds(self) -> dict[str, str]:
        """Return what the filter means now, in UTC, for an entry that must still say it when "last night" is past."""
        since, until = self.bounds()
        named = {"from": since, "before": until}
        return {name: f"{each.astimezone(UTC):%Y-%m-%dT%H:%M:%SZ}" for name, each in named.items() if each}

    def queryset(self, request: HttpRequest, queryset: QuerySet[Any]) -> QuerySet[Any]:
        if self.faults:
            # Other rows than those that were asked for would be taken for them.
            return queryset.none()
        since, until = self.bounds()
        if since:
            queryset = queryset.filter(**{f"{self.field}__gte": since})
        if until:
            queryset = queryset.filter(**{f"{self.field}__lt": until})
        return queryset

    def _range_bounds(self, key: str) -> tuple[datetime | None, datetime | None]:
        if key == NIGHT:
            return last_night(self._now, timezone.get_current_timezone())
        if key == VISIT:
            return self._previous_sign_in_at, None
        return (self._now - _LAST[key][1], None) if key in _LAST else (None, None)

    def _meaning(self, key: str) -> str:
        since, until = (timezone.localtime(each) if each else None for each in self._range_bounds(key))
        begin = f"{since:%a %-d %b %H:%M}" if since else ""
        if key == NIGHT:
            return f"{begin} to {until:%a %-d %b %H:%M}, {current_zone_name()}"
        return f"Since you signed in before this time: {begin}" if key == VISIT else f"Since {begin}"
