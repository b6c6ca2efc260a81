"""Judge by the entries that are shown whether they match the filter of evidence."""

from collections.abc import Mapping
from typing import Any

from mcpbridge.audit.verification.records import Event

# What is beside the facts of a row, and no member to filter by.
_NO_FACTS = frozenset({"type", "sealed", "seal", "salts"})


class FilterJudge:
    """Counts the entries that match. `unjudged` are names of filters that an entry does not show."""

    def __init__(self, filters: Mapping[str, str]) -> None:
        """`filters` are those of the manifest."""
        self._filters = filters
        self.matching = 0
        self.unjudged: set[str] = set()

    def take(self, event: Event) -> None:
        """Judge the next entry that is shown."""
        said: dict[str, Any] = {**(event.facts or {}), **(event.shown or {})}
        said |= {"previous_hash": event.previous_hash, "hash": event.hash}
        at = str(said.get("recorded_at"))
        is_match = True
        for name, text in self._filters.items():
            if name == "since":
                is_match &= at >= text
            elif name == "until":
                is_match &= at < text
            elif name in said and name not in _NO_FACTS:
                is_match &= said[name] == text
            else:
                self.unjudged.add(name)
        self.matching += is_match
