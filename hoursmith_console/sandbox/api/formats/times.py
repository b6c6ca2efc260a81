"""Value types of dates and instants, always in UTC."""

import re
from dataclasses import dataclass
from datetime import UTC, date, datetime, time
from typing import Any

from hoursmith_console.sandbox.api.values import InvalidValueError, Schema, ValueType

_DAY = re.compile(r"\d{4}-\d{2}-\d{2}", re.ASCII)
_INSTANT = re.compile(r"(\d{4}-\d{2}-\d{2})[Tt](\d{2}:\d{2}(?::\d{2}(?:\.\d{1,9})?)?)([Zz]|[+-]\d{2}:\d{2})", re.ASCII)


@dataclass(frozen=True)
class Day(ValueType):
    """A calendar day, `YYYY-MM-DD`. As the bound of a range, an instant is also accepted and means its day in UTC."""

    def parse(self, value: Any) -> date:
        if isinstance(value, str) and _DAY.fullmatch(value):
            try:
                return date.fromisoformat(value)
            except ValueError:
                pass
        raise InvalidValueError("must be a date, YYYY-MM-DD")

    def render(self, value: date) -> str:
        return value.isoformat()

    def bound(self, text: str, *, lower: bool) -> date:
        return Instant().bound(text, lower=lower).date()

    def schema(self) -> Schema:
        return {"type": "string", "format": "date"}

    def query_schema(self) -> Schema:
        return Instant().query_schema()


@dataclass(frozen=True)
class Instant(ValueType):
    """A point in time, ISO 8601 with an offset, kept to the millisecond."""

    def parse(self, value: Any) -> datetime:
        match = _INSTANT.fullmatch(value) if isinstance(value, str) else None
        if match:
            try:
                moment = datetime.fromisoformat(f"{match[1]}T{match[2]}{match[3].upper()}").astimezone(UTC)
            except (ValueError, OverflowError):
                pass
            else:
                return moment.replace(microsecond=moment.microsecond // 1000 * 1000)
        raise InvalidValueError("must be an instant such as 2026-01-31T09:30:00Z")

    def render(self, value: datetime) -> str:
        return value.astimezone(UTC).isoformat(timespec="milliseconds").replace("+00:00", "Z")

    def bound(self, text: str, *, lower: bool) -> datetime:
        """Return the bound of a range: an instant, or the start or end of a date in UTC."""
        if _DAY.fullmatch(text):
            return datetime.combine(Day().parse(text), time.min if lower else time.max, UTC)
        try:
            return self.parse(text)
        except InvalidValueError:
            raise InvalidValueError("must be a date, YYYY-MM-DD, or an instant such as 2026-01-31T09:30:00Z") from None

    def schema(self) -> Schema:
        return {"type": "string", "format": "date-time"}

    def query_schema(self) -> Schema:
        return {"anyOf": [{"type": "string", "format": "date"}, {"type": "string", "format": "date-time"}]}


DAY = Day()
INSTANT = Instant()
