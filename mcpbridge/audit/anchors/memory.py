"""Remember this node's anchors, the rows that this process wrote, and the findings against the database.

One object per process, shared by its threads. It asks the database nothing; `mcpbridge.audit.anchors.watch` does.
"""

import logging
import threading
from collections.abc import Iterable
from contextlib import suppress
from dataclasses import dataclass
from pathlib import Path
from typing import NamedTuple

import orjson
from django.conf import settings
from django.utils import timezone

from mcpbridge.audit.anchors.faults import NODE, AnchorFault, FaultKind
from mcpbridge.audit.anchors.files import AnchorFolder, StoredAnchor, UnreadableAnchorError
from mcpbridge.audit.epochs.following import is_ours
from mcpbridge.audit.errors import SigningRefusedError
from mcpbridge.audit.export.reading import checkpoint_from_line
from mcpbridge.audit.hashchain import Head, genesis, instant
from mcpbridge.audit.log_tree.growing import LogTree
from mcpbridge.audit.log_tree.signed_heads import sign_head
from mcpbridge.audit.signing import configured_key
from mcpbridge.audit.tree.merkle import CompactRange
from mcpbridge.audit.tree.origins import Origin
from mcpbridge.audit.verification.records import Checkpoint
from mcpbridge.observability import metrics

logger = logging.getLogger("mcpbridge.anchor")

FILE, WITNESS = "file", "witness"


class AnchorFaultError(SigningRefusedError):
    """A finding stands, so this node signs nothing. The text may be shown to users."""


class UnadoptedLogError(SigningRefusedError):
    """This node has no anchor of a log that has entries, so it does not sign it. The text may be shown to users."""


@dataclass(frozen=True, slots=True)
class AnchorSettings:
    """AUDIT_ANCHOR, AUDIT_ANCHOR_DIR and AUDIT_ANCHOR_FLOOR."""

    mode: str
    folder: Path | str
    floor: str

    @classmethod
    def configured(cls) -> "AnchorSettings":
        folder = settings.AUDIT_ANCHOR_DIR or f"{settings.VAR_DIR}/anchors"
        return cls(settings.AUDIT_ANCHOR, folder, settings.AUDIT_ANCHOR_FLOOR)


class Verified(NamedTuple):
    """A row up to which a chain was verified, and in format 2 the tree up to it."""

    head: Head
    tree: LogTree | None


