"""Remember the tokens that Hoursmith rejected recently, for all workers of a machine and across restarts.

Hoursmith counts bad tokens by address, so they are counted per machine. One file of fixed size holds the slots for
lookups that may fail, each taken before the request is sent, and the digests of rejected tokens. Without a file (no
writable folder) each process counts for itself, within its share of the slots.
"""

import hashlib
import ipaddress
import logging
import math
import os
import struct
import time
from collections.abc import Callable, Iterator
from enum import IntEnum
from functools import lru_cache
from pathlib import Path
from typing import NamedTuple

from mcpbridge.db.locks import FileLock

logger = logging.getLogger(__name__)

WINDOW_S = 60.0
# Hoursmith allows 10 bad tokens per 60 s and address. The console's own forms may use 2.
MAX_SLOTS = 8
# How long a rejected token is rejected without a new lookup: the first time, and at most.
REJECTED_FOR_S = 60.0
REJECTED_FOR_AT_MOST_S = 900.0


class TokenHistory(IntEnum):
    """What is known of the token that a slot is taken for."""

    # Never accepted, as far as is known.
    UNKNOWN = 1
    # Accepted once and rejected since.
    REJECTED_BEFORE = 2
    # Accepted at the last lookup. It needs no slot; its rejection is counted.
    ACCEPTED_BEFORE = 3


# Rejections of known tokens are counted without a slot, and reduce what is left for unknown ones.
_MOST = {TokenHistory.UNKNOWN: 6, TokenHistory.REJECTED_BEFORE: 2, TokenHistory.ACCEPTED_BEFORE: MAX_SLOTS}
MAX_SLOTS_PER_ADDRESS = 4

_PLACE = struct.Struct("<d8sBB6x")
_REFUSED = struct.Struct("<32sdHB5x")
_MAGIC = b"refused1"
# More than MAX_SLOTS, for rejections that are only counted.
_PLACES, _REFUSED_TOKENS = 32, 1024
_PLACES_AT = len(_MAGIC)
_REFUSED_AT = _PLACES_AT + _PLACES * _PLACE.size
_SIZE = _REFUSED_AT + _REFUSED_TOKENS * _REFUSED.size
_FILE_LOCK_S = 0.02


class Slot(NamedTuple):
    """A slot in the file, taken until `ends_at`."""

    number: int
    ends_at: float


class NoSlot(NamedTuple):
    """No slot is free for `wait_s` seconds. `is_held`: one may be released at any moment."""

    wait_s: int
    is_held: bool


class RejectedToken(NamedTuple):
    """A token that Hoursmith rejected. `is_in_force`: do not look it up again yet."""

    is_in_force: bool
    was_accepted: bool


