"""What the search shows: hits in groups, and where a group continues."""

from collections.abc import Sequence
from dataclasses import dataclass
from datetime import datetime

# Hits of a group on the page of results; more are in the list that it links to.
MOST_SHOWN = 5
# Larger numbers are not counted.
MOST_COUNTED = 1_000


@dataclass(frozen=True, slots=True)
class Hit:
    """One object: its name, its page, and a line about it."""

    name: str
    address: str
    about: str = ""
    at: datetime | None = None


@dataclass(frozen=True, slots=True)
class Group:
    """Hits of one kind. `more` is the address of the list with all of them, `more_label` the text of the link."""

    kind: str
    hits: Sequence[Hit]
    is_complete: bool = True
    more: str = ""
    more_label: str = ""


def all_label(total: int, noun: str) -> str:
    """Return the text of a link to all hits: "All 12 tokens"."""
    counted = f"{MOST_COUNTED:,}+" if total > MOST_COUNTED else f"{total:,}"
    return f"All {counted} {noun}"
