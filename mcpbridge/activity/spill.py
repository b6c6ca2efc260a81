"""Keep calls on disk while the database cannot take them and memory is short; the calls survive a killed process.

Each recorder appends to a file of its own, which it keeps locked, and reads it from the front once the database answers
again. An unlocked file was left by a process that ended: the next recorder of the machine that finds it takes it over.
A call may be read twice if a process is killed between the commit and the note of it, so the reader skips calls that
have their row.
"""

import fcntl
import os
import uuid
from collections.abc import Iterator, Sequence
from dataclasses import fields
from datetime import datetime
from pathlib import Path
from typing import Any

import orjson

from mcpbridge.activity.observed import EndedCall
from mcpbridge.core.types import Call, Caller, CallResult, Identity
from mcpbridge.models import CallKind, Result

_SUFFIX = ".spill"
_CALL = tuple(each.name for each in fields(Call) if each.init)
_CALLER = tuple(each.name for each in fields(Caller))
_IDENTITY = tuple(each.name for each in fields(Identity))


class Spill:
    """A file of calls in the order in which they ended."""

    def __init__(self, path: Path, *, limit_bytes: int) -> None:
        """Create the file at `path`, or take it over. Raises OSError, also if another process holds it."""
        self._path = path
        self._limit_bytes = limit_bytes
        self._file = os.open(path, os.O_RDWR | os.O_CREAT | os.O_APPEND | os.O_CLOEXEC, 0o600)
        try:
            fcntl.flock(self._file, fcntl.LOCK_EX | fcntl.LOCK_NB)
            content = os.pread(self._file, os.fstat(self._file).st_size, 0)
        except OSError:
            os.close(self._file)
            raise
        self._front = 0
        # A process that was killed while it wrote left half a line.
        self._end = content.rfind(b"\n") + 1
        os.ftruncate(self._file, self._end)
        self.calls = content.count(b"\n")

    def append(self, ended: Sequence[EndedCall]) -> int:
        """Append as many of `ended` as there is room for, in order; return their number."""
        lines: list[bytes] = []
        room = self._limit_bytes - self._end
        for each in ended:
            line = _line(each)
            room -= len(line)
            if room < 0:
                break
            lines.append(line)
        data = b"".join(lines)
        try:
            written = os.write(self._file, data) if data else 0
        except OSError:
            written = 0
        if written < len(data):
            # A full disk: what does not fit as a whole is left to memory.
            os.ftruncate(self._file, self._end)
            return 0
        self._end += written
        self.calls += len(lines)
        return len(lines)

    def first(self, count: int) -> tuple[list[EndedCall], int]:
        """Return at most `count` calls from the front, and the bytes that `forget` takes for them."""
        ended: list[EndedCall] = []
        size = 0
        for line in self._lines():
            size += len(line)
            ended.append(_ended_call(line))
            if len(ended) == count:
                break
        return ended, size

    def forget(self, calls: int, size: int) -> None:
        """Drop `calls` calls of `size` bytes from the front; an empty file is cut to nothing."""
        self._front += size
        self.calls -= calls
        if self._front >= self._end:
            os.ftruncate(self._file, 0)
            self._front = self._end = self.calls = 0

    def _lines(self) -> Iterator[bytes]:
        at, rest = self._front, b""
        while at < self._end:
            chunk = os.pread(self._file, min(1 << 20, self._end - at), at)
            at += len(chunk)
            *lines, rest = (rest + chunk).split(b"\n")
            yield from (line + b"\n" for line in lines)

    def close(self) -> None:
        """Release the file for the next recorder, and delete it if it is empty."""
        if not self.calls:
            self._path.unlink(missing_ok=True)
        elif self._front:
            self._drop_front()
        os.close(self._file)

    def _drop_front(self) -> None:
        rest = os.pread(self._file, self._end - self._front, self._front)
        os.ftruncate(self._file, 0)
        os.write(self._file, rest)


def own_spill(folder: Path, *, limit_bytes: int) -> Spill:
    """Create the file of this process in `folder`. Raises OSError."""
    folder.mkdir(mode=0o700, parents=True, exist_ok=True)
    return Spill(folder / f"{os.getpid()}-{os.urandom(4).hex()}{_SUFFIX}", limit_bytes=limit_bytes)


def left_spills(folder: Path) -> Iterator[Spill]:
    """Yield the files in `folder` that ended processes left, taken over; they are not appended to."""
    for path in sorted(folder.glob(f"*{_SUFFIX}")):
        try:
            spill = Spill(path, limit_bytes=0)
        except OSError:
            # Its process runs, or another recorder was quicker.
            continue
        if spill.calls:
            yield spill
        else:
            spill.close()


def _line(each: EndedCall) -> bytes:
    call, result = each.call, each.call_result
    facts = {name: getattr(call, name) for name in _CALL} | {
        "call_id": call.call_id.hex,
        "at": call.at.isoformat(),
        "kind": call.kind.value,
        "caller": {name: getattr(call.caller, name) for name in _CALLER}
        | {"digests": [digest.hex() for digest in call.caller.digests]},
        "identity": {name: getattr(call.identity, name) for name in _IDENTITY},
        "result": {"result": result.result.value, "status": result.status, "code": result.code}
        | {"duration_ms": result.duration_ms},
        "is_accepted": each.is_accepted,
    }
    return orjson.dumps(facts, default=str, option=orjson.OPT_APPEND_NEWLINE | orjson.OPT_NON_STR_KEYS)


def _ended_call(line: bytes) -> EndedCall:
    facts: dict[str, Any] = orjson.loads(line)
    result, is_accepted = facts.pop("result"), facts.pop("is_accepted")
    caller, identity = facts["caller"], facts["identity"]
    call = Call(
        **facts
        | {
            "call_id": uuid.UUID(facts["call_id"]),
            "at": datetime.fromisoformat(facts["at"]),
            "kind": CallKind(facts["kind"]),
            "caller": Caller(**caller | {"digests": tuple(map(bytes.fromhex, caller["digests"]))}),
            "identity": Identity(**identity | {"scopes": tuple(identity["scopes"])}),
        }
    )
    return EndedCall(call, CallResult(**result | {"result": Result(result["result"])}), is_accepted)