class RejectedTokens:
    """The rejections of this machine, in the file at `path`; without one, of this process, one of `workers`."""

    def __init__(self, path: Path | None, *, workers: int = 1, clock: Callable[[], float] = time.time) -> None:
        self._clock = clock
        self._share = max(1, workers)
        self._file: int | None = None
        self._memory = bytearray(_SIZE)
        self._file_lock = FileLock(None, limit_s=_FILE_LOCK_S)
        if path is not None:
            try:
                self._open(path)
            except OSError as error:
                self._do_without(error)

    def _open(self, path: Path) -> None:
        path.parent.mkdir(mode=0o700, parents=True, exist_ok=True)
        # Never truncated: other processes are reading it.
        self._file = os.open(path, os.O_RDWR | os.O_CREAT | os.O_CLOEXEC, 0o600)
        self._file_lock = FileLock(path, limit_s=_FILE_LOCK_S)
        with self._file_lock:
            if os.pread(self._file, len(_MAGIC), 0) != _MAGIC:
                os.pwrite(self._file, _MAGIC + bytes(_SIZE - len(_MAGIC)), 0)

    def _do_without(self, error: OSError) -> None:
        logger.warning("Rejected tokens are counted by each process for itself: %s", error.strerror)
        if self._file is not None:
            os.close(self._file)
        self._file = None

    def close(self) -> None:
        """Close the file."""
        self._file_lock.close()
        if self._file is not None:
            os.close(self._file)
            self._file = None

    def take(self, sort: TokenHistory, address: str) -> Slot | NoSlot:
        """Take a slot for one lookup, to be released or used; or return how long none is free."""
        tag = _tag(address)
        with self._file_lock:
            # Not before: a slot that another process took meanwhile would seem to end too late to be one.
            now = self._clock()
            taken = [(at, each, kind, held) for at, each, kind, held in self._places() if now < at <= now + WINDOW_S]
            same = [(at, held) for at, _, kind, held in taken if kind == sort]
            near = [(at, held) for at, each, kind, held in taken if kind == sort and each == tag]
            every = [(at, held) for at, _, _, held in taken]
            rules = [(every, MAX_SLOTS), (same, _MOST[sort])]
            if sort is TokenHistory.UNKNOWN:
                rules.append((near, MAX_SLOTS_PER_ADDRESS))
            full = [(places, most) for places, most in rules if len(places) >= self._mine(most)]
            if full:
                return _wait(full, self._mine, now)
            return self._occupy(sort, tag, now)

    def count(self, sort: TokenHistory, address: str) -> None:
        """Count a rejection for which no slot was taken."""
        with self._file_lock:
            place = self._occupy(sort, _tag(address), self._clock())
            self._write_place(place.number, place.ends_at, _tag(address), sort, is_held=False)

    def spend(self, place: Slot, sort: TokenHistory, address: str) -> None:
        """Keep `place` for the rest of the window: Hoursmith rejected the token."""
        with self._file_lock:
            self._write_place(place.number, self._clock() + WINDOW_S, _tag(address), sort, is_held=False)

    def give_back(self, place: Slot) -> None:
        """Release `place`: Hoursmith accepted the token, or did not respond."""
        with self._file_lock:
            at, *_ = list(self._places())[place.number]
            # Not if it expired meanwhile and was taken again.
            if at == place.ends_at:
                self._write_place(place.number, 0.0, b"", 0, is_held=False)

    def refused(self, digest: bytes) -> RejectedToken | None:
        """Return what is remembered of a rejected token; None if nothing is."""
        number = self._find(self._read(_REFUSED_AT, _SIZE - _REFUSED_AT), digest)
        if number is None:
            return None
        _, until, _, was_accepted = self._token(number)
        # A clock that was set back must not reject a token for years.
        return RejectedToken(self._clock() < until <= self._clock() + REJECTED_FOR_AT_MOST_S, bool(was_accepted))

    def remember(self, digest: bytes, *, was_accepted: bool) -> None:
        """Remember that Hoursmith rejected the token, each time for twice as long."""
        with self._file_lock:
            tokens = self._read(_REFUSED_AT, _SIZE - _REFUSED_AT)
            number, times = self._find(tokens, digest), 0
            if number is None:
                number = _least_missed(tokens, was_accepted=was_accepted)
            else:
                times, was_accepted = self._token(number)[2], was_accepted or bool(self._token(number)[3])
            if number is None:
                return
            until = self._clock() + min(REJECTED_FOR_S * 2**times, REJECTED_FOR_AT_MOST_S)
            line = _REFUSED.pack(digest, until, min(times + 1, 10), was_accepted)
            self._write(_REFUSED_AT + number * _REFUSED.size, line)

    def forget(self, digest: bytes) -> None:
        """Forget the token: Hoursmith accepts it again."""
        with self._file_lock:
            number = self._find(self._read(_REFUSED_AT, _SIZE - _REFUSED_AT), digest)
            if number is not None:
                self._write(_REFUSED_AT + number * _REFUSED.size, bytes(_REFUSED.size))

    def _mine(self, most: int) -> int:
        return most if self._file is not None else max(1, most // self._share)

    def _occupy(self, sort: TokenHistory, tag: bytes, now: float) -> Slot:
        """Take the slot that has been free for longest, or expires first."""
        places = [at if at <= now + WINDOW_S else 0.0 for at, *_ in self._places()]
        place = Slot(places.index(min(places)), now + WINDOW_S)
        self._write_place(place.number, place.ends_at, tag, sort, is_held=True)
        return place

    def _places(self) -> Iterator[tuple[float, bytes, int, int]]:
        return _PLACE.iter_unpack(self._read(_PLACES_AT, _PLACES * _PLACE.size))

    def _write_place(self, number: int, ends_at: float, tag: bytes, sort: int, *, is_held: bool) -> None:
        self._write(_PLACES_AT + number * _PLACE.size, _PLACE.pack(ends_at, tag, sort, is_held))

    def _find(self, tokens: bytes, digest: bytes) -> int | None:
        at = tokens.find(digest)
        while at >= 0 and at % _REFUSED.size:
            at = tokens.find(digest, at + 1)
        return at // _REFUSED.size if at >= 0 else None

    def _token(self, number: int) -> tuple[bytes, float, int, int]:
        line = self._read(_REFUSED_AT + number * _REFUSED.size, _REFUSED.size)
        return _REFUSED.unpack(line)

    def _read(self, at: int, size: int) -> bytes:
        if self._file is not None:
            try:
                return os.pread(self._file, size, at).ljust(size, b"\0")
            except OSError as error:
                self._do_without(error)
        return bytes(self._memory[at : at + size])

    def _write(self, at: int, content: bytes) -> None:
        if self._file is not None:
            try:
                os.pwrite(self._file, content, at)
            except OSError as error:
                self._do_without(error)
            else:
                return
        self._memory[at : at + len(content)] = content


def _wait(full: list[tuple[list[tuple[float, int]], int]], mine: Callable[[int], int], now: float) -> NoSlot:
    """Return how long until each rule in `full` has room again."""
    waits, is_held = [], True
    for places, most in full:
        spent = sorted(at for at, held in places if not held)
        held = len(places) - len(spent)
        # If only held slots are missing, one may be released at any moment.
        is_held = is_held and held > 0 and len(spent) < mine(most)
        waits.append(spent[0] if spent else now + 1)
    return NoSlot(max(1, math.ceil(max(waits) - now)), is_held)


def _least_missed(tokens: bytes, *, was_accepted: bool) -> int | None:
    """Return the line to overwrite; None if an unknown token would replace one that was accepted once."""
    lines = [(bool(accepted), until) for _, until, _, accepted in _REFUSED.iter_unpack(tokens)]
    least = min(range(len(lines)), key=lines.__getitem__)
    return None if lines[least][0] and not was_accepted else least


@lru_cache(maxsize=1024)
def _tag(address: str) -> bytes:
    """Return a tag of the address, or of an IPv6 address's /64, all of which one client may have."""
    try:
        found = ipaddress.ip_address(address.partition("%")[0])
    except ValueError:
        kept = address
    else:
        kept = str(ipaddress.ip_network((found, 32 if found.version == 4 else 64), strict=False))
    return hashlib.blake2b(kept.encode(), digest_size=8).digest()
