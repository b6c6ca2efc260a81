"""Keep the nodes of a tree in tiles of 256 hashes (C2SP tlog-tiles), and read nodes for proofs from them.

Tile N of level 0 has the hashes of the leaves 256 N to 256 N + 255, tile N of level L the roots of the full tiles
256 N to 256 N + 255 of level L - 1. The last tile of a level is partial: `width` hashes of 32 bytes. Tiles are not
believed: a proof made from them is verified before it is used.
"""

import re
from collections.abc import Callable, Iterable, Iterator
from functools import lru_cache
from typing import NamedTuple

from mcpbridge.audit.tree.encoding import decimal
from mcpbridge.audit.tree.errors import FormatError, ProofError
from mcpbridge.audit.tree.merkle import HASH_SIZE, node_hash
from mcpbridge.audit.tree.proofs import Nodes

WIDTH = 256
LEVELS = 8
_BITS = 8
_PATH = re.compile(
    r"tile/(entries|[0-7])/((?:x[0-9]{3}/){0,5}[0-9]{3})(?:\.p/([1-9][0-9]?|1[0-9]{2}|2[0-4][0-9]|25[0-5]))?"
)


class Tile(NamedTuple):
    """The address of a tile."""

    level: int
    number: int


# The hashes of a tile, joined; shorter than 256 × 32 bytes if the tile is partial, empty if it is unknown.
TileReader = Callable[[int, int], bytes]


def tile_path(tile: Tile, width: int = WIDTH) -> str:
    """Return the path of a tile below the address of its log: `tile/0/x001/234`, partial ones with `.p/<width>`."""
    return _path(str(tile.level), tile.number, width)


def entries_path(number: int, width: int = WIDTH) -> str:
    """Return the path of a bundle of 256 entries below the address of its log."""
    return _path("entries", number, width)


def _path(kind: str, number: int, width: int) -> str:
    groups = [f"{number % 1000:03}"]
    while number := number // 1000:
        groups.insert(0, f"x{number % 1000:03}")
    return f"tile/{kind}/{'/'.join(groups)}" + ("" if width == WIDTH else f".p/{width}")


def parse_tile_path(path: str) -> tuple[Tile | None, int, int]:
    """Return the tile of a path (None for a bundle of entries), its number and its width. Raises FormatError."""
    found = _PATH.fullmatch(path)
    if found is None:
        raise FormatError("it is not the path of a tile")
    number = int(re.sub(r"[x/]", "", found[2]))
    width = decimal(found[3]) if found[3] else WIDTH
    # A full tile has no width in its path, and the number has one spelling.
    if _path(found[1], number, width) != path:
        raise FormatError("it is not the path of a tile")
    return None if found[1] == "entries" else Tile(int(found[1]), number), number, width


def bundle(entries: Iterable[bytes]) -> bytes:
    """Return entries as a bundle: each behind its length as a 16-bit big-endian number."""
    return b"".join(len(entry).to_bytes(2, "big") + entry for entry in entries)


def tile_width(tile: Tile, size: int) -> int:
    """Return how many hashes the tile has in a tree of `size` leaves: 0 to 256."""
    return max(0, min(WIDTH, (size >> (_BITS * tile.level)) - tile.number * WIDTH))


def tiles_of(size: int) -> Iterator[tuple[Tile, int]]:
    """Yield the address and width of each tile of a tree of `size` leaves, level by level."""
    for level in range(LEVELS):
        hashes = size >> (_BITS * level)
        for number in range(-(-hashes // WIDTH)):
            yield Tile(level, number), min(WIDTH, hashes - number * WIDTH)


def tile_nodes(read: TileReader) -> Nodes:
    """Return the nodes that tiles hold, each tile read once. A missing one raises ProofError when it is needed."""
    cached = lru_cache(maxsize=64)(read)

    def node(level: int, index: int) -> bytes:
        tiled, inner = divmod(level, _BITS)
        begin = index << inner
        return _root_in(cached(tiled, begin // WIDTH), begin % WIDTH, 1 << inner)

    return node


def _root_in(hashes: bytes, begin: int, count: int) -> bytes:
    found = [hashes[at : at + HASH_SIZE] for at in range(begin * HASH_SIZE, (begin + count) * HASH_SIZE, HASH_SIZE)]
    if len(found[-1]) != HASH_SIZE:
        raise ProofError("a tile is missing or too short")
    while len(found) > 1:
        found = [node_hash(left, right) for left, right in zip(found[::2], found[1::2], strict=True)]
    return found[0]


def extend_tiles(read: TileReader, size: int, leaves: Iterable[bytes]) -> Iterator[tuple[Tile, bytes]]:
    """Yield the tiles that change when hashes of leaves are appended to a tree of `size`, with their new hashes.

    A tile comes once, when it is full or last; only the partial tiles of the old tree are read. Raises ProofError if
    one of them is shorter than the tree.
    """
    growing = [_Growing(level, size >> (_BITS * level), read) for level in range(LEVELS)]
    for leaf in leaves:
        hash: bytes | None = leaf
        for each in growing:
            if hash is None:
                break
            full = each.append(hash)
            hash = _root_in(full[1], 0, WIDTH) if full else None
            if full:
                yield full
    for each in growing:
        if each.is_changed:
            yield each.tile, bytes(each.hashes)


class _Growing:
    """The last tile of a level."""

    def __init__(self, level: int, hashes: int, read: TileReader) -> None:
        self.tile = Tile(level, hashes // WIDTH)
        self.hashes = bytearray()
        self.is_changed = False
        self._kept, self._read = hashes % WIDTH, read

    def append(self, hash: bytes) -> tuple[Tile, bytes] | None:
        """Append a hash; return the tile if it is full now, and begin the next one."""
        if self._kept:
            found = self._read(*self.tile)[: self._kept * HASH_SIZE]
            if len(found) != self._kept * HASH_SIZE:
                raise ProofError("a tile is missing or too short")
            self.hashes, self._kept = bytearray(found), 0
        self.hashes += hash
        self.is_changed = True
        if len(self.hashes) < WIDTH * HASH_SIZE:
            return None
        full = self.tile, bytes(self.hashes)
        self.tile = Tile(self.tile.level, self.tile.number + 1)
        self.hashes, self.is_changed = bytearray(), False
        return full
