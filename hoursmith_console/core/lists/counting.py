"""Count rows up to a bound, so that a number costs the same however many rows there are."""

from typing import Any, Self

from django.db.models import QuerySet

MOST_COUNTED = 10_000


class BoundedCount(int):
    """A number of rows; more than `most` are not counted and read "10,000+"."""

    most: int

    def __new__(cls, found: int, most: int = MOST_COUNTED) -> Self:
        """Take what was found when looking for one more than `most`."""
        made = super().__new__(cls, min(found, most + 1))
        made.most = most
        return made

    @property
    def is_cut(self) -> bool:
        """Whether there are more rows than were counted."""
        return self > self.most


def bounded_count(rows: QuerySet[Any], most: int = MOST_COUNTED) -> BoundedCount:
    """Count `rows`, at most one more than `most`."""
    return BoundedCount(rows.order_by()[: most + 1].count(), most)


def count_text(number: int) -> str:
    """Return a number as pages show it: "1,234", or "10,000+" if more were not counted."""
    if isinstance(number, BoundedCount) and number.is_cut:
        return f"{number.most:,}+"
    return f"{number:,}"
