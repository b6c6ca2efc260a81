"""The calls that the activity recorder keeps on disk: its own, and those that ended processes of the machine left."""

import logging
from collections.abc import Sequence
from pathlib import Path

from mcpbridge.activity.batch import Batch
from mcpbridge.activity.observed import EndedCall
from mcpbridge.activity.spill import Spill, left_spills, own_spill

logger = logging.getLogger(__name__)

_LIMIT_BYTES = 64 * 1024 * 1024


class Backlog:
    """Used by the recorder's thread only. Without a folder it keeps nothing."""

    def __init__(self, folder: Path | None, *, limit_bytes: int = _LIMIT_BYTES) -> None:
        self._folder = folder
        self._limit_bytes = limit_bytes
        self._own: Spill | None = None
        self._left: list[Spill] = []

    @property
    def calls(self) -> int:
        """Return the number of calls on disk that this recorder is to write."""
        return sum(spill.calls for spill in self._all())

    @property
    def is_in_use(self) -> bool:
        """Return whether own calls are on disk, so that later ones must follow them there to stay in order."""
        return self._own is not None and self._own.calls > 0

    def keep(self, ended: Sequence[EndedCall]) -> int:
        """Keep as many of `ended` as there is room for, in order; return their number."""
        if self._folder is None or not ended:
            return 0
        if self._own is None:
            try:
                self._own = own_spill(self._folder, limit_bytes=self._limit_bytes)
            except OSError as error:
                logger.warning("Calls cannot be kept on disk until the database answers: %s", error.strerror)
                return 0
        return self._own.append(ended)

    def adopt(self) -> None:
        """Take over what ended processes left."""
        if self._folder is not None:
            self._left += left_spills(self._folder)

    def batch(self, size: int) -> Batch | None:
        """Return the next at most `size` calls to write; None if there are none."""
        for spill in self._all():
            if spill.calls:
                ended, spilled_bytes = spill.first(size)
                return Batch(ended=ended, is_counted=False, spill=spill, spilled_bytes=spilled_bytes)
        return None

    def forget(self, batch: Batch) -> None:
        """Drop the calls of `batch`, which are in the database now or cannot be stored."""
        if batch.spill is None:
            return
        batch.spill.forget(len(batch.ended), batch.spilled_bytes)
        if not batch.spill.calls and batch.spill is not self._own:
            batch.spill.close()
            self._left.remove(batch.spill)

    def close(self) -> None:
        """Release all files; what is in them is written by the next recorder of this machine."""
        for spill in self._all():
            spill.close()
        self._own, self._left = None, []

    def _all(self) -> list[Spill]:
        return [*self._left, *([self._own] if self._own else [])]
