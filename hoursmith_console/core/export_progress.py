"""Progress of a running export, kept in the shared cache for one hour and polled by the export page.

The audit log, not this module, records that someone exported.
"""

import time
from dataclasses import asdict, dataclass
from typing import Any

from django.core.cache import cache
from django.db import Error, connections

from hoursmith_console.core.viewer import ConsoleMember

_KEPT_S = 3600
_PUBLISH_EVERY_S = 1.0
# A stream publishes its progress every second; after this long without, the download was interrupted.
_LOST_AFTER_S = 30.0


@dataclass(slots=True)
class ExportState:
    """State of one export: `rows` of `total`, which is None if they were not counted. Times in Unix seconds."""

    total: int | None
    rows: int = 0
    started_at: float = 0.0
    published_at: float = 0.0
    ending: str = ""

    @property
    def is_running(self) -> bool:
        """Whether the download is in progress."""
        return not self.ending and time.time() - self.published_at < _LOST_AFTER_S

    @property
    def is_complete(self) -> bool:
        """Whether the download reached its end."""
        return self.ending == "complete"

    @property
    def shown(self) -> int:
        """Exported rows; at most `total`, since some formats have extra lines."""
        return max(0, self.rows if self.total is None else min(self.rows, self.total))

    @property
    def mark(self) -> str:
        """Changes whenever the page has to."""
        return f"{self.started_at:.3f}-{self.rows}-{self.is_running}"


class ExportProgress:
    """Track and publish the progress of one stream."""

    def __init__(self, *, member: ConsoleMember, area: str, total: int | None, headings: int = 0) -> None:
        now = time.time()
        self._key, self._next = _key(member, area), 0.0
        self._state = ExportState(total, rows=-headings, started_at=now, published_at=now)
        self._write()

    @property
    def is_due(self) -> bool:
        """Whether to publish the progress now."""
        return time.monotonic() >= self._next

    def count(self, lines: int) -> None:
        """Add `lines` to the exported lines."""
        self._state.rows += lines

    def publish(self) -> None:
        """Publish the progress. Call it in another thread: the connection that reads the rows cannot write."""
        self._next = time.monotonic() + _PUBLISH_EVERY_S
        try:
            self._write()
        except Error:
            # Progress can be skipped.
            return
        finally:
            connections.close_all()

    def end(self, *, is_complete: bool) -> None:
        """Publish the end of the export."""
        self._state.ending = "complete" if is_complete else "interrupted"
        self.publish()

    def _write(self) -> None:
        self._state.published_at = time.time()
        cache.set(self._key, asdict(self._state), _KEPT_S)


def last_export(*, member: ConsoleMember, area: str) -> ExportState | None:
    """Return the state of the member's last export of `area`, None without one in the last hour."""
    cached: dict[str, Any] | None = cache.get(_key(member, area))
    return ExportState(**cached) if cached else None


def _key(member: ConsoleMember, area: str) -> str:
    return f"export-progress:{area}:{member.pk}"
