"""The tree of one log while its rows are read, and the trees that a signed root proves."""

from dataclasses import dataclass

from mcpbridge.audit.log_tree.tiles import (
    extend_stored,
    rebuild,
    stored_leaves,
    stored_nodes,
    stored_range,
    stored_size,
)
from mcpbridge.audit.tree.errors import ProofError, TreeError
from mcpbridge.audit.tree.merkle import CompactRange, leaf_hash
from mcpbridge.audit.tree.origins import Origin
from mcpbridge.audit.tree.proofs import compact_range, consistency_proof, verify_consistency
from mcpbridge.audit.verification.records import Checkpoint

_MOST_AT_ONCE = 20_000


@dataclass(slots=True)
class LogTree:
    """The tree of a log of format 2 up to one of its rows."""

    origin: Origin
    range: CompactRange

    @property
    def last(self) -> int:
        """Return the sequence of the last row in it; `first` - 1 if it is empty."""
        return self.origin.first + self.range.size - 1

    @property
    def root(self) -> str:
        """Return the root in hexadecimal."""
        return self.range.root().hex()

    def append(self, hash: str) -> None:
        """Append the next row, by its hash in hexadecimal."""
        self.range.append(leaf_hash(bytes.fromhex(hash)))

    def copy(self) -> "LogTree":
        """Return an independent copy."""
        return LogTree(self.origin, self.range.copy())


def signed_tree(alias: str, checkpoint: Checkpoint) -> LogTree:
    """Return the signed tree of a checkpoint of format 2, from the tiles or else from the rows.

    The caller has verified the signature. Raises ProofError if neither leads to the signed root.
    """
    try:
        head, origin = checkpoint.statement.head, checkpoint.statement.parts
    except TreeError as error:
        raise ProofError(f"the checkpoint is malformed: {error}") from None
    found = stored_range(alias, checkpoint.workspace, head.size, head.root)
    if found is None:
        found = CompactRange()
        found.extend(stored_leaves(alias, checkpoint.workspace, origin.first, checkpoint.sequence + 1))
    if found.root() != head.root:
        raise ProofError("the stored rows do not lead to the signed root")
    return LogTree(origin, found)


def continued_tree(alias: str, tree: LogTree, sequence: int) -> LogTree:
    """Return the tree up to row `sequence`, whose rows behind `tree` were pruned, from the tiles.

    Raises ProofError unless it continues `tree`.
    """
    nodes, size = stored_nodes(alias, tree.origin.workspace), sequence - tree.origin.first + 1
    found = LogTree(tree.origin, compact_range(nodes, size))
    if older := tree.range.size:
        verify_consistency(
            older=older,
            newer=size,
            older_root=tree.range.root(),
            newer_root=found.range.root(),
            proof=consistency_proof(nodes, older, size),
        )
    return found


def extend_tiles(alias: str, tree: LogTree) -> bool:
    """Extend the tiles to `tree`, within the caller's transaction; return whether they lead to its root.

    False, too, if they lack so much that a transaction of their own should make them.
    """
    org_id = tree.origin.workspace
    if tree.range.size - stored_size(alias, org_id) > _MOST_AT_ONCE:
        return False
    return extend_stored(alias, org_id, first=tree.origin.first, to=tree.range)


def rebuild_tiles(alias: str, tree: LogTree) -> bool:
    """Make the tiles of `tree` again from the rows, within the caller's transaction; return whether they are right."""
    return rebuild(alias, tree.origin.workspace, first=tree.origin.first, to=tree.range)
