"""Scan files of any kind and size: logs, caches, database files, also compressed ones."""

import gzip
import zlib
from collections.abc import Iterator
from pathlib import Path
from typing import BinaryIO

from mcpbridge.redaction.masking import redact
from mcpbridge.secret_scan.patterns import inflated, is_suspect, secrets_in

_CHUNK = 1024 * 1024
# Longer than any encoded token, so that none is split between two chunks.
_OVERLAP = 4096
# A compressed log is read up to this size, and then reported as not fully scanned.
_LARGEST_UNPACKED = 8 * 1024**3
_DJANGO_CACHE = ".djcache"


class UnreadableError(Exception):
    """A file could not be scanned to its end."""


def files_in(paths: list[Path]) -> Iterator[Path]:
    """Yield every file at or below `paths` once; symbolic links are not followed."""
    known = set()
    for path in paths:
        for found in sorted(path.rglob("*")) if path.is_dir() else [path]:
            if not found.is_symlink() and found.is_file() and found not in known:
                known.add(found)
                yield found


def secrets_in_file(path: Path) -> Iterator[tuple[str, str]]:
    """Yield the location of each secret in the file (“line 12”, “byte 4096”) and its description without the secret.

    Raises UnreadableError.
    """
    for _, text in secrets_in(str(path).encode(errors="replace")):
        yield "its name", text
    try:
        if path.suffix == ".gz":
            with gzip.open(path, "rb") as unpacked:
                yield from _secrets_in_stream(unpacked, _LARGEST_UNPACKED)  # type: ignore[arg-type]
        elif path.suffix == _DJANGO_CACHE:
            packed = path.read_bytes()
            # A pickled expiry time, then a pickled value compressed by zlib.
            yield from ((f"byte {at}", text) for at, text in secrets_in(inflated(packed[packed.find(b"\x78\x9c") :])))
        else:
            with path.open("rb") as file:
                yield from _secrets_in_stream(file, None)
    except FileNotFoundError:
        return
    except (OSError, EOFError, zlib.error) as error:
        raise UnreadableError(f"{masked_path(path)} cannot be read: {type(error).__name__}") from None


def masked_path(path: Path) -> str:
    """Return the path as text, with secrets masked."""
    return redact(str(path))


def _secrets_in_stream(file: BinaryIO, most: int | None) -> Iterator[tuple[str, str]]:
    kept, begin, line, is_text = b"", 0, 1, True
    reported = -1
    while chunk := file.read(_CHUNK):
        data = kept + chunk
        is_text = is_text and b"\x00" not in chunk
        if is_suspect(data):
            for at, text in sorted(secrets_in(data)):
                if begin + at > reported:
                    reported = begin + at
                    number = line + data.count(b"\n", 0, at)
                    yield f"line {number}" if is_text else f"byte {begin + at}", text
        if most is not None and begin > most:
            raise OSError("too large")
        cut = max(0, len(data) - _OVERLAP)
        line += data.count(b"\n", 0, cut)
        begin, kept = begin + cut, data[cut:]
