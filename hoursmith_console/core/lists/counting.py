"""Count rows up to a bound, so that a number costs the same however many rows there are."""

from typing import Any

from django.db.models import QuerySet

MOST_COUNTED = 10_000


class BoundedCount(int):
    """A number of rows; more than `MOST_COUNTED` are not counted and read "10,000+"."""

    @property
    def is_cut(self) -> bool:
        """Whether there are more rows than were counted."""
        return self > MOST_COUNTED


def bounded_count(rows: QuerySet[Any]) -> BoundedCount:
    """Count `rows`, at most one more than `MOST_COUNTED`."""
    return BoundedCount(rows.order_by()[: MOST_COUNTED + 1].count())


def count_text(number: int) -> str:
    """Return a number as pages show it: "1,234", or "10,000+" if more were not counted."""
    if isinstance(number, BoundedCount) and number.is_cut:
        return f"{MOST_COUNTED:,}+"
    return f"{number:,}"
