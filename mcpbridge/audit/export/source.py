"""Stream the audit log from the database: the chains of some workspaces, complete or filtered.

No lock or transaction is held, so rows, checkpoints and prunings may be committed meanwhile. The order of the queries
therefore matters: the row of each checkpoint that was read, the cut before the rows and the key of each signature
must be read after them.
"""

import heapq
import itertools
import logging
from collections.abc import Callable, Iterator, Mapping, Sequence
from dataclasses import dataclass
from datetime import datetime
from typing import Any, TypeVar

import rfc8785
from django.db import models, router
from django.db.models import QuerySet
from django.db.models.functions import Cast

from mcpbridge.audit.epochs.stored import stored_restores
from mcpbridge.audit.hashchain import facts, instant
from mcpbridge.audit.heads import chain_statuses, head_of
from mcpbridge.audit.log_tree.tiles import stored_nodes
from mcpbridge.audit.tree.errors import FormatError, ProofError, TreeError
from mcpbridge.audit.tree.origins import Origin
from mcpbridge.audit.tree.proofs import compact_range, consistency_proof, verify_consistency
from mcpbridge.audit.tree.sealed import MEMBERS
from mcpbridge.audit.verification.records import Checkpoint, Event, Key, Range, Record
from mcpbridge.models import AuditCut, AuditEvent, SigningHead, SigningKey

logger = logging.getLogger(__name__)

# Rows in memory at a time; each may have a snapshot of 256 KiB.
_CHUNK = 100
_Numbered = TypeVar("_Numbered", Event, Checkpoint)
# What the database driver or a column raises on a value that the column's type does not allow.
UNREADABLE = (ValueError, TypeError, AttributeError, OverflowError)


@dataclass(frozen=True, slots=True)
class Selection:
    """Rows to export. Any filter but `workspace` omits rows, so that the export can be verified only partially.

    `since` and `until` (exclusive) compare with `recorded_at`. `narrow` is a further filter of a page, which `also`
    describes by name and value.
    """

    workspace: str | None = None
    since: datetime | None = None
    until: datetime | None = None
    tool: str = ""
    narrow: Callable[["QuerySet[AuditEvent]"], "QuerySet[AuditEvent]"] | None = None
    also: tuple[tuple[str, str], ...] = ()

    @property
    def filters(self) -> dict[str, str]:
        """Return the filters by name, as the first line of an export lists them."""
        named = {
            "since": instant(self.since) if self.since else "",
            "until": instant(self.until) if self.until else "",
            "tool": self.tool,
            **dict(self.also),
        }
        return {name: value for name, value in named.items() if value}

    @property
    def is_whole(self) -> bool:
        """Return whether the selected chains are complete."""
        return not self.filters and self.narrow is None

    def events(self) -> "QuerySet[AuditEvent]":
        """Return the selected rows, unordered."""
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
    """Return the alias of the audit database; never a replica, which could lag behind the checkpoints."""
    return router.db_for_write(AuditEvent)


def known_workspaces() -> list[str]:
    """Return every workspace with a row, a checkpoint or a cut."""
    found = {each.org_id for each in chain_statuses(alias()) if each.sequence}
    for model in (SigningHead, AuditCut):
        found.update(model.objects.using(alias()).order_by().values_list("org_id", flat=True).distinct())
    return sorted(found)


def stored_keys() -> Iterator[Key]:
    """Yield the signing keys in the order of their announcement."""
    columns = ("key_id", "public_key", "since", "announced_by", "signature", "countersignature", "use")
    public_keys: dict[str, str] = {}
    for row in SigningKey.objects.using(alias()).order_by("id").values(*columns):
        public_keys[row["key_id"]] = row["public_key"]
        predecessor = public_keys.get(row["announced_by"], "") if row["use"] else ""
        yield Key(**{**row, "since": instant(row["since"]), "predecessor": predecessor})


def has_format_2(workspaces: Sequence[str]) -> bool:
    """Return whether a log of one of these workspaces has rows or checkpoints of format 2, which are its last ones."""
    return any(head_of(alias(), workspace).epoch or _newest_tree(workspace) for workspace in workspaces)


def _newest_tree(workspace: str) -> Checkpoint | None:
    """Return the newest checkpoint if it is of format 2."""
    newest = SigningHead.objects.using(alias()).filter(org_id=workspace).order_by("-sequence", "-id").first()
    return checkpoint_of(newest) if newest is not None and newest.origin else None


def workspaces_of(selection: Selection) -> list[str]:
    """Return the workspaces to read."""
    return known_workspaces() if selection.workspace is None else [selection.workspace]


