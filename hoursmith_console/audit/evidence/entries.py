"""Write the lines of `entries.jsonl`, as `docs/audit-format.md` specifies them."""

from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass
from typing import Any

import orjson
from django.db.models import QuerySet

from hoursmith_console.audit.evidence.log import EvidenceUnavailableError, ProvenLog
from hoursmith_console.audit.evidence.proofs import RangeCheck, range_beside, range_line
from mcpbridge.audit.export.source import alias
from mcpbridge.audit.hashchain import canonical, facts, row_hash
from mcpbridge.audit.tree.sealed import MEMBERS, salts
from mcpbridge.models import AuditEvent

_MISSING = "An entry is missing in the database: it was removed meanwhile, or the log was changed."
# Entries in memory at a time; each may have a snapshot of 256 KiB.
_CHUNK = 100
# Hashes in memory at a time.
_HASHES = 5_000
# Lines that leave at a time.
_BATCH = 200
Numbered = Iterator[tuple[int, bytes]]
Columns = Mapping[str, Any]


def event_line(columns: Columns, left_out: frozenset[str]) -> bytes:
    """Return the line of one entry, without the members of `left_out`. Raises EvidenceUnavailableError."""
    try:
        said = facts(columns)
        is_sound = row_hash(canonical(said), columns["previous_hash"]) == columns["hash"]
    except ValueError:
        is_sound = False
    if not is_sound:
        raise EvidenceUnavailableError(f"Entry {columns['sequence']:,} was changed in the database. Tell the operator.")
    line = {"type": "event", **said, **_shown(columns, left_out)}
    return orjson.dumps(
        {**line, "previous_hash": columns["previous_hash"], "hash": columns["hash"]}, option=orjson.OPT_APPEND_NEWLINE
    )


def _shown(columns: Columns, left_out: frozenset[str]) -> dict[str, Any]:
    """Return the sealed members that an entry shows with what opens them; nothing for format 1, which seals none."""
    seal = columns.get("seal")
    if seal is None:
        return {}
    shown = {member: columns[member] for member in MEMBERS if member not in left_out}
    if not left_out:
        return {**shown, "seal": bytes(seal).hex()}
    opened = {member: salt.hex() for member, salt in salts(bytes(seal)).items() if member in shown}
    return {**shown, "salts": opened} if shown else {}


def withheld_line(sequence: int, hash: str) -> bytes:
    """Return the line of an entry of which only the hash is given."""
    return b'{"type":"withheld","sequence":%d,"hash":"%s"}\n' % (sequence, hash.encode())


def rows_of(org_id: str, sequences: Sequence[int]) -> Iterator[Columns]:
    """Yield the columns of these entries, by number. Raises EvidenceUnavailableError if one is missing."""
    for begin in range(0, len(sequences), _CHUNK):
        wanted = sequences[begin : begin + _CHUNK]
        found = list(_entries(org_id).filter(sequence__in=wanted).order_by("sequence").values())
        if len(found) != len(wanted):
            raise EvidenceUnavailableError(_MISSING)
        yield from found


def single_lines(org_id: str, sequences: Sequence[int], left_out: frozenset[str]) -> Numbered:
    """Yield the lines of entries that have proofs of their own."""
    for columns in rows_of(org_id, sequences):
        yield 1, event_line(columns, left_out)


@dataclass(frozen=True, slots=True)
class EntryRange:
    """All entries `first` to `last`: shown if among `shown`, else withheld, or shown without any sealed member."""

    log: ProvenLog
    shown: Sequence[int]
    left_out: frozenset[str]
    shows_others: bool
    first: int
    last: int

    def lines(self) -> Numbered:
        """Yield the range line and the lines of the entries.

        Raises EvidenceUnavailableError, at the end if the entries do not lead to the signed root.
        """
        proof = range_beside(self.log, self.first, self.last)
        check, batch = RangeCheck(self.log, proof), [range_line(self.log, proof)]
        for hash, line in self._entry_lines():
            check.add(hash)
            batch.append(line)
            if len(batch) >= _BATCH:
                yield len(batch), b"".join(batch)
                batch.clear()
        check.finish()
        yield len(batch), b"".join(batch)

    def _entry_lines(self) -> Iterator[tuple[str, bytes]]:
        org_id, selected = self.log.statement.parts.workspace, set(self.shown)
        for hashes in self._hashes(org_id):
            wanted = [number for number, _ in hashes if number in selected or self._is_reduced(number)]
            rows = rows_of(org_id, wanted)
            for number, hash in hashes:
                if number in selected:
                    yield hash, event_line(next(rows), self.left_out)
                elif self._is_reduced(number):
                    yield hash, event_line(next(rows), frozenset(MEMBERS))
                else:
                    yield hash, withheld_line(number, hash)

    def _is_reduced(self, number: int) -> bool:
        """Whether the entry, which is not selected, is shown without its sealed members; format 1 seals none."""
        return self.shows_others and number > self.log.old

    def _hashes(self, org_id: str) -> Iterator[list[tuple[int, str]]]:
        reached = self.first - 1
        while reached < self.last:
            ahead = _entries(org_id).filter(sequence__gt=reached, sequence__lte=self.last).order_by("sequence")
            found = list(ahead.values_list("sequence", "hash")[:_HASHES])
            if not found or found[-1][0] - reached != len(found):
                raise EvidenceUnavailableError(_MISSING)
            yield found
            reached = found[-1][0]


def _entries(org_id: str) -> "QuerySet[AuditEvent]":
    return AuditEvent.objects.using(alias()).filter(org_id=org_id)
