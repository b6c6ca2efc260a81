"""Make ids of requests, calls and rows: unique, ordered by time, and not predictable from other ids.

Rows of one batch are then adjacent in a database's indexes: with random ids each row would change an index page of its
own, and all of those are written by the commit that a caller waits for.

The random part comes from the system's cryptographic source, for many ids at once: a single read of it costs 14 µs on a
virtual machine.
"""

import os
import time
import uuid

_ID_BYTES = 10
_IDS_PER_READ = 256
_VERSION_AND_VARIANT = 7 << 76 | 2 << 62
_RANDOM_BITS = (1 << 80) - 1 & ~(15 << 76 | 3 << 62)
# Random parts that were read and not used yet. Each is taken once, from whichever thread.
_spare: list[int] = []
# A forked worker must not use the numbers of its siblings.
os.register_at_fork(after_in_child=_spare.clear)


def new_id() -> uuid.UUID:
    """Return a new id that starts with the current millisecond (RFC 9562, version 7)."""
    return uuid.UUID(int=_number())


def new_text_id() -> str:
    """Return a new id as 32 hexadecimal digits."""
    return f"{_number():032x}"


def _number() -> int:
    milliseconds = time.time_ns() // 1_000_000
    return milliseconds << 80 | _VERSION_AND_VARIANT | _random_part() & _RANDOM_BITS


def _random_part() -> int:
    while True:
        try:
            return _spare.pop()
        except IndexError:
            read = os.urandom(_ID_BYTES * _IDS_PER_READ)
            _spare.extend([int.from_bytes(read[at : at + _ID_BYTES]) for at in range(0, len(read), _ID_BYTES)])