class NodeAnchors:
    """The anchors of this node as this process knows them."""

    def __init__(self, configured: AnchorSettings) -> None:
        self.folder = AnchorFolder(Path(configured.folder)) if configured.mode == FILE else None
        self.floors = {
            each.workspace: each
            for each in (checkpoint_from_line(line.encode()) for line in configured.floor.splitlines() if line.strip())
        }
        # For looks at the database, which may take seconds; the other lock is never held so long.
        self.looking = threading.RLock()
        self._lock = threading.RLock()
        self._anchors: dict[str, Checkpoint] = {}
        self._verified: dict[str, Verified] = {}
        self._trees: dict[str, LogTree] = {}
        self._written: dict[str, Head] = {}
        self.verified_checkpoints: dict[str, tuple[int, int, int | None]] = {}
        self._faults: dict[str, AnchorFault] = {}
        self._unsaved: set[str] = set()
        # With AUDIT_ANCHOR=witness: the logs that witnesses were asked about, and when each may be asked for again.
        self.is_witnessed = configured.mode == WITNESS
        self.answered: set[str] = set()
        self.next_question: dict[str, float] = {}
        self.unadopted: set[str] = set()
        self.has_looked = False
        # So that a process that begins refuses what the one before it refused.
        with suppress(OSError):
            self.sync()

    @property
    def is_outside(self) -> bool:
        """Return whether anything outside the database holds the logs."""
        return self.folder is not None or self.is_witnessed

    @property
    def faults(self) -> list[AnchorFault]:
        """Return the findings that stand, the oldest first."""
        return list(self._faults.values())

    def refuse_if_faulty(self) -> None:
        """Raise AnchorFaultError if a finding stands."""
        if fault := next(iter(self._faults.values()), None):
            raise AnchorFaultError(
                f"The audit log does not agree with the anchor of this node ({fault.kind}), so nothing is signed."
                f" An operator finds the reason with `{settings.MANAGE_COMMAND} audit_anchor`."
            )

    @property
    def log_name(self) -> str:
        """Return the name under which the anchored logs are signed; empty if none is of format 2."""
        origins = (anchor.origin for _, anchor in sorted(self._anchors.items()) if anchor.origin)
        return Origin.parse(first).log_name if (first := next(origins, "")) else ""

    def workspaces(self) -> set[str]:
        """Return the workspaces that have an anchor or a lower bound."""
        return {*self._anchors, *self.floors}

    def anchor(self, org_id: str) -> Checkpoint | None:
        """Return the workspace's anchor, or its lower bound; None if there is neither."""
        return self._anchors.get(org_id) or self.floors.get(org_id)

    def verified(self, org_id: str) -> Head | None:
        """Return the last row up to which this process has verified the chain, at least the anchor's."""
        return found.head if (found := self.verified_tree(org_id)) else None

    def verified_tree(self, org_id: str) -> Verified | None:
        """Return the same row with the tree up to it, which is None in format 1 and if it is not known."""
        anchor, verified = self.anchor(org_id), self._verified.get(org_id)
        if anchor is not None and (verified is None or verified.head.sequence < anchor.sequence):
            return Verified(Head(anchor.sequence, anchor.hash), self._trees.get(org_id))
        return verified

    def written(self, org_id: str) -> Head | None:
        """Return the last row that this process has committed."""
        return self._written.get(org_id)

    def remember_verified(self, org_id: str, head: Head, tree: LogTree | None) -> None:
        """Remember that the chain is verified up to `head`, and its tree up to there."""
        self._verified[org_id] = Verified(head, tree)

    def remember_written(self, heads: Iterable[tuple[str, Head]]) -> None:
        """Remember heads that this process has just committed."""
        self._written.update(heads)

    def begin(self, org_id: str, origin: str) -> None:
        """Anchor a chain without entries at its genesis and the empty tree, unless this node has an anchor of it."""
        with self._lock:
            if self.anchor(org_id) is None and not (self.folder is not None and self.folder.has(org_id)):
                tree = LogTree(Origin.parse(origin), CompactRange())
                anchor = sign_head(configured_key(), org_id, genesis(org_id), reason="anchor", tree=tree)
                self._set(anchor, tree)

    def move(self, anchor: Checkpoint, tree: LogTree | None = None) -> None:
        """Move the anchor on to a checkpoint that was signed and committed, with its tree if known; never back."""
        with self._lock:
            known = self.anchor(anchor.workspace)
            if known is None or known.place <= anchor.place:
                self._set(anchor, tree)

    def disown(self, org_id: str) -> None:
        """Forget the anchor of the workspace: its log must be adopted."""
        with self._lock:
            self._anchors.pop(org_id, None)
            self.await_adoption(org_id)

    def await_witness(self, org_id: str, reason: str) -> None:
        """Remember, and log once, that this node does not sign the log until a witness answers."""
        if org_id not in self.unadopted:
            self.unadopted.add(org_id)
            logger.warning("The audit log of workspace %s is not signed until a witness answers: %s", org_id, reason)

    def await_adoption(self, org_id: str) -> None:
        """Remember, and log once, that this node does not sign the log of the workspace until it is adopted."""
        if org_id not in self.unadopted:
            self.unadopted.add(org_id)
            logger.warning(
                "No anchor of the audit log of workspace %s: this node does not sign it. Check the log, then run"
                " %s audit_anchor --adopt --reason …",
                *(org_id, settings.MANAGE_COMMAND),
            )

    def adopt(self, anchor: Checkpoint, tree: LogTree | None = None) -> None:
        """Replace the anchor of the workspace, and drop findings about it and about the node. Raises OSError."""
        with self._lock:
            self._faults.pop(NODE, None)
            self.follow(anchor, tree)
            if self.folder is not None:
                self.folder.forget(NODE)

    def follow(self, anchor: Checkpoint, tree: LogTree | None = None) -> None:
        """Continue in the next epoch of the log, and drop the finding about what it gave up. Raises OSError."""
        with self._lock:
            if self.folder is not None:
                self.folder.write(anchor, tree, is_replacing=True)
            self._begin_at(anchor, tree)

    def _begin_at(self, anchor: Checkpoint, tree: LogTree | None) -> None:
        self._keep(anchor, tree)
        self._verified[anchor.workspace] = Verified(Head(anchor.sequence, anchor.hash), tree)
        self._faults.pop(anchor.workspace, None)
        self._written.pop(anchor.workspace, None)
        for marked in (self._unsaved, self.unadopted):
            marked.discard(anchor.workspace)
        metrics.audit_anchor_fault.set(len(self._faults))

    def sync(self) -> None:
        """Take over what other processes of this node wrote, and report files that went back. Raises OSError."""
        if self.folder is None:
            return
        with self._lock:
            for org_id in list(self._unsaved):
                self._unsaved.discard(org_id)
                self.move(self._anchors[org_id], self._trees.get(org_id))
            for found in self.folder.changed():
                if isinstance(found, UnreadableAnchorError):
                    self.report(FaultKind.CHANGED, NODE, str(found))
                else:
                    self._take(found)
            for org_id in self._anchors:
                if org_id not in self._unsaved and not self.folder.has(org_id):
                    self.report(FaultKind.CHANGED, org_id, "The file of its anchor was removed.")
            for fault in self.folder.faults().values():
                self._remember_fault(fault)

    def report(self, kind: FaultKind, org_id: str, reason: str) -> None:
        """Record a finding: in memory, beside the anchors and in the server log."""
        with self._lock:
            if org_id in self._faults:
                return
            fault = AnchorFault(kind, org_id, reason, instant(timezone.now()))
            self._remember_fault(fault)
            try:
                if self.folder is not None:
                    self.folder.keep(fault)
            except OSError as error:
                logger.error("The finding about workspace %s cannot be written: %s", org_id, error.strerror)

    def _remember_fault(self, fault: AnchorFault) -> None:
        if fault.workspace not in self._faults:
            self._faults[fault.workspace] = fault
            metrics.audit_anchor_fault.set(len(self._faults))
            logger.critical("%s", orjson.dumps(fault.as_dict()).decode())

    def _keep(self, anchor: Checkpoint, tree: LogTree | None) -> None:
        """Remember an anchor and a copy of its tree, which does not grow."""
        self._anchors[anchor.workspace] = anchor
        self._trees.pop(anchor.workspace, None)
        if tree is not None:
            self._trees[anchor.workspace] = tree.copy()

    def _set(self, anchor: Checkpoint, tree: LogTree | None) -> None:
        self._keep(anchor, tree)
        self.unadopted.discard(anchor.workspace)
        try:
            if self.folder is not None:
                self.folder.write(anchor, tree)
        except OSError as error:
            # In memory until the next look.
            self._unsaved.add(anchor.workspace)
            logger.error("The anchor of workspace %s cannot be written: %s", anchor.workspace, error.strerror)

    def _take(self, stored: StoredAnchor) -> None:
        found = stored.checkpoint
        org_id, known = found.workspace, self._anchors.get(found.workspace)
        if known is not None and found.epoch > known.epoch and is_ours(found):
            # Another process of this node followed the statement of an epoch.
            self._begin_at(found, stored.tree)
        elif known is None or found.place > known.place:
            self._keep(found, stored.tree)
            self.unadopted.discard(org_id)
        elif org_id in self._unsaved:
            return
        elif found.place < known.place:
            reason = f"The file of its anchor went back from entry {known.sequence} to {found.sequence}."
            self.report(FaultKind.CHANGED, org_id, reason)
        elif found.hash != known.hash:
            reason = f"The file of its anchor names another hash for entry {known.sequence}."
            self.report(FaultKind.CHANGED, org_id, reason)
        elif found.origin and not known.origin:
            # Another process of this node upgraded the log.
            self._keep(found, stored.tree)


_current: tuple[AnchorSettings, NodeAnchors] | None = None
_making = threading.Lock()


def node_anchors() -> NodeAnchors:
    """Return the anchors of this node."""
    global _current
    configured = AnchorSettings.configured()
    with _making:
        if _current is None or _current[0] != configured:
            _current = (configured, NodeAnchors(configured))
        return _current[1]
