"""Reads the record out of the database as a stream: the chains of some workspaces, whole or filtered.

Nothing here holds a lock or a transaction, and rows are written, checkpoints made and old rows removed meanwhile.
So the order of looking counts: a checkpoint that is seen must find its row, rows must find the cut before them, and
signatures their key.
"""

import heapq
import itertools
import logging
from collections.abc import Callable, Iterator
from dataclasses import dataclass
from datetime import datetime
from typing import Any, TypeVar

from django.db import models, router
from django.db.models import QuerySet
from django.db.models.functions import Cast

from mcpbridge.audit.hashchain import facts, instant
from mcpbridge.audit.heads import chain_statuses
from mcpbridge.audit.verification.records import Checkpoint, Event, Key, Record
from mcpbridge.models import AuditCut, AuditEvent, SigningHead, SigningKey

logger = logging.getLogger(__name__)

# Rows held at a time; each may bring a snapshot of 256 KiB.
_CHUNK = 100
_Numbered = TypeVar("_Numbered", Event, Checkpoint)
_UNREADABLE = (ValueError, TypeError, AttributeError, OverflowError)


@dataclass(frozen=True, slots=True)
class Selection:
    """What is read. Everything but `workspace` takes rows out of chains, which then prove themselves only in part.

    `since` and `until` (exclusive) go by the instant a row was made. `narrow` is a page's further filter, and `also`
    says in words for the export what that filters by.
    """

    workspace: str | None = None
    since: datetime | None = None
    until: datetime | None = None
    tool: str = ""
    narrow: Callable[["QuerySet[AuditEvent]"], "QuerySet[AuditEvent]"] | None = None
    also: tuple[tuple[str, str], ...] = ()

    @property
    def filters(self) -> dict[str, str]:
        """The filters that leave rows out, as an export's first line names them."""
        named = {
            "since": instant(self.since) if self.since else "",
            "until": instant(self.until) if self.until else "",
            "tool": self.tool,
            **dict(self.also),
        }
        return {name: value for name, value in named.items() if value}

    @property
    def is_whole(self) -> bool:
        """Whether no row of the selected chains is left out."""
        return not self.filters and self.narrow is None

    def events(self) -> "QuerySet[AuditEvent]":
        """The selected rows, in no particular order."""
        rows = AuditEvent.objects.using(alias()).all()
        if self.workspace is not None:
            rows = rows.filter(org_id=self.workspace)
        if self.since is not None:
            rows = rows.filter(recorded_at__gte=self.since)
        if self.until is not None:
            rows = rows.filter(recorded_at__lt=self.until)
        if self.tool:
            rows = rows.filter(tool=self.tool)
        return self.narrow(rows) if self.narrow else rows


def alias() -> str:
    """The database that holds the record. Not a replica, which could lag behind the checkpoints."""
    return router.db_for_write(AuditEvent)


def known_workspaces() -> list[str]:
    """Every workspace of which there is a row, a checkpoint or a cut."""
    found = {each.org_id for each in chain_statuses(alias()) if each.sequence}
    for model in (SigningHead, AuditCut):
        found.update(model.objects.using(alias()).order_by().values_list("org_id", flat=True).distinct())
    return sorted(found)


def stored_keys() -> Iterator[Key]:
    """The keys that sign, in the order in which they were announced."""
    columns = ("key_id", "public_key", "since", "announced_by", "signature")
    for row in SigningKey.objects.using(alias()).order_by("id").values(*columns):
        yield Key(**{**row, "since": instant(row["since"])})


def workspaces_of(selection: Selection) -> list[str]:
    """The workspaces whose chains are read."""
    return known_workspaces() if selection.workspace is None else [selection.workspace]


