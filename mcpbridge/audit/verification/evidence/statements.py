"""What evidence states beside its entries: the manifest and the checkpoint, as they were read."""

from dataclasses import dataclass
from typing import Any

from mcpbridge.audit.export.reading import parsed_object, record_of
from mcpbridge.audit.verification.announcements import key_of
from mcpbridge.audit.verification.evidence.archive import ENTRIES, EvidenceArchive
from mcpbridge.audit.verification.findings import UnusableInputError
from mcpbridge.audit.verification.records import Checkpoint, Key, Restore, canonical_or_none
from mcpbridge.audit.verification.trust import MOST_KEYS

FORMAT = "hoursmith-evidence-1"


@dataclass(frozen=True, slots=True)
class Manifest:
    """The signed list of files, with who made the evidence, when, and for which filters."""

    at: str
    made_by: str
    workspace: str
    filters: dict[str, str]
    files: dict[str, str]
    key_id: str
    signature: str

    def message(self) -> bytes | None:
        """Return the signed message."""
        said = {"at": self.at, "made_by": self.made_by, "workspace": self.workspace}
        return canonical_or_none({"format": FORMAT, "filters": self.filters, "files": self.files, **said})


def read_keys(archive: EvidenceArchive) -> list[Key]:
    """Return the keys of the archive, which prove nothing alone. Raises UnusableInputError."""
    try:
        return [key_of(each) for each in parsed_object(1, archive.content("keys.json"))["keys"]]
    except (KeyError, TypeError) as error:
        raise UnusableInputError(f"keys.json is malformed: {error!r}") from None


def read_manifest(archive: EvidenceArchive) -> Manifest:
    """Return the manifest; nothing is verified. Raises UnusableInputError."""
    said = parsed_object(1, archive.content("manifest.json"))
    try:
        if said["format"] != FORMAT:
            raise TypeError("its format is unknown")
        texts = {name: _text(said[name]) for name in ("at", "made_by", "workspace", "key_id", "signature")}
        return Manifest(filters=_texts(said["filters"]), files=_texts(said["files"]), **texts)
    except (KeyError, TypeError) as error:
        raise UnusableInputError(f"manifest.json is malformed: {error!r}") from None


def read_checkpoint(archive: EvidenceArchive) -> Checkpoint:
    """Return the checkpoint with its note; nothing is verified. Raises UnusableInputError."""
    said = parsed_object(1, archive.content("checkpoint.json"))
    if said.get("type") != "checkpoint" or "format" not in said:
        raise UnusableInputError("checkpoint.json is not a checkpoint of format 2.")
    made = record_of(1, said)
    if not isinstance(made, Checkpoint):
        raise UnusableInputError("checkpoint.json is not a checkpoint.")
    made.note = archive.text("checkpoint")
    return made


def read_restores(archive: EvidenceArchive) -> list[Restore]:
    """Return the statements of restores and lost keys before the entries. Raises UnusableInputError."""
    found: list[Restore] = []
    for number, line in enumerate(archive.lines(ENTRIES), start=1):
        value = parsed_object(number, line)
        if value.get("type") == "restore":
            restore = record_of(number, value)
            assert isinstance(restore, Restore)  # noqa: S101 - it has that type
            found.append(restore)
            if len(found) > MOST_KEYS:
                raise UnusableInputError("There are too many restore lines.")
        elif value.get("type") != "export":
            break
    return found


def _text(value: Any) -> str:
    if not isinstance(value, str):
        raise TypeError("a text is missing")
    return value


def _texts(value: Any) -> dict[str, str]:
    if not isinstance(value, dict):
        raise TypeError("an object is missing")
    return {name: _text(text) for name, text in value.items()}
