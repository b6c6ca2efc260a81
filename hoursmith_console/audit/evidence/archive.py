"""Write a ZIP file as a stream: each file's bytes leave as soon as they are compressed."""

import hashlib
from collections.abc import Iterable, Iterator
from zipfile import ZIP_DEFLATED, ZipFile


class _Output:
    """What the ZIP writer writes to; it cannot seek, so that sizes follow the data."""

    def __init__(self) -> None:
        self._parts: list[bytes] = []

    def write(self, data: bytes) -> int:
        self._parts.append(bytes(data))
        return len(data)

    def flush(self) -> None:
        """Do nothing: `take` empties it."""

    def take(self) -> bytes:
        made, self._parts = b"".join(self._parts), []
        return made


class StreamedArchive:
    """A ZIP file in the making. `digests` has the SHA-256 of each file written so far, in hexadecimal, in order."""

    def __init__(self) -> None:
        self.digests: dict[str, str] = {}
        self._output = _Output()
        # Most of a large archive are hashes, of which a higher level would save nothing and take four times as long.
        self._zip = ZipFile(self._output, "w", ZIP_DEFLATED, compresslevel=1)  # type: ignore[call-overload]

    def add(self, name: str, content: bytes) -> bytes:
        """Write one file, and return the bytes of the archive that are ready."""
        return b"".join(part for _, part in self.stream(name, [(0, content)]))

    def stream(self, name: str, parts: Iterable[tuple[int, bytes]]) -> Iterator[tuple[int, bytes]]:
        """Write one file from numbered `parts`, and yield the number and what is ready of the archive for each."""
        digest = hashlib.sha256()
        with self._zip.open(name, "w") as file:
            for number, part in parts:
                file.write(part)
                digest.update(part)
                yield number, self._output.take()
        self.digests[name] = digest.hexdigest()
        yield 0, self._output.take()

    def close(self) -> bytes:
        """Write the directory of the archive, and return the last bytes."""
        self._zip.close()
        return self._output.take()
