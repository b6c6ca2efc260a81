"""Find the watch key of a request, and limit how often keys are tried and used.

Every failure has the same answer, so that a wrong key shows nothing about logs or other keys.
"""

import hmac
import re
import threading
import time
from collections.abc import Callable

from django.http import HttpRequest

from hoursmith_console.audit.models import WatchKey
from hoursmith_console.audit.watchers.services import PREFIX, digest_of

_BEARER = re.compile(rf"Bearer ({PREFIX}_([0-9a-f]{{12}})_[A-Za-z0-9_-]{{43}})")
_NO_DIGEST = digest_of("")
_WINDOW_S = 60.0


class RequestLimit:
    """Counts requests by name in windows of a minute, within this process."""

    def __init__(self, most: int, *, clock: Callable[[], float] = time.monotonic) -> None:
        self._most = most
        self._clock = clock
        self._lock = threading.Lock()
        self._begun = clock()
        self._counts: dict[str, int] = {}

    def count(self, name: str) -> None:
        """Count a request."""
        with self._lock:
            self._begin_window()
            self._counts[name] = self._counts.get(name, 0) + 1

    def is_reached(self, name: str) -> bool:
        """Return whether `name` has made as many requests as it may in this minute."""
        with self._lock:
            self._begin_window()
            return self._counts.get(name, 0) >= self._most

    def forget(self) -> None:
        """Forget all requests."""
        with self._lock:
            self._counts.clear()

    def _begin_window(self) -> None:
        if self._clock() - self._begun >= _WINDOW_S:
            self._begun = self._clock()
            self._counts.clear()


# Enough to read the whole log of a million entries in seven minutes.
READS = RequestLimit(600)
FAILURES = RequestLimit(30)


def watch_key_of(request: HttpRequest) -> WatchKey | None:
    """Return the key in the Authorization header; None if it is missing, wrong or revoked."""
    found = _BEARER.fullmatch(request.headers.get("Authorization", ""))
    text, slug = (found[1], found[2]) if found else ("", "")
    key = WatchKey.objects.live().filter(slug=slug).first() if found else None
    # Compared in any case, so that the time does not tell whether the slug exists.
    is_right = hmac.compare_digest(digest_of(text), key.digest if key else _NO_DIGEST)
    return key if key is not None and is_right else None
