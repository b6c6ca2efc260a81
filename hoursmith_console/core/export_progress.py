"""How far an export is that a person asked for, for the page that they asked on.

It stands in the cache that all workers share, for an hour, and nowhere else: that somebody exported is in the record.
"""

import time
from dataclasses import asdict, dataclass
from typing import Any

from django.core.cache import cache
from django.db import Error, connections

from hoursmith_console.core.viewer import ConsoleMember

_KEPT_S = 3600
_SAY_EVERY_S = 1.0
# A stream says how far it is every second; after this long without, nobody reads it any more.
_SILENCE_S = 30.0


@dataclass(slots=True)
class Progress:
    """One export: `rows` of `total` are handed out; `total` is None where nobody counted them. Instants in seconds."""

    total: int | None
    rows: int = 0
    begun_at: float = 0.0
    said_at: float = 0.0
    ending: str = ""

    @property
    def is_running(self) -> bool:
        """Whether somebody still reads it."""
        return not self.ending and time.time() - self.said_at < _SILENCE_S

    @property
    def is_whole(self) -> bool:
        """Whether it was read to its end."""
        return self.ending == "whole"

    @property
    def shown(self) -> int:
        """Rows, as far as lines tell: some formats have lines of other kinds besides."""
        return max(0, self.rows if self.total is None else min(self.rows, self.total))

    @property
    def mark(self) -> str:
        """Differs wherever the page has to show something else."""
        return f"{self.begun_at:.3f}-{self.rows}-{self.is_running}"


class HandingOut:
    """Keeps the progress of one stream while it is read."""

    def __init__(self, *, member: ConsoleMember, area: str, total: int | None, headings: int = 0) -> None:
        now = time.time()
        self._key, self._next = _key(member, area), 0.0
        self._progress = Progress(total, rows=-headings, begun_at=now, said_at=now)
        self._write()

    @property
    def is_due(self) -> bool:
        """Whether it is time to say how far it is."""
        return time.monotonic() >= self._next

    def count(self, lines: int) -> None:
        """So many lines more have gone out."""
        self._progress.rows += lines

    def say(self) -> None:
        """Let the page know. On a thread of its own: the connection that reads the rows cannot write meanwhile."""
        self._next = time.monotonic() + _SAY_EVERY_S
        try:
            self._write()
        except Error:
            # How far it is can wait.
            return
        finally:
            connections.close_all()

    def end(self, *, is_whole: bool) -> None:
        """Nothing more goes out."""
        self._progress.ending = "whole" if is_whole else "broken off"
        self.say()

    def _write(self) -> None:
        self._progress.said_at = time.time()
        cache.set(self._key, asdict(self._progress), _KEPT_S)


def progress_of(*, member: ConsoleMember, area: str) -> Progress | None:
    """How far the member's last export of `area` is; None where there was none lately."""
    kept: dict[str, Any] | None = cache.get(_key(member, area))
    return Progress(**kept) if kept else None


def _key(member: ConsoleMember, area: str) -> str:
    return f"export-progress:{area}:{member.pk}"
