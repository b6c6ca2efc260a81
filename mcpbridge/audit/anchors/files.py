"""Store anchors and findings as files, one of each a workspace, named by the SHA-256 of the workspace.

An anchor file is JSON Lines: its first line is the newest signed checkpoint of the workspace, as an export has it. In
format 2 the second line has the nodes of its tree from which it grows, `{"type":"compact","nodes":[hex…]}`, whose root
must be the signed one. Nothing in it is believed unsigned.
"""

import fcntl
import hashlib
import json
import os
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import NamedTuple

from mcpbridge.audit.anchors.faults import NODE, AnchorFault, FaultKind
from mcpbridge.audit.export.jsonl import checkpoint_line
from mcpbridge.audit.export.reading import checkpoint_from_line
from mcpbridge.audit.log_tree.growing import LogTree
from mcpbridge.audit.tree.encoding import hash_from_hex
from mcpbridge.audit.tree.errors import ProofError
from mcpbridge.audit.tree.merkle import CompactRange
from mcpbridge.audit.verification.findings import UnusableInputError
from mcpbridge.audit.verification.records import Checkpoint
from mcpbridge.core.durable_files import sync_directory

_ANCHOR, _FAULT = ".anchor", ".fault"
_State = tuple[int, int, int]


class UnreadableAnchorError(Exception):
    """An anchor file is not one. The text may be shown to operators."""


class StoredAnchor(NamedTuple):
    """What an anchor file has; `tree` is None in format 1, and if the file has no second line."""

    checkpoint: Checkpoint
    tree: LogTree | None


class AnchorFolder:
    """The folder of one node's anchors, which its processes share."""

    def __init__(self, path: Path) -> None:
        self.path = path
        self._seen: dict[str, _State] = {}

    def read(self, org_id: str) -> StoredAnchor | None:
        """Return the anchor of the workspace; None if there is no file. Raises UnreadableAnchorError and OSError."""
        path = self._path_of(org_id, _ANCHOR)
        try:
            return _parsed(path)
        except FileNotFoundError:
            return None

    def changed(self) -> Iterator[StoredAnchor | UnreadableAnchorError]:
        """Yield the anchors whose files changed since the last call, or what is wrong with them. Raises OSError."""
        for path in self._files(_ANCHOR):
            try:
                state = _state_of(path)
                if self._seen.get(path.name) == state:
                    continue
                found: StoredAnchor | UnreadableAnchorError = _parsed(path)
            except FileNotFoundError:
                continue
            except UnreadableAnchorError as error:
                found = error
            self._seen[path.name] = state
            yield found

    def write(self, anchor: Checkpoint, tree: LogTree | None = None, *, is_replacing: bool = False) -> bool:
        """Replace the file by `anchor` durably and atomically; return False if it already names a later row.

        With `is_replacing`, replace any anchor and remove the finding. Raises OSError.
        """
        path = self._path_of(anchor.workspace, _ANCHOR)
        with self._alone():
            if not is_replacing:
                try:
                    found = self.read(anchor.workspace)
                except UnreadableAnchorError:
                    return False
                if found is not None and found.checkpoint.place > anchor.place:
                    return False
            _replace(path, checkpoint_line(anchor) + _compact_line(tree))
            if is_replacing:
                self.forget(anchor.workspace)
            self._seen[path.name] = _state_of(path)
        return True

    def forget(self, org_id: str) -> None:
        """Remove the finding about a workspace, or about the node. Raises OSError."""
        self._path_of(org_id, _FAULT).unlink(missing_ok=True)

    def has(self, org_id: str) -> bool:
        """Return whether there is an anchor file of the workspace."""
        return self._path_of(org_id, _ANCHOR).exists()

    def faults(self) -> dict[str, AnchorFault]:
        """Return the findings that processes of this node kept, by workspace. Raises OSError."""
        found = {}
        for path in self._files(_FAULT):
            try:
                said = json.loads(path.read_text(encoding="utf-8"))
                fault = AnchorFault(FaultKind(said["kind"]), said["workspace"], said["reason"], said["at"])
            except FileNotFoundError:
                continue
            except (ValueError, KeyError, TypeError):
                fault = AnchorFault(FaultKind.CHANGED, NODE, f"The finding in {path.name} cannot be read.", "")
            found[fault.workspace] = fault
        return found

    def keep(self, fault: AnchorFault) -> None:
        """Keep the first finding about a workspace. Raises OSError."""
        path = self._path_of(fault.workspace, _FAULT)
        with self._alone():
            if not path.exists():
                _replace(path, json.dumps(fault.as_dict()).encode() + b"\n")

    def _path_of(self, org_id: str, suffix: str) -> Path:
        return self.path / f"{hashlib.sha256(org_id.encode()).hexdigest()}{suffix}"

    def _files(self, suffix: str) -> list[Path]:
        try:
            return sorted(path for path in self.path.iterdir() if path.suffix == suffix)
        except FileNotFoundError:
            return []

    @contextmanager
    def _alone(self) -> Iterator[None]:
        """Hold the folder's lock, and make the folder first if it is not there."""
        self.path.mkdir(mode=0o700, parents=True, exist_ok=True)
        lock = os.open(self.path / ".lock", os.O_RDWR | os.O_CREAT | os.O_CLOEXEC, 0o600)
        try:
            fcntl.flock(lock, fcntl.LOCK_EX)
            yield
        finally:
            os.close(lock)


def _compact_line(tree: LogTree | None) -> bytes:
    if tree is None:
        return b""
    nodes = [node.hex() for node in tree.range.nodes]
    return json.dumps({"type": "compact", "nodes": nodes}).encode() + b"\n"


def _parsed(path: Path) -> StoredAnchor:
    first, _, rest = path.read_bytes().partition(b"\n")
    try:
        anchor = checkpoint_from_line(first)
    except UnusableInputError as error:
        raise UnreadableAnchorError(f"The anchor file {path.name} cannot be read: {error}") from None
    if path.stem != hashlib.sha256(anchor.workspace.encode()).hexdigest():
        raise UnreadableAnchorError(f"The anchor file {path.name} is that of the workspace {anchor.workspace}.")
    try:
        return StoredAnchor(anchor, _tree(anchor, rest) if anchor.origin and rest else None)
    except (ValueError, KeyError, TypeError):
        reason = f"The anchor file {path.name} does not have the nodes of the tree that it signs."
        raise UnreadableAnchorError(reason) from None


def _tree(anchor: Checkpoint, line: bytes) -> LogTree:
    """Return the tree of an anchor from its nodes. Raises ValueError, also if their root is not the signed one."""
    nodes = [hash_from_hex(node) for node in json.loads(line)["nodes"]]
    head, origin = anchor.statement.head, anchor.statement.parts
    found = CompactRange(head.size, nodes)
    if found.root() != head.root:
        raise ProofError("the nodes lead to another root")
    return LogTree(origin, found)


def _replace(path: Path, content: bytes) -> None:
    part = path.with_name(f".{path.name}.part")
    part.unlink(missing_ok=True)
    with os.fdopen(os.open(part, os.O_WRONLY | os.O_CREAT | os.O_EXCL | os.O_CLOEXEC, 0o600), "wb") as file:
        file.write(content)
        file.flush()
        os.fsync(file.fileno())
    part.replace(path)
    sync_directory(path.parent)


def _state_of(path: Path) -> _State:
    found = path.stat()
    return found.st_mtime_ns, found.st_size, found.st_ino
