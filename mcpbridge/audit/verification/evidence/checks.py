"""Verify evidence in the order that `docs/audit-format.md` specifies, up to the first finding."""

from collections.abc import Iterator
from contextlib import contextmanager
from typing import Any

from mcpbridge.audit.export.reading import Export
from mcpbridge.audit.tree.encoding import hash_from_base64, hash_from_hex
from mcpbridge.audit.tree.errors import FormatError, ProofError
from mcpbridge.audit.tree.proofs import verify_consistency
from mcpbridge.audit.verification.announcements import fingerprint_of
from mcpbridge.audit.verification.clock import Clock
from mcpbridge.audit.verification.epochs import Epochs
from mcpbridge.audit.verification.evidence.archive import ENTRIES, EvidenceArchive
from mcpbridge.audit.verification.evidence.entries import EvidenceEntries
from mcpbridge.audit.verification.evidence.filters import FilterJudge
from mcpbridge.audit.verification.evidence.statements import (
    read_checkpoint,
    read_keys,
    read_manifest,
    read_restores,
)
from mcpbridge.audit.verification.findings import (
    ChainReport,
    Finding,
    FindingKind,
    FoundError,
    UnusableInputError,
    VerificationReport,
)
from mcpbridge.audit.verification.older import OlderCheckpoint
from mcpbridge.audit.verification.signed_notes import origin_of, tree_head
from mcpbridge.audit.verification.tree_walk import cosigned_at
from mcpbridge.audit.verification.trust import Trust

_CONSISTENCY_FORMAT = "hoursmith-consistency-1"
_MANIFEST = "manifest.json"
_MOST_HASHES = 64