def chain_records(selection: Selection) -> Iterator[Record]:
    """Keys, cuts, rows and checkpoints, in the order in which a verifier wants them."""
    keys_said: set[str] = set()
    for workspace in workspaces_of(selection):
        heads = _started(_checkpoints(SigningHead, selection, workspace))
        rows = _started(_events(selection, workspace))
        for key in stored_keys():
            if key.key_id not in keys_said:
                keys_said.add(key.key_id)
                yield key
        yield from _checkpoints(AuditCut, selection, workspace)
        both: list[Iterator[Event | Checkpoint]] = [rows, heads]
        yield from heapq.merge(*both, key=chain_order)


def chain_order(record: Event | Checkpoint) -> tuple[int, bool]:
    """Return what sorts the records of one chain: of a row and the checkpoint that names it, the row comes first."""
    return record.sequence, isinstance(record, Checkpoint)


def event_records(selection: Selection) -> Iterator[Event]:
    """The rows alone, one workspace after the other in the order of their chains."""
    for workspace in workspaces_of(selection):
        yield from _events(selection, workspace)


def _started(stream: Iterator[_Numbered]) -> Iterator[_Numbered]:
    """The same stream, whose question the database has been asked by now."""
    first = list(itertools.islice(stream, 1))
    return itertools.chain(first, stream)


def _checkpoints(model: type[SigningHead | AuditCut], selection: Selection, workspace: str) -> Iterator[Checkpoint]:
    rows = model._default_manager.using(alias()).filter(org_id=workspace)
    if selection.since is not None:
        rows = rows.filter(at__gte=selection.since)
    if selection.until is not None:
        rows = rows.filter(at__lt=selection.until)
    return _numbered(rows, _checkpoint)


def _events(selection: Selection, workspace: str) -> Iterator[Event]:
    return _numbered(selection.events().filter(org_id=workspace), _event)


def _numbered(rows: "QuerySet[Any]", record_of: Callable[[dict[str, Any], bool], _Numbered]) -> Iterator[_Numbered]:
    """The rows by their numbers, each as `record_of` makes it of its columns."""
    reached = -1
    while True:
        ahead = rows.filter(sequence__gt=reached).order_by("sequence", "id")
        try:
            for row in ahead.values().iterator(chunk_size=_CHUNK):
                yield record_of(row, True)
                reached = row["sequence"]
            return
        except _UNREADABLE:
            # Somebody wrote into a column what its type cannot be; a verifier must see a faulty row, not a crash.
            row = _as_text(rows.filter(sequence__gt=reached).order_by("sequence", "id"))
            logger.warning("Row %s of workspace %s cannot be read.", row["sequence"], row["org_id"])
            yield record_of(row, False)
            reached = row["sequence"]


def _as_text(rows: "QuerySet[Any]") -> dict[str, Any]:
    """The first of `rows` by the columns that any content can be read from."""
    texts = rows.annotate(text_id=Cast("id", models.TextField())).values("org_id", "sequence", "hash", "text_id")
    row: dict[str, Any] = texts[:1].get()
    return {**row, "id": row["text_id"]}


def _event(row: dict[str, Any], is_readable: bool) -> Event:
    return Event(
        workspace=row["org_id"],
        sequence=row["sequence"],
        id=str(row["id"]),
        facts=facts(row) if is_readable else None,
        previous_hash=row.get("previous_hash", ""),
        hash=row["hash"],
    )


def checkpoint_of(head: SigningHead | AuditCut) -> Checkpoint:
    """Return the record of a checkpoint, or of the cut that stands for removed rows."""
    return Checkpoint(
        workspace=head.org_id,
        sequence=head.sequence,
        hash=head.hash,
        at=instant(head.at),
        key_id=head.key_id,
        signature=head.signature,
        reason=head.reason if isinstance(head, SigningHead) else "",
        rows=head.rows if isinstance(head, AuditCut) else None,
    )


def _checkpoint(row: dict[str, Any], is_readable: bool) -> Checkpoint:
    return Checkpoint(
        workspace=row["org_id"],
        sequence=row["sequence"],
        hash=row["hash"],
        at=instant(row["at"]) if is_readable else "",
        key_id=row.get("key_id", ""),
        signature=row.get("signature", ""),
        reason=row.get("reason", ""),
        rows=row.get("rows"),
    )
