"""A clock that runs through past weeks within a minute, for the one process that plays the demo.

Imports nothing of Django's that reads the time before `install` has replaced it.
"""

import time
from datetime import UTC, datetime, timedelta

from django.utils import timezone


class DemoClock:
    """Tells a time in the past, which passes as real time does and is moved forward in steps."""

    def __init__(self) -> None:
        self._instant, self._since = datetime.now(UTC), time.monotonic()

    def now(self) -> datetime:
        """Return the demo's time."""
        return self._instant + timedelta(seconds=time.monotonic() - self._since)

    def begin(self, instant: datetime) -> None:
        """Set the clock back, before anything is played."""
        self._instant, self._since = instant, time.monotonic()

    def move_to(self, instant: datetime) -> None:
        """Move the clock forward; it never goes back, so that what happens later has a later time."""
        self._instant, self._since = max(self.now(), instant), time.monotonic()

    def pass_(self, seconds: float) -> None:
        """Let time pass."""
        self.move_to(self.now() + timedelta(seconds=seconds))

    def install(self) -> None:
        """Let this process read the time here. Call it before the models are loaded, which keep the function."""
        timezone.now = self.now