class EvidenceCheck:
    """One verification of one archive."""

    def __init__(self, archive: EvidenceArchive, trust: Trust, older: OlderCheckpoint | None) -> None:
        """Read the statements without believing them. Raises UnusableInputError."""
        self._archive, self._trust, self._older = archive, trust, older
        keys, self._manifest = read_keys(archive), read_manifest(archive)
        self._checkpoint = read_checkpoint(archive)
        for key in keys:
            trust.learn(key)
        self._restores = read_restores(archive)
        for restore in self._restores:
            # It may lead to the key of the checkpoint.
            if restore.is_key_lost:
                trust.learn_break(restore)
        self._cosigned: dict[str, int] = {}
        self._epochs = Epochs(self._checkpoint.workspace)
        self._judge = FilterJudge(self._manifest.filters)
        self._entries: EvidenceEntries | None = None
        self._extends: OlderCheckpoint | None = None
        self._clock = Clock()

    def report(self) -> VerificationReport:
        """Return the verdict. Raises UnusableInputError."""
        finding = None
        try:
            self._verify_manifest()
            self._verify_checkpoint()
            self._verify_restores()
            self._verify_lineage()
            self._verify_entries()
            self._verify_files()
        except FoundError as error:
            sequence = self._entries.sequence if self._entries else 0
            place = {"sequence": sequence, "id": None, **error.place}
            finding = Finding(kind=error.kind, workspace=self._checkpoint.workspace, reason=error.reason, **place)
        return VerificationReport([self._chain(finding)], is_partial=True, evidence=self._about())

    def _chain(self, finding: Finding | None) -> ChainReport:
        said, entries = self._checkpoint, self._entries
        rows, withheld = (entries.rows, entries.withheld) if entries else (0, 0)
        return ChainReport(
            said.workspace,
            rows=rows,
            checkpoints=1,
            sequence=said.sequence,
            hash=said.hash,
            vouched=said.sequence,
            left_out=max(said.sequence - said.first + 1 - rows - withheld, 0),
            withheld=withheld,
            epoch=said.epoch,
            cosigned=[
                {"name": name, "at": cosigned_at(seconds), "sequence": said.sequence}
                for name, seconds in sorted(self._cosigned.items())
            ],
            restores=self._epochs.as_list(),
            warnings=self._clock.warnings,
            finding=finding,
        )

    def _about(self) -> dict[str, Any]:
        said, manifest = self._checkpoint, self._manifest
        key = next((key for key in self._trust.public_keys() if fingerprint_of(key)[:16] == said.key_id), "")
        return {
            "at": manifest.at,
            "made_by": manifest.made_by,
            "filters": manifest.filters,
            "origin": said.origin,
            "matching": self._judge.matching,
            "unjudged": sorted(self._judge.unjudged),
            "signed_at": said.at,
            "fingerprint": fingerprint_of(key) if key else "",
            "extends": self._extends.sequence if self._extends else None,
            "proof": "range" if self._entries and self._entries.is_range else "single",
        }

    def _verify_manifest(self) -> None:
        manifest, said = self._manifest, self._checkpoint
        with _record("manifest"):
            self._trust.verify(manifest.key_id, manifest.message(), manifest.signature)
            line = (manifest.key_id, *self._trust.predecessors(manifest.key_id))
            if said.key_id in self._trust and said.key_id not in line:
                reason = "its key was retired before the checkpoint was signed"
                raise FoundError(FindingKind.RETIRED_KEY, reason)
            if manifest.workspace != said.workspace:
                raise FoundError(FindingKind.INCONSISTENT, "it is of another workspace than the checkpoint")

    def _verify_checkpoint(self) -> None:
        with _record("checkpoint", self._checkpoint.sequence):
            self._cosigned = self._trust.verify_head(self._checkpoint)
            if self._trust.is_earlier(self._checkpoint.key_id):
                self._clock.earlier_key(self._checkpoint.sequence)
            if missing := [key.name for key in self._trust.witnesses if key.name not in self._cosigned]:
                raise FoundError(FindingKind.UNSIGNED, f"the witness {missing[0]} did not cosign it")

    def _verify_restores(self) -> None:
        for restore in self._restores:
            with _record("restore", restore.kept["sequence"] + 1):
                self._epochs.learn(self._trust, restore)

    def _verify_lineage(self) -> None:
        """Verify that the origin is that of the verifier key, or follows it, and that older checkpoints fit."""
        said = self._checkpoint
        origin = origin_of(said)
        with _record("checkpoint", said.sequence):
            if self._epochs.is_given_up(origin, said.sequence) or (origin.epoch > 1 and not len(self._epochs)):
                raise FoundError(FindingKind.BAD_EPOCH, f"the statements of restores do not lead to {origin}")
            if self._trust.origin not in ("", said.origin, *self._epochs.origins()):
                reason = f"the verifier key is of {self._trust.origin}, not of {origin}"
                raise FoundError(FindingKind.BAD_EPOCH, reason)
            if "consistency.txt" in self._archive:
                self._extends = self._verify_consistency(self._archive.text("consistency.txt"))
            if self._older is not None:
                self._verify_older(self._older)

    def _verify_consistency(self, text: str) -> OlderCheckpoint:
        """Verify that the log extends the older checkpoint of the archive, and return it. Raises FoundError."""
        above, divider, note = text.partition("\n\n")
        first, *hashes = above.split("\n")
        head = tree_head(self._checkpoint)
        try:
            if not divider or first != _CONSISTENCY_FORMAT or len(hashes) > _MOST_HASHES:
                raise FormatError("it is not a proof of consistency")
            proof = [hash_from_base64(each) for each in hashes]
        except FormatError as error:
            raise FoundError(FindingKind.BAD_PROOF, f"consistency.txt: {error}") from None
        older = OlderCheckpoint.from_note(note)
        older.verify(self._trust)
        self._refuse_newer(older)
        try:
            verify_consistency(
                older=older.size,
                newer=head.size,
                older_root=hash_from_hex(older.root),
                newer_root=head.root,
                proof=proof,
            )
        except ProofError as error:
            raise FoundError(FindingKind.INCONSISTENT, f"consistency.txt: {error}") from None
        self._refuse_given_up(older)
        return older

    def _refuse_newer(self, older: OlderCheckpoint) -> None:
        """Raise FoundError if an older checkpoint is of another log or not older."""
        if older.origin is not None:
            self._epochs.refuse_other_log(older.origin)
        if older.sequence > self._checkpoint.sequence:
            raise FoundError(FindingKind.INCONSISTENT, "the checkpoint is older than the one that it should extend")

    def _refuse_given_up(self, older: OlderCheckpoint) -> None:
        """Raise FoundError if a restore gave up the entries under an older checkpoint."""
        if older.origin is not None:
            self._epochs.refuse_given_up(older.origin, older.sequence)

    def _verify_older(self, older: OlderCheckpoint) -> None:
        """Verify that the log extends the checkpoint that was kept. Raises FoundError and UnusableInputError."""
        older.refuse_unsigned(self._trust)
        if older.origin is None:
            raise UnusableInputError("The given checkpoint is of format 1, which no evidence can be compared with.")
        self._refuse_given_up(older)
        self._refuse_newer(older)
        extends, said = self._extends, self._checkpoint
        if older.sequence == said.sequence:
            if older.root != said.root:
                raise FoundError(FindingKind.INCONSISTENT, "the given checkpoint has another tree of the same size")
        elif extends is None or older.sequence != extends.sequence:
            reason = "nothing proves that the log extends the given checkpoint: ask for evidence that does"
            raise FoundError(FindingKind.INCONSISTENT, reason)
        elif older.root != extends.root:
            raise FoundError(FindingKind.INCONSISTENT, "the log extends another tree than that of the given checkpoint")

    def _verify_entries(self) -> None:
        export = Export(self._archive.lines(ENTRIES))
        if export.workspaces != [self._checkpoint.workspace] or export.header.get("filters") != self._manifest.filters:
            reason = "entries.jsonl is of another workspace or filter than the manifest"
            raise FoundError(FindingKind.EDITED, reason)
        entries = EvidenceEntries(
            self._archive, self._checkpoint, epochs=self._epochs, judge=self._judge, clock=self._clock
        )
        self._entries = entries
        for record in export.evidence_records():
            entries.take(record)
        entries.finish()
        export.check_complete()

    def _verify_files(self) -> None:
        """Verify that the archive has the files of the manifest, and no others. Raises FoundError."""
        listed = self._manifest.files
        for name in self._archive.names:
            if name == _MANIFEST:
                continue
            if name not in listed:
                raise _file_found(FindingKind.INSERTED, f"the manifest does not name {name}", name)
            if self._archive.digest(name) != listed[name]:
                raise _file_found(FindingKind.EDITED, f"{name} is not the file that was signed", name)
        for name in listed:
            if name not in self._archive or name == _MANIFEST:
                raise _file_found(FindingKind.REMOVED, f"{name} is missing", name)


def _file_found(kind: FindingKind, reason: str, name: str) -> FoundError:
    return FoundError(kind, reason, record="file", sequence=0, id=name)


@contextmanager
def _record(record: str, sequence: int = 0) -> Iterator[None]:
    """Name the record that is at fault within."""
    try:
        yield
    except FoundError as error:
        raise FoundError(error.kind, error.reason, **{"record": record, "sequence": sequence, **error.place}) from None
