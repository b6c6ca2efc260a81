"""Store the tiles of a log's tree, and read nodes from them.

Tiles are not believed: what is read from them counts only if it leads to a signed root. Tiles that do not are made
again from the rows.
"""

from collections.abc import Iterable, Iterator
from itertools import islice

from mcpbridge.audit.tree.errors import ProofError
from mcpbridge.audit.tree.merkle import CompactRange, leaf_hash
from mcpbridge.audit.tree.proofs import Nodes, compact_range
from mcpbridge.audit.tree.tiles import LEVELS, WIDTH, Tile, TileReader, extend_tiles, tile_nodes
from mcpbridge.models import AuditEvent, AuditTile

_HASHES_AT_ONCE = 5_000
_TILES_AT_ONCE = 200
_HASH_SIZE = 32


def tile_reader(alias: str, org_id: str) -> TileReader:
    """Return a reader of the workspace's tiles, one indexed query each; an unknown tile is empty."""

    def read(level: int, number: int) -> bytes:
        tiles = AuditTile.objects.using(alias).filter(org_id=org_id, level=level, number=number)
        return bytes(tiles.values_list("hashes", flat=True).first() or b"")

    return read


def stored_nodes(alias: str, org_id: str) -> Nodes:
    """Return the nodes of the workspace's tree, each tile read once; they are not believed."""
    return tile_nodes(tile_reader(alias, org_id))


def stored_size(alias: str, org_id: str) -> int:
    """Return how many leaves the stored tiles have."""
    tiles = AuditTile.objects.using(alias).filter(org_id=org_id, level=0).order_by("-number")
    last = tiles.values_list("number", "hashes").first()
    return 0 if last is None else last[0] * WIDTH + len(last[1]) // _HASH_SIZE


def stored_range(alias: str, org_id: str, size: int, root: bytes) -> CompactRange | None:
    """Return the compact range of the first `size` leaves if the tiles lead to the signed `root`, else None."""
    try:
        found = compact_range(stored_nodes(alias, org_id), size)
    except ProofError:
        return None
    return found if found.root() == root else None


def extend_stored(alias: str, org_id: str, *, first: int, to: CompactRange) -> bool:
    """Extend the tiles to the size of a tree, from the hashes of the rows; leaf 0 is row `first`.

    Return whether the tiles lead to the root of the tree now. Within the caller's transaction.
    """
    # A tree does not shrink: longer tiles were left by a restored database, or inserted into the database.
    size = min(stored_size(alias, org_id), to.size)
    leaves = stored_leaves(alias, org_id, first + size, first + to.size)
    try:
        changed = dict(extend_tiles(tile_reader(alias, org_id), size, leaves))
    except ProofError:
        return False
    _store(alias, org_id, changed)
    return stored_range(alias, org_id, to.size, to.root()) is not None


def rebuild(alias: str, org_id: str, *, first: int, to: CompactRange) -> bool:
    """Make the tiles again from the rows that are there, below them from the old tiles; then as `extend_stored`."""
    rows = AuditEvent.objects.using(alias).filter(org_id=org_id, sequence__gte=first)
    kept = rows.order_by("sequence").values_list("sequence", flat=True).first()
    truncate(alias, org_id, (kept or first) - first)
    return extend_stored(alias, org_id, first=first, to=to)


def store_tree(alias: str, org_id: str, leaves: Iterable[bytes]) -> None:
    """Replace all tiles by those of the tree with these hashes of leaves, within the caller's transaction."""
    AuditTile.objects.using(alias).filter(org_id=org_id).delete()
    changed = extend_tiles(tile_reader(alias, org_id), 0, leaves)
    while part := dict(islice(changed, _TILES_AT_ONCE)):
        _store(alias, org_id, part)


def truncate(alias: str, org_id: str, size: int) -> None:
    """Remove what tiles hold behind the first `size` leaves."""
    tiles = AuditTile.objects.using(alias).filter(org_id=org_id)
    for level in range(LEVELS):
        hashes = size >> (8 * level)
        tiles.filter(level=level, number__gte=-(-hashes // WIDTH)).delete()
        if kept := hashes % WIDTH:
            for tile in tiles.filter(level=level, number=hashes // WIDTH):
                tile.hashes = bytes(tile.hashes)[: kept * _HASH_SIZE]
                tile.save(using=alias, update_fields=["hashes"])


def stored_leaves(alias: str, org_id: str, begin: int, end: int) -> Iterator[bytes]:
    """Yield the hashes of the leaves of rows `begin` to `end` - 1. Raises ProofError if one is missing."""
    while begin < end:
        rows = AuditEvent.objects.using(alias).filter(org_id=org_id, sequence__gte=begin, sequence__lt=end)
        hashes = list(rows.order_by("sequence").values_list("sequence", "hash")[:_HASHES_AT_ONCE])
        if not hashes or hashes[0][0] != begin or hashes[-1][0] != begin + len(hashes) - 1:
            raise ProofError("a row of the tree is missing")
        for _, hash in hashes:
            yield leaf_hash(bytes.fromhex(hash))
        begin += len(hashes)


def _store(alias: str, org_id: str, changed: dict[Tile, bytes]) -> None:
    tiles = [AuditTile(org_id=org_id, level=tile.level, number=tile.number, hashes=changed[tile]) for tile in changed]
    AuditTile.objects.using(alias).bulk_create(
        tiles,
        batch_size=_TILES_AT_ONCE,
        update_conflicts=True,
        unique_fields=["org_id", "level", "number"],
        update_fields=["hashes"],
    )
