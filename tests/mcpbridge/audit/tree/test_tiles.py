import random

import pytest

from mcpbridge.audit.tree.errors import FormatError, ProofError
from mcpbridge.audit.tree.merkle import CompactRange, leaf_hash, node_hash
from mcpbridge.audit.tree.proofs import compact_range, consistency_proof, inclusion_proof, nodes_of
from mcpbridge.audit.tree.tiles import (
    Tile,
    entries_path,
    extend_tiles,
    parse_tile_path,
    tile_nodes,
    tile_path,
    tile_width,
    tiles_of,
)

MANY = [leaf_hash(number.to_bytes(4, "big")) for number in range(70_000)]


def _stored(sizes: list[int]) -> dict[Tile, bytes]:
    """Tiles of a tree that grew through these sizes."""
    kept: dict[Tile, bytes] = {}
    reached = 0
    for size in sizes:
        kept.update(extend_tiles(_reader(kept), reached, MANY[reached:size]))
        reached = size
    return kept


def _reader(kept: dict[Tile, bytes]):
    return lambda level, number: kept.get(Tile(level, number), b"")


@pytest.mark.parametrize("size", [0, 1, 255, 256, 257, 511, 512, 65_535, 65_536, 65_537, 70_000])
def test_tiles_of_a_tree_have_the_widths_of_their_size_and_its_root(size):
    kept, growing = _stored([size]), CompactRange()
    growing.extend(MANY[:size])
    assert {tile: len(hashes) // 32 for tile, hashes in kept.items()} == dict(tiles_of(size))
    assert all(tile_width(tile, size) == width for tile, width in tiles_of(size))
    assert compact_range(tile_nodes(_reader(kept)), size) == growing


def test_tiles_that_grew_step_by_step_are_those_that_were_made_at_once():
    steps = sorted(random.Random(7).sample(range(1, 70_000), 40))
    assert _stored([*steps, 70_000]) == _stored([70_000])


def test_only_tiles_that_change_are_written():
    kept = _stored([65_536 + 300])
    changed = dict(extend_tiles(_reader(kept), 65_836, MANY[65_836:65_840]))
    assert set(changed) == {Tile(0, 257)}
    assert len(changed[Tile(0, 257)]) == (300 - 256 + 4) * 32


def test_a_longer_tile_in_the_table_is_cut_to_the_tree_that_is_continued():
    kept = _stored([200])
    other = [MANY[0]] * 30
    changed = dict(extend_tiles(_reader(kept), 100, other))
    assert changed == {Tile(0, 0): b"".join([*MANY[:100], *other])}


def test_proofs_from_tiles_are_those_from_leaves():
    size = 66_000
    tiled, plain = tile_nodes(_reader(_stored([size]))), nodes_of(MANY)
    for index in (0, 255, 256, 65_535, 65_536, 65_999):
        assert inclusion_proof(tiled, index, size) == inclusion_proof(plain, index, size)
    for older in (1, 256, 65_536, 65_990, 66_000):
        assert consistency_proof(tiled, older, size) == consistency_proof(plain, older, size)


def test_a_proof_needs_no_more_than_five_tiles():
    kept, read = _stored([70_000]), []

    def reader(level: int, number: int) -> bytes:
        read.append((level, number))
        return kept[Tile(level, number)]

    inclusion_proof(tile_nodes(reader), 12_345, 70_000)
    assert len(read) <= 5
    assert len(read) == len(set(read))


def test_a_missing_or_short_tile_is_no_proof():
    kept = _stored([600])
    for hashes in (b"", kept[Tile(0, 2)][:-32], kept[Tile(0, 2)][:-1]):
        with pytest.raises(ProofError):
            inclusion_proof(tile_nodes(_reader({**kept, Tile(0, 2): hashes})), 0, 600)
    with pytest.raises(ProofError):
        list(extend_tiles(_reader({}), 10, MANY[10:11]))


def test_paths_are_those_of_the_specification():
    assert tile_path(Tile(0, 1_234_067)) == "tile/0/x001/x234/067"
    assert tile_path(Tile(1, 5), 17) == "tile/1/005.p/17"
    assert entries_path(1_000) == "tile/entries/x001/000"
    for tile in (Tile(0, 0), Tile(3, 999), Tile(7, 1_000), Tile(0, 1_234_067)):
        for width in (1, 255, 256):
            assert parse_tile_path(tile_path(tile, width)) == (tile, tile.number, width)
    assert parse_tile_path(entries_path(12, 3)) == (None, 12, 3)


@pytest.mark.parametrize(
    "path",
    [
        "",
        "tile/0/1",
        "tile/0/x000/001",
        "tile/0/001/",
        "tile/0/001.p/0",
        "tile/0/001.p/256",
        "tile/0/001.p/01",
        "tile/8/000",
        "tile/00/000",
        "tile/-1/000",
        "tile/entries/../000",
        "/tile/0/000",
        "tile/0/000\n",
        "tile/0/" + "x001/" * 6 + "000",
        "tile/0/٠٠١",
    ],
)
def test_other_paths_are_refused(path):
    with pytest.raises(FormatError):
        parse_tile_path(path)


def test_upper_tiles_hold_the_roots_of_full_tiles():
    kept = _stored([512])
    hashes = MANY[256:512]
    while len(hashes) > 1:
        hashes = [node_hash(*pair) for pair in zip(hashes[::2], hashes[1::2], strict=True)]
    assert kept[Tile(1, 0)][32:64] == hashes[0]
