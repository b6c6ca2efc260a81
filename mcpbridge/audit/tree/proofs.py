"""Inclusion and consistency proofs: made from nodes of a tree, verified by RFC 9162, sections 2.1.3.2 and 2.1.4.2.

A proof is a sequence of hashes of 32 bytes. An index counts leaves from 0.
"""

from collections.abc import Callable, Sequence

from mcpbridge.audit.tree.errors import ProofError
from mcpbridge.audit.tree.merkle import HASH_SIZE, CompactRange, fold, node_hash, subtrees

# The hash of the complete subtree of a level and index; see `merkle.subtrees`.
Nodes = Callable[[int, int], bytes]


def nodes_of(leaves: Sequence[bytes]) -> Nodes:
    """Return the nodes of a small tree that is in memory, given the hashes of its leaves."""

    def node(level: int, index: int) -> bytes:
        if level == 0:
            return leaves[index]
        return node_hash(node(level - 1, 2 * index), node(level - 1, 2 * index + 1))

    return node


def subtree_root(nodes: Nodes, begin: int, end: int) -> bytes:
    """Return the root over the leaves [begin, end), where `begin` is a multiple of a power of two ≥ end - begin."""
    return fold([nodes(level, index) for level, index in subtrees(begin, end)])


def compact_range(nodes: Nodes, size: int) -> CompactRange:
    """Return the compact range of the first `size` leaves."""
    return CompactRange(size, [nodes(level, index) for level, index in subtrees(0, size)])


def inclusion_proof(nodes: Nodes, index: int, size: int) -> list[bytes]:
    """Return the proof that the leaf at `index` is in the tree of `size` leaves, from its sibling upwards."""
    if not 0 <= index < size:
        raise ProofError(f"there is no leaf {index} in a tree of {size}")
    begin, end, found = 0, size, []
    while end - begin > 1:
        middle = begin + _split(end - begin)
        if index < middle:
            found.append(subtree_root(nodes, middle, end))
            end = middle
        else:
            found.append(subtree_root(nodes, begin, middle))
            begin = middle
    return found[::-1]


def consistency_proof(nodes: Nodes, older: int, newer: int) -> list[bytes]:
    """Return the proof that the tree of `newer` leaves begins with the tree of `older` leaves, which is not empty."""
    if not 0 < older <= newer:
        raise ProofError(f"a tree of {newer} cannot be proved to continue one of {older}")
    begin, end, is_older_root, found = 0, newer, True, []
    while older != end:
        middle = begin + _split(end - begin)
        if older <= middle:
            found.append(subtree_root(nodes, middle, end))
            end = middle
        else:
            found.append(subtree_root(nodes, begin, middle))
            begin, is_older_root = middle, False
    if not is_older_root:
        found.append(subtree_root(nodes, begin, end))
    return found[::-1]


def _split(size: int) -> int:
    """Return the largest power of two below `size`."""
    return 1 << ((size - 1).bit_length() - 1)


def verify_inclusion(*, index: int, size: int, leaf: bytes, proof: Sequence[bytes], root: bytes) -> None:
    """Raise ProofError unless `proof` shows that the hash of a leaf is at `index` of the tree with this size and root.

    The length of the proof must be exact.
    """
    if not 0 <= index < size:
        raise ProofError(f"there is no leaf {index} in a tree of {size}")
    _refuse_other_sizes([leaf, root, *proof])
    at, last, reached = index, size - 1, leaf
    for hash in proof:
        if last == 0:
            raise ProofError("the inclusion proof is too long")
        if at & 1 or at == last:
            reached = node_hash(hash, reached)
            while not at & 1 and at:
                at, last = at >> 1, last >> 1
        else:
            reached = node_hash(reached, hash)
        at, last = at >> 1, last >> 1
    if last:
        raise ProofError("the inclusion proof is too short")
    if reached != root:
        raise ProofError("the inclusion proof leads to another root")


def verify_consistency(*, older: int, newer: int, older_root: bytes, newer_root: bytes, proof: Sequence[bytes]) -> None:
    """Raise ProofError unless `proof` shows that the newer tree begins with the older one, which must not be empty.

    The length of the proof must be exact: none for equal sizes.
    """
    if not 0 < older <= newer:
        raise ProofError(f"a tree of {newer} cannot continue one of {older}")
    _refuse_other_sizes([older_root, newer_root, *proof])
    if older == newer:
        if proof:
            raise ProofError("the consistency proof is too long")
        if older_root != newer_root:
            raise ProofError("two trees of one size have different roots")
        return
    path = list(proof)
    if not older & (older - 1):
        path.insert(0, older_root)
    if not path:
        raise ProofError("the consistency proof is too short")
    _follow(path, older=older, newer=newer, older_root=older_root, newer_root=newer_root)


def _follow(path: Sequence[bytes], *, older: int, newer: int, older_root: bytes, newer_root: bytes) -> None:
    at, last = older - 1, newer - 1
    while at & 1:
        at, last = at >> 1, last >> 1
    old = new = path[0]
    for hash in path[1:]:
        if last == 0:
            raise ProofError("the consistency proof is too long")
        if at & 1 or at == last:
            old, new = node_hash(hash, old), node_hash(hash, new)
            while not at & 1 and at:
                at, last = at >> 1, last >> 1
        else:
            new = node_hash(new, hash)
        at, last = at >> 1, last >> 1
    if last:
        raise ProofError("the consistency proof is too short")
    if old != older_root:
        raise ProofError("the consistency proof leads to another older root")
    if new != newer_root:
        raise ProofError("the consistency proof leads to another newer root")


def _refuse_other_sizes(hashes: Sequence[bytes]) -> None:
    if any(len(hash) != HASH_SIZE for hash in hashes):
        raise ProofError("a hash does not have 32 bytes")
