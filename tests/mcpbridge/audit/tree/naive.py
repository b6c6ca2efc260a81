"""The tree of RFC 9162, section 2.1, word for word and without care for speed, to compare with."""

import hashlib
from collections.abc import Sequence


def split(size: int) -> int:
    """The largest power of two below `size`."""
    power = 1
    while 2 * power < size:
        power *= 2
    return power


def leaf(entry: bytes) -> bytes:
    return hashlib.sha256(b"\x00" + entry).digest()


class NaiveTree:
    """A tree over the hashes of leaves; roots of [begin, end) are remembered."""

    def __init__(self, leaves: Sequence[bytes]) -> None:
        self.leaves = leaves
        self._roots: dict[tuple[int, int], bytes] = {}

    def root(self, begin: int, end: int) -> bytes:
        if begin == end:
            return hashlib.sha256(b"").digest()
        if end - begin == 1:
            return self.leaves[begin]
        if (begin, end) not in self._roots:
            middle = begin + split(end - begin)
            both = self.root(begin, middle) + self.root(middle, end)
            self._roots[begin, end] = hashlib.sha256(b"\x01" + both).digest()
        return self._roots[begin, end]

    def path(self, index: int, begin: int, end: int) -> list[bytes]:
        """PATH(index, D[begin:end]), where `index` counts from `begin`."""
        if end - begin == 1:
            return []
        middle = begin + split(end - begin)
        if index < middle - begin:
            return [*self.path(index, begin, middle), self.root(middle, end)]
        return [*self.path(index - (middle - begin), middle, end), self.root(begin, middle)]

    def proof(self, older: int, newer: int) -> list[bytes]:
        """PROOF(older, D[:newer])."""
        return self._subproof(older, 0, newer, is_root_known=True)

    def _subproof(self, older: int, begin: int, end: int, *, is_root_known: bool) -> list[bytes]:
        size = end - begin
        if older == size:
            return [] if is_root_known else [self.root(begin, end)]
        middle = begin + split(size)
        if older <= middle - begin:
            return [*self._subproof(older, begin, middle, is_root_known=is_root_known), self.root(middle, end)]
        rest = self._subproof(older - (middle - begin), middle, end, is_root_known=False)
        return [*rest, self.root(begin, middle)]


def path_shape(index: int, size: int) -> str:
    """On which side each hash of an inclusion proof is put; trees in which it is the same share their proofs."""
    if size == 1:
        return ""
    half = split(size)
    return path_shape(index, half) + "r" if index < half else path_shape(index - half, size - half) + "l"


def proof_shape(older: int, newer: int) -> str:
    """The same of a consistency proof, which begins at the older root if that is a whole subtree."""
    if older == newer:
        return "="
    half = split(newer)
    return proof_shape(older, half) + "r" if older <= half else _inner_shape(older - half, newer - half) + "l"


def _inner_shape(older: int, newer: int) -> str:
    return "+" if older == newer else proof_shape(older, newer).replace("=", "+")


LEAVES = tuple(leaf(bytes([number])) for number in range(130))
TREE = NaiveTree(LEAVES)