def chain_records(selection: Selection, anchors: Mapping[str, Checkpoint] | None = None) -> Iterator[Record]:
    """Yield keys, cuts, restores, rows and checkpoints in a verifier's order, `anchors` among the checkpoints."""
    keys_said: set[str] = set()
    anchors = anchors or {}
    names = workspaces_of(selection)
    for workspace in (*names, *(name for name in sorted(anchors) if name not in names and selection.workspace is None)):
        heads = _started(_checkpoints(SigningHead, selection, workspace))
        rows = _started(_events(selection, workspace))
        for key in stored_keys():
            if key.key_id not in keys_said:
                keys_said.add(key.key_id)
                yield key
        yield from _checkpoints(AuditCut, selection, workspace)
        yield from stored_restores(alias(), workspace)
        if (first := next(rows, None)) is not None:
            rows = itertools.chain([first], rows)
            if selection.is_whole and (given := _range_before(workspace, first.sequence - 1)):
                yield given
        both: list[Iterator[Event | Checkpoint]] = [rows, _with_anchor(heads, anchors.get(workspace))]
        yield from heapq.merge(*both, key=chain_order)


def _range_before(workspace: str, cut: int) -> Range | None:
    """Return the left part of the tree if its rows up to `cut` were pruned, so that the root can still be calculated.

    None if the newest checkpoint does not prove it.
    """
    newest, cuts = _newest_tree(workspace), AuditCut.objects.using(alias()).filter(org_id=workspace, sequence=cut)
    if newest is None or not newest.first <= cut < newest.sequence or not cuts.exists():
        return None
    nodes, size, head = stored_nodes(alias(), workspace), cut - newest.first + 1, newest.statement.head
    try:
        left = compact_range(nodes, size)
        proof = consistency_proof(nodes, size, head.size)
        verify_consistency(older=size, newer=head.size, older_root=left.root(), newer_root=head.root, proof=proof)
    except TreeError:
        logger.warning("The tiles of workspace %s do not lead to its signed tree.", workspace)
        return None
    nodes_of_left = [node.hex() for node in left.nodes]
    return Range(workspace, newest.origin, cut + 1, newest.sequence, head.size, nodes_of_left, [])


def _with_anchor(heads: Iterator[Checkpoint], anchor: Checkpoint | None) -> Iterator[Checkpoint]:
    """Yield `heads` and, at its place, the anchor unless it is one of them."""
    if anchor is None:
        yield from heads
        return
    is_due = True
    for head in heads:
        if is_due and head.sequence > anchor.sequence:
            is_due = False
            yield anchor
        is_due = is_due and head.signature != anchor.signature
        yield head
    if is_due:
        yield anchor


def chain_order(record: Event | Checkpoint) -> tuple[int, bool]:
    """Return what sorts the records of one chain: of a row and the checkpoint that names it, the row comes first."""
    return record.sequence, isinstance(record, Checkpoint)


def event_records(selection: Selection) -> Iterator[Event]:
    """Yield the rows only, by workspace and sequence number."""
    for workspace in workspaces_of(selection):
        yield from _events(selection, workspace)


def _started(stream: Iterator[_Numbered]) -> Iterator[_Numbered]:
    """Execute the query of `stream` now, and return the stream."""
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
    """Yield the rows by sequence number, each converted by `record_of`."""
    reached = -1
    while True:
        ahead = rows.filter(sequence__gt=reached).order_by("sequence", "id")
        try:
            for row in ahead.values().iterator(chunk_size=_CHUNK):
                yield record_of(row, True)
                reached = row["sequence"]
            return
        except UNREADABLE:
            # A column contains a value that its type does not allow; report an edited row instead of failing.
            row = _as_text(rows.filter(sequence__gt=reached).order_by("sequence", "id"))
            logger.warning("Row %s of workspace %s cannot be read.", row["sequence"], row["org_id"])
            yield record_of(row, False)
            reached = row["sequence"]


def _as_text(rows: "QuerySet[Any]") -> dict[str, Any]:
    """Return the first of `rows` with the columns that are readable whatever they contain."""
    texts = rows.annotate(text_id=Cast("id", models.TextField())).values("org_id", "sequence", "hash", "text_id")
    row: dict[str, Any] = texts[:1].get()
    return {**row, "id": row["text_id"]}


def _event(row: dict[str, Any], is_readable: bool) -> Event:
    said = _facts(row) if is_readable else None
    is_sealed = said is not None and row["epoch"] > 0
    return Event(
        workspace=row["org_id"],
        sequence=row["sequence"],
        id=str(row["id"]),
        facts=said,
        previous_hash=row.get("previous_hash", ""),
        hash=row["hash"],
        shown={name: row[name] for name in MEMBERS} if is_sealed else None,
        seal=bytes(row["seal"]).hex() if is_sealed else "",
    )


def _facts(row: dict[str, Any]) -> dict[str, Any] | None:
    """Return the facts of a row; None if a sealed value has no canonical form, which no hash can cover."""
    try:
        return facts(row)
    except (rfc8785.CanonicalizationError, UnicodeEncodeError, ProofError):
        return None


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
        **_tree_columns(vars(head)),
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
        **_tree_columns(row),
    )


def _tree_columns(columns: Mapping[str, Any]) -> dict[str, Any]:
    """Return what a checkpoint of format 2 has besides; its epoch and first row are those that its origin names."""
    if not (origin := columns.get("origin", "")):
        return {}
    try:
        parts = Origin.parse(origin)
        named = {"epoch": parts.epoch, "first": parts.first}
    except FormatError:
        named = {}
    return {"origin": origin, **named, "root": columns["root"], "note": columns["signed_note"]}
