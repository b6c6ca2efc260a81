"""Read a ZIP archive of evidence strictly: exactly the files that evidence has, of bounded sizes, each hashed."""

import hashlib
import re
import zipfile
import zlib
from collections.abc import Iterator
from typing import IO

from mcpbridge.audit.verification.findings import UnusableInputError

MIB = 1024 * 1024
MOST_FILES, MOST_FILE_BYTES, MOST_ENTRIES_BYTES, MOST_BYTES = 512, 64 * MIB, 1024 * MIB, 1280 * MIB
ENTRIES = "entries.jsonl"
_REQUIRED = frozenset({"README.txt", ENTRIES, "checkpoint", "checkpoint.json", "keys.json", "manifest.json"})
_OPTIONAL = frozenset({"report.html", "consistency.txt", "verify_audit.py"})
_PROOF = re.compile(r"proofs/([1-9][0-9]{0,17})\.(?:tlog-proof|leaf)")
_LONGEST_LINE = 16 * MIB
_UNREADABLE = (zipfile.BadZipFile, zlib.error, ValueError, EOFError, NotImplementedError, OSError)


class EvidenceArchive:
    """An open archive. `digests` has the SHA-256 of each file that was read to its end, in hexadecimal."""

    def __init__(self, file: IO[bytes]) -> None:
        """Check the directory of the archive. Raises UnusableInputError."""
        try:
            self._zip = zipfile.ZipFile(file)
        except _UNREADABLE as error:
            raise UnusableInputError(f"It is not a ZIP archive: {error}") from None
        self.digests: dict[str, str] = {}
        self._sizes: dict[str, int] = {}
        infos = self._zip.infolist()
        if len(infos) > MOST_FILES or sum(info.file_size for info in infos) > MOST_BYTES:
            raise UnusableInputError("The archive has too many files, or too large ones.")
        for info in infos:
            self._add(info)
        if missing := sorted(_REQUIRED - self._sizes.keys()):
            raise UnusableInputError(f"The archive has no file with the name {missing[0]}.")
        self.proved = {int(found[1]) for name in self._sizes if (found := _PROOF.fullmatch(name))}
        for sequence in self.proved:
            if not {leaf_name(sequence), proof_name(sequence)} <= self._sizes.keys():
                raise UnusableInputError(f"The proof of entry {sequence} lacks a file.")

    @property
    def names(self) -> list[str]:
        """Return the names of the files, in their order."""
        return list(self._sizes)

    def __contains__(self, name: str) -> bool:
        return name in self._sizes

    def content(self, name: str) -> bytes:
        """Return the content of a file. Raises UnusableInputError."""
        return b"".join(self._chunks(name))

    def text(self, name: str) -> str:
        """Return the content of a file in UTF-8. Raises UnusableInputError."""
        try:
            return self.content(name).decode()
        except UnicodeDecodeError:
            raise UnusableInputError(f"{name} is not UTF-8.") from None

    def lines(self, name: str) -> Iterator[bytes]:
        """Yield the lines of a file. Raises UnusableInputError."""
        rest = b""
        for chunk in self._chunks(name):
            *whole, rest = (rest + chunk).split(b"\n")
            yield from whole
            if len(rest) > _LONGEST_LINE:
                raise UnusableInputError(f"A line of {name} is too long.")
        if rest:
            yield rest

    def digest(self, name: str) -> str:
        """Return the SHA-256 of a file, in hexadecimal. Raises UnusableInputError."""
        if name not in self.digests:
            for _ in self._chunks(name):
                pass
        return self.digests[name]

    def _add(self, info: zipfile.ZipInfo) -> None:
        name = info.orig_filename
        if name != info.filename or not (name in _REQUIRED | _OPTIONAL or _PROOF.fullmatch(name)):
            raise UnusableInputError(f"Evidence has no file with the name {name!r}.")
        if name in self._sizes:
            raise UnusableInputError(f"The archive has two files with the name {name}.")
        if info.flag_bits & 1 or info.compress_type not in (zipfile.ZIP_STORED, zipfile.ZIP_DEFLATED):
            raise UnusableInputError(f"{name} is encrypted, or compressed in an unusual way.")
        if info.file_size > (MOST_ENTRIES_BYTES if name == ENTRIES else MOST_FILE_BYTES):
            raise UnusableInputError(f"{name} is too large.")
        self._sizes[name] = info.file_size

    def _chunks(self, name: str) -> Iterator[bytes]:
        digest, size = hashlib.sha256(), 0
        try:
            with self._zip.open(name) as file:
                while chunk := file.read(MIB):
                    digest.update(chunk)
                    size += len(chunk)
                    yield chunk
        except _UNREADABLE as error:
            raise UnusableInputError(f"{name} cannot be read: {error}") from None
        if size != self._sizes[name]:
            raise UnusableInputError(f"{name} is not as large as it says.")
        self.digests[name] = digest.hexdigest()


def leaf_name(sequence: int) -> str:
    """Return the name of the file with the hash of an entry."""
    return f"proofs/{sequence}.leaf"


def proof_name(sequence: int) -> str:
    """Return the name of the file with the proof of an entry."""
    return f"proofs/{sequence}.tlog-proof"
