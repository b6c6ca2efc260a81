"""Goes through files of any kind and size: logs, caches, database files, also compressed ones."""

import gzip
import zlib
from collections.abc import Iterator
from pathlib import Path
from typing import BinaryIO

from mcpbridge.redaction.masking import redact
from mcpbridge.secret_scan.patterns import inflated, is_suspect, secrets_in

_PIECE = 1024 * 1024
# Longer than any token, however it is wrapped, so that none falls between two pieces.
_OVERLAP = 4096
# A compressed log of more than this is looked at no further, and that is said.
_LARGEST_UNPACKED = 8 * 1024**3
_DJANGO_CACHE = ".djcache"


class UnreadableError(Exception):
    """A file could not be looked through to its end."""


def files_in(paths: list[Path]) -> Iterator[Path]:
    """Every file at or below `paths`, each once; links are not followed."""
    known = set()
    for path in paths:
        for found in sorted(path.rglob("*")) if path.is_dir() else [path]:
            if not found.is_symlink() and found.is_file() and found not in known:
                known.add(found)
                yield found


def secrets_in_file(path: Path) -> Iterator[tuple[str, str]]:
    """Where in the file each secret stands (“line 12”, “byte 4096”), and what may be said of it.

    Raises UnreadableError.
    """
    for _, said in secrets_in(str(path).encode(errors="replace")):
        yield "its name", said
    try:
        if path.suffix == ".gz":
            with gzip.open(path, "rb") as unpacked:
                yield from _secrets_in_stream(unpacked, _LARGEST_UNPACKED)  # type: ignore[arg-type]
        elif path.suffix == _DJANGO_CACHE:
            packed = path.read_bytes()
            # A pickled instant, then a pickled value in zlib.
            yield from ((f"byte {at}", said) for at, said in secrets_in(inflated(packed[packed.find(b"\x78\x9c") :])))
        else:
            with path.open("rb") as file:
                yield from _secrets_in_stream(file, None)
    except FileNotFoundError:
        return
    except (OSError, EOFError, zlib.error) as error:
        raise UnreadableError(f"{shown(path)} cannot be read: {type(error).__name__}") from None


def shown(path: Path) -> str:
    """The file's name, without a secret in it."""
    return redact(str(path))


def _secrets_in_stream(file: BinaryIO, most: int | None) -> Iterator[tuple[str, str]]:
    kept, begin, line, is_text = b"", 0, 1, True
    reported = -1
    while piece := file.read(_PIECE):
        data = kept + piece
        is_text = is_text and b"\x00" not in piece
        if is_suspect(data):
            for at, said in sorted(secrets_in(data)):
                if begin + at > reported:
                    reported = begin + at
                    number = line + data.count(b"\n", 0, at)
                    yield f"line {number}" if is_text else f"byte {begin + at}", said
        if most is not None and begin > most:
            raise OSError("too large")
        cut = max(0, len(data) - _OVERLAP)
        line += data.count(b"\n", 0, cut)
        begin, kept = begin + cut, data[cut:]
