"""Prove a range of leaves at once: all leaves in it, and the roots of the subtrees to its left and right.

Indexes count leaves from 0; `first` and `last` are both in the range. Of an audit log whose tree begins with row f,
the row with sequence s has the index s - f.
"""

from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass
from typing import Any

from mcpbridge.audit.tree.encoding import hash_from_hex
from mcpbridge.audit.tree.errors import FormatError, ProofError
from mcpbridge.audit.tree.merkle import HASH_SIZE, fold, node_hash, subtrees
from mcpbridge.audit.tree.proofs import Nodes

_MEMBERS = {"type", "first", "last", "size", "left", "right"}
_MOST_HASHES = 64


@dataclass(frozen=True, slots=True)
class RangeProof:
    """The roots beside the leaves `first` to `last` of a tree of `size`, from left to right."""

    first: int
    last: int
    size: int
    left: tuple[bytes, ...]
    right: tuple[bytes, ...]

    def as_dict(self) -> dict[str, Any]:
        """Return the proof as the `range` line of an export, in JSON types; hashes in hexadecimal."""
        return {
            "type": "range",
            "first": self.first,
            "last": self.last,
            "size": self.size,
            "left": [hash.hex() for hash in self.left],
            "right": [hash.hex() for hash in self.right],
        }

    @classmethod
    def from_dict(cls, found: Mapping[str, Any]) -> "RangeProof":
        """Read a `range` line. Raises FormatError."""
        if set(found) != _MEMBERS or found["type"] != "range":
            raise FormatError("it is not a range")
        first, last, size = (found[name] for name in ("first", "last", "size"))
        if any(type(place) is not int for place in (first, last, size)):
            raise FormatError("a place in the range is not a whole number")
        return cls(first, last, size, left=_side(found["left"]), right=_side(found["right"]))


def _side(found: object) -> tuple[bytes, ...]:
    if not isinstance(found, list) or len(found) > _MOST_HASHES:
        raise FormatError("the hashes beside the range are not a list")
    return tuple(hash_from_hex(hash) for hash in found)


def range_proof(nodes: Nodes, first: int, last: int, size: int) -> RangeProof:
    """Return the proof for the leaves `first` to `last` of the tree of `size` leaves."""
    if not 0 <= first <= last < size:
        raise ProofError(f"there is no range {first} to {last} in a tree of {size}")
    return RangeProof(
        first,
        last,
        size,
        tuple(nodes(level, index) for level, index in subtrees(0, first)),
        tuple(nodes(level, index) for level, index in subtrees(last + 1, size)),
    )


def verify_range(proof: RangeProof, leaves: Iterable[bytes], root: bytes) -> None:
    """Raise ProofError unless exactly these hashes of leaves are `first` to `last` of the tree with this root.

    `leaves` is read once, in order, and not kept.
    """
    first, last, size = proof.first, proof.last, proof.size
    if not 0 <= first <= last < size:
        raise ProofError(f"there is no range {first} to {last} in a tree of {size}")
    filled = _Filling()
    filled.put_all(subtrees(0, first), proof.left)
    index = first
    for leaf in leaves:
        if index > last:
            raise ProofError("there are more leaves than the range has")
        filled.put(0, index, leaf)
        index += 1
    if index != last + 1:
        raise ProofError("there are fewer leaves than the range has")
    filled.put_all(subtrees(last + 1, size), proof.right)
    if fold([hash for _, _, hash in filled.nodes]) != root:
        raise ProofError("the range leads to another root")


class _Filling:
    """Complete subtrees from left to right; two of one level under one node become that node."""

    def __init__(self) -> None:
        self.nodes: list[tuple[int, int, bytes]] = []

    def put_all(self, places: Iterable[tuple[int, int]], hashes: Sequence[bytes]) -> None:
        wanted = list(places)
        if len(wanted) != len(hashes):
            raise ProofError("the number of hashes beside the range is wrong")
        for (level, index), hash in zip(wanted, hashes, strict=True):
            self.put(level, index, hash)

    def put(self, level: int, index: int, hash: bytes) -> None:
        if len(hash) != HASH_SIZE:
            raise ProofError("a hash does not have 32 bytes")
        nodes = self.nodes
        while index & 1 and nodes and nodes[-1][0] == level:
            hash = node_hash(nodes.pop()[2], hash)
            level, index = level + 1, index >> 1
        nodes.append((level, index, hash))
