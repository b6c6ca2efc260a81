"""Assemble the files of one download of evidence, in the order that `docs/audit-format.md` fixes."""

from collections.abc import Iterator
from dataclasses import dataclass
from datetime import UTC, datetime
from typing import Any

import orjson
from django.conf import settings
from django.template.loader import render_to_string
from django.utils import timezone

from hoursmith_console.audit.evidence.archive import StreamedArchive
from hoursmith_console.audit.evidence.entries import EntryRange, Numbered, rows_of, single_lines
from hoursmith_console.audit.evidence.log import EvidenceUnavailableError, ProvenLog
from hoursmith_console.audit.evidence.members import MEMBERS
from hoursmith_console.audit.evidence.options import Options
from hoursmith_console.audit.evidence.proofs import checked_older, consistency, inclusion
from hoursmith_console.audit.evidence.report import render_report, report_items, without_members
from hoursmith_console.audit.evidence.scopes import Scope
from hoursmith_console.audit.verification.epochs import note_of
from mcpbridge.audit.hashchain import canonical, instant
from mcpbridge.audit.keyring import published_keys
from mcpbridge.audit.tree.checkpoints import TreeHead
from mcpbridge.audit.tree.notes import parse_note
from mcpbridge.models import AuditEvent

FORMAT = "hoursmith-evidence-1"
# Entries with a proof each; of more, the range between them is proved.
MOST_PROOFS = 200
MOST_SHOWN, MOST_IN_RANGE = 100_000, 5_000_000
# Of `entries.jsonl`, as verifiers accept it; less by what surrounds the entries.
MOST_BYTES = (1 << 30) - (1 << 16)
_VERIFIER = "verify_audit.py"


class ChoiceError(Exception):
    """The choices do not fit the selected entries. The text may be shown to users."""


@dataclass(frozen=True, slots=True)
class Maker:
    """Who downloads the evidence, and the name of their workspace."""

    name: str
    workspace: str


def selected(scope: Scope) -> list[int]:
    """Return the numbers of the selected entries. Raises EvidenceUnavailableError if there is none, and ChoiceError."""
    numbers = scope.numbers(most=MOST_SHOWN + 1)
    if not numbers:
        raise EvidenceUnavailableError("No entry is selected.")
    if len(numbers) > MOST_SHOWN:
        raise ChoiceError(f"More than {MOST_SHOWN:,} entries are selected. Narrow the list, or export the log.")
    return numbers


