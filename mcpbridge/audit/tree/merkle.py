"""Merkle tree hashes as in RFC 9162, section 2.1, over the hashes of leaves."""

import hashlib
from collections.abc import Iterable, Iterator, Sequence

from mcpbridge.audit.tree.errors import ProofError

HASH_SIZE = 32
EMPTY_ROOT = hashlib.sha256().digest()
_LEAF, _NODE = b"\x00", b"\x01"


def leaf_hash(entry: bytes) -> bytes:
    """Return the hash of a leaf that holds `entry`; of an audit log, the 32 bytes of a row's hash."""
    return hashlib.sha256(_LEAF + entry).digest()


def node_hash(left: bytes, right: bytes) -> bytes:
    """Return the hash of the node above two nodes."""
    return hashlib.sha256(_NODE + left + right).digest()


def fold(nodes: Sequence[bytes]) -> bytes:
    """Return the root above complete subtrees that are given from left to right, each smaller than the one before."""
    if not nodes:
        return EMPTY_ROOT
    *rest, root = nodes
    for node in reversed(rest):
        root = node_hash(node, root)
    return root


def subtrees(begin: int, end: int) -> Iterator[tuple[int, int]]:
    """Yield the (level, index) of the largest aligned complete subtrees that fill [begin, end), from left to right.

    A subtree of level l and index i has the leaves [i × 2^l, (i + 1) × 2^l).
    """
    while begin < end:
        level = (end - begin).bit_length() - 1
        if begin:
            level = min(level, (begin & -begin).bit_length() - 1)
        yield level, begin >> level
        begin += 1 << level


class CompactRange:
    """The roots of the complete subtrees that fill [0, size), from left to right: enough to append and take the root.

    `size` is the number of leaves; `nodes` has one hash of 32 bytes for each bit that is set in it.
    """

    __slots__ = ("nodes", "size")

    def __init__(self, size: int = 0, nodes: Iterable[bytes] = ()) -> None:
        """Continue from known nodes. Raises ProofError unless their number fits to `size`."""
        self.size, self.nodes = size, list(nodes)
        if size < 0 or len(self.nodes) != size.bit_count() or any(len(node) != HASH_SIZE for node in self.nodes):
            raise ProofError("the nodes of the compact range do not fit to its size")

    def append(self, leaf: bytes) -> None:
        """Append the hash of a leaf."""
        self.nodes.append(leaf)
        self.size += 1
        for _ in range((self.size & -self.size).bit_length() - 1):
            right = self.nodes.pop()
            self.nodes[-1] = node_hash(self.nodes[-1], right)

    def extend(self, leaves: Iterable[bytes]) -> None:
        """Append the hashes of several leaves."""
        for leaf in leaves:
            self.append(leaf)

    def root(self) -> bytes:
        """Return the root of the tree; SHA-256 of nothing for an empty one."""
        return fold(self.nodes)

    def copy(self) -> "CompactRange":
        """Return an independent copy."""
        return CompactRange(self.size, self.nodes)

    def __eq__(self, other: object) -> bool:
        return isinstance(other, CompactRange) and (self.size, self.nodes) == (other.size, other.nodes)

    def __repr__(self) -> str:
        return f"CompactRange(size={self.size}, root={self.root().hex()})"

    __hash__ = None  # type: ignore[assignment]  # It changes.


def root_of(leaves: Iterable[bytes]) -> bytes:
    """Return the root of the tree with these hashes of leaves."""
    made = CompactRange()
    made.extend(leaves)
    return made.root()
