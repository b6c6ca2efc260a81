"""A progress line for long commands, shown only on a terminal."""

import time
from collections.abc import Callable

from django.core.management.base import OutputWrapper

_EVERY_S = 0.1
_BAR = 20


class ProgressLine:
    """Counts `what` up to `total` on the terminal `stream`; without a total it only counts."""

    def __init__(self, stream: OutputWrapper, *, what: str = "rows", total: int | None = None) -> None:
        self._stream, self._what, self._total, self._next = stream, what, total, 0.0

    def __call__(self, done: int) -> None:
        """Show the number done; the last one ends the line."""
        is_last, now = done == self._total, time.monotonic()
        if is_last or now >= self._next:
            self._next = now + _EVERY_S
            self._stream.write(f"\r{self._text(done)}", ending="\n" if is_last else "")

    def _text(self, done: int) -> str:
        if not self._total:
            return f"{done:,} {self._what}"
        filled = min(_BAR, _BAR * done // self._total)
        return f"[{'#' * filled}{'.' * (_BAR - filled)}] {done:,} of {self._total:,} {self._what}"


def progress_line(
    stream: OutputWrapper, *, what: str = "rows", total: int | None = None
) -> Callable[[int], None] | None:
    """Return a progress line, or None if `stream` is not a terminal, so that files and pipes stay clean."""
    return ProgressLine(stream, what=what, total=total) if stream.isatty() else None