class EvidencePackage:
    """One download: everything that can fail before the first byte is done when it is made."""

    def __init__(self, scope: Scope, numbers: list[int], options: Options, log: ProvenLog, maker: Maker) -> None:
        """Make the proofs of the entries with these numbers, all of which the log covers.

        Raises EvidenceUnavailableError, ChoiceError and OlderCheckpointError.
        """
        self.scope, self.options, self.log, self._maker = scope, options, log, maker
        self.made_at = timezone.now()
        self.shown, withheld = self._without_old(numbers)
        self.first, self.last = min([*self.shown, *withheld]), max([*self.shown, *withheld])
        self.is_range = options.shows_others or len(self.shown) > MOST_PROOFS
        self.guessable = self._guessable() if self.is_range else 0
        if self.guessable and not options.withholds_old:
            raise ChoiceError(
                f"{self.guessable:,} entries in between are in the older format, of which nothing can be left out."
                " Choose “Withhold entries in the older format”, or narrow the selection."
            )
        if self.is_range and self.last - self.first >= MOST_IN_RANGE:
            raise ChoiceError(f"There are more than {MOST_IN_RANGE:,} entries in between. Narrow the time.")
        self._keys = published_keys()
        self._older = self._older_note()
        self._consistency = consistency(log, self._older) if self._older else ""
        self._singles = [] if self.is_range else list(single_lines(scope.org_id, self.shown, options.left_out))
        self._proofs = dict(self._inclusions())

    @property
    def file_name(self) -> str:
        """The name of the archive."""
        return f"{self.scope.name}.zip"

    @property
    def lines(self) -> int:
        """The number of lines with entries."""
        return self.last - self.first + 1 if self.is_range else len(self.shown)

    def parts(self) -> Numbered:
        """Yield the archive in parts, each with the number of lines of entries in it.

        Raises EvidenceUnavailableError where the entries of a range turn out not to be the signed ones.
        """
        archive = StreamedArchive()
        context = self._context()
        yield 0, archive.add("README.txt", render_to_string("audit/evidence/README.txt", context).encode())
        yield 0, archive.add("report.html", render_report(context))
        yield from archive.stream("entries.jsonl", self._lines())
        yield 0, archive.add("checkpoint", self.log.note.encode())
        yield 0, archive.add("checkpoint.json", self.log.statement_line)
        if self._consistency:
            yield 0, archive.add("consistency.txt", self._consistency.encode())
        for sequence, (hash, proof) in self._proofs.items():
            yield 0, archive.add(f"proofs/{sequence}.tlog-proof", proof.encode())
            yield 0, archive.add(f"proofs/{sequence}.leaf", bytes.fromhex(hash))
        yield 0, archive.add("keys.json", orjson.dumps(self._keys, option=orjson.OPT_INDENT_2))
        yield 0, archive.add(_VERIFIER, (settings.DOCS_DIR / _VERIFIER).read_bytes())
        yield 0, archive.add("manifest.json", self._manifest(archive.digests))
        yield 0, archive.close()

    def _without_old(self, numbers: list[int]) -> tuple[list[int], list[int]]:
        """Return the numbers of the entries that are shown, and of selected ones that are withheld."""
        options, last = self.options, self.log.old if self.options.left_out else 0
        old = [number for number in numbers if number <= last]
        if old and not options.withholds_old:
            raise ChoiceError(
                f"{len(old):,} of the entries are in the older format, of which nothing can be left out. Choose"
                " “Withhold entries in the older format”, or leave nothing out."
            )
        if len(old) == len(numbers):
            raise ChoiceError("All entries are in the older format, so nothing would be left. Leave nothing out.")
        return numbers[len(old) :], old

    def _guessable(self) -> int:
        """Return how many entries of format 1 are withheld."""
        shown = sum(number <= self.log.old for number in self.shown)
        return max(0, min(self.last, self.log.old) - self.first + 1) - shown

    def _older_note(self) -> str:
        """Return the checkpoint that a receiver kept, else the oldest one that is stored; empty if none is older."""
        if not self.options.older.strip():
            return self.log.oldest if 0 < _size(self.log.oldest) < self.log.head.size else ""
        return checked_older(self.log, self.options.older, [key["public_key"] for key in self._keys["keys"]])

    def _inclusions(self) -> Iterator[tuple[int, tuple[str, str]]]:
        if not self.is_range:
            for columns in rows_of(self.scope.org_id, self.shown):
                number, hash = columns["sequence"], columns["hash"]
                yield number, (hash, inclusion(self.log, number, hash))

    def _lines(self) -> Numbered:
        """Yield the lines of `entries.jsonl`."""
        header = {
            "type": "export",
            "format": "hoursmith-audit-2",
            "workspaces": [self.scope.org_id],
            "exported_at": instant(self.made_at),
            "filters": self.scope.selection.filters,
            "complete": False,
        }
        yield 0, orjson.dumps(header, option=orjson.OPT_APPEND_NEWLINE)
        count, size = len(self.log.restores), 0
        yield 0, b"".join(self.log.restores)
        for number, part in self._entry_lines():
            count, size = count + number, size + len(part)
            if size > MOST_BYTES:
                raise EvidenceUnavailableError("The entries are larger than 1 GiB, which verifiers refuse.")
            yield number, part
        yield 0, b'{"type":"end","lines":%d}\n' % count

    def _entry_lines(self) -> Numbered:
        if not self.is_range:
            return iter(self._singles)
        return EntryRange(
            self.log, self.shown, self.options.left_out, self.options.shows_others, self.first, self.last
        ).lines()

    def _manifest(self, digests: dict[str, str]) -> bytes:
        said: dict[str, Any] = {
            "format": FORMAT,
            "at": instant(self.made_at),
            "made_by": self._maker.name,
            "workspace": self.scope.org_id,
            "filters": self.scope.selection.filters,
            "files": digests,
        }
        key_id, signature = self.log.sign(canonical(said))
        return orjson.dumps({**said, "key_id": key_id, "signature": signature}, option=orjson.OPT_INDENT_2)

    def _context(self) -> dict[str, Any]:
        """Return what the report and the README say."""
        scope, left_out, head = self.scope, self.options.left_out, self.log.head
        listed = self.shown[:MOST_PROOFS]
        rows = AuditEvent.objects.filter(org_id=scope.org_id, sequence__in=listed).order_by("sequence")
        items = report_items(without_members(row, left_out) for row in rows)
        in_range = self.last - self.first + 1 if self.is_range else len(self.shown)
        reduced = in_range - len(self.shown) if self.options.shows_others else 0
        return {
            "title": scope.plain_title if left_out & {"actor", "target_label", "token_name"} else scope.title,
            "file_name": self.file_name,
            "workspace": scope.org_id,
            "workspace_name": self._maker.workspace,
            "made_by": self._maker.name,
            "made_at": self.made_at,
            "made_at_text": f"{self.made_at.astimezone(UTC):%Y-%m-%d %H:%M:%S} UTC",
            "filters": scope.selection.filters,
            "items": items,
            "listed": len(listed),
            "more": len(self.shown) - len(listed),
            "shown": len(self.shown),
            "is_range": self.is_range,
            "range_first": self.first,
            "range_last": self.last,
            "in_range": in_range,
            "reduced": reduced - self.guessable if reduced else 0,
            "withheld": self.guessable if reduced else in_range - len(self.shown),
            "elsewhere": head.size - in_range,
            "guessable": self.guessable,
            "old": sum(number <= self.log.old for number in self.shown),
            "left_out": [label for member, label in MEMBERS.items() if member in left_out],
            "is_left_out": {member: member in left_out for member in MEMBERS},
            "older_size": _size(self._older) if self._older else head.size,
            "has_older": bool(self._older),
            "head": head,
            "root": head.root.hex(),
            "signed_at": datetime.fromisoformat(self.log.statement.at),
            "fingerprint": self.log.fingerprint,
            "cosignatures": self.log.cosignatures,
            "epochs": [note_of(orjson.loads(line)) for line in self.log.restores],
        }


def _size(note: str) -> int:
    return TreeHead.parse(parse_note(note).text).size if note else 0
