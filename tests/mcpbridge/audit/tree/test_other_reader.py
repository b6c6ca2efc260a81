"""Another implementation, tlog-scales, reads what we write: keys, notes, cosignatures, proofs and tiles."""

import pytest
from tlog_scales.reader import TilesReader
from tlog_scales.signing import Vkey, VkeySet
from tlog_scales.tlog import Checkpoint, ConsistencyProof, InclusionProof

from mcpbridge.audit.signing import key_pair
from mcpbridge.audit.tree.checkpoints import TreeHead
from mcpbridge.audit.tree.merkle import leaf_hash, root_of
from mcpbridge.audit.tree.notes import COSIGNATURE, cosignature_line, key_named
from mcpbridge.audit.tree.origins import Origin
from mcpbridge.audit.tree.proofs import consistency_proof, inclusion_proof
from mcpbridge.audit.tree.tiles import (
    WIDTH,
    Tile,
    bundle,
    entries_path,
    extend_tiles,
    tile_nodes,
    tile_path,
    tile_width,
    tiles_of,
)

LOG, WITNESS = key_pair("the log"), key_pair("a witness")
ORIGIN = str(Origin("logs.example.com", "org-1"))
SIZE, OLDER = 66_100, 65_700
ENTRIES = [leaf_hash(number.to_bytes(4, "big")) for number in range(SIZE)]
LEAVES = [leaf_hash(entry) for entry in ENTRIES]
TILES = dict(extend_tiles(lambda level, number: b"", 0, LEAVES))
NODES = tile_nodes(lambda level, number: TILES[Tile(level, number)])
HEAD = TreeHead(ORIGIN, SIZE, root_of(LEAVES))
NOTE = HEAD.signed(LOG) + str(
    cosignature_line(HEAD.text, name="witness.example", signer=WITNESS, seconds=1_800_000_000)
)


class _Served:
    """The addresses of a log, as its reader asks for them."""

    def __init__(self) -> None:
        self.paths = {tile_path(tile, width): TILES[tile] for tile, width in tiles_of(SIZE)}
        self.paths["checkpoint"] = NOTE.encode()
        for number in (0, 258):
            width = tile_width(Tile(0, number), SIZE)
            self.paths[entries_path(number, width)] = bundle(ENTRIES[number * WIDTH : number * WIDTH + width])

    def get(self, *path: str) -> bytes | None:
        return self.paths.get("/".join(path))


def test_it_verifies_our_note_and_the_cosignature_with_our_keys():
    log = Vkey.from_string(str(key_named(ORIGIN, LOG)))
    witness = Vkey.from_string(str(key_named("witness.example", WITNESS, kind=COSIGNATURE)))
    read = Checkpoint.from_text(NOTE)
    assert (read.origin, read.size, read.root_hash) == (ORIGIN, SIZE, HEAD.root)
    assert {key.name for key, _ in VkeySet(log, witness).verify(read.signatures, read)} == {ORIGIN, "witness.example"}


def test_it_reads_our_tiles_and_finds_our_root_and_entries():
    reader = TilesReader(_Served())
    assert reader.get_checkpoint().root_hash == reader.calculate_root_hash() == HEAD.root
    assert [reader.get_entry(index) for index in (0, 255, SIZE - 1)] == [ENTRIES[0], ENTRIES[255], ENTRIES[-1]]


@pytest.mark.parametrize("index", [0, 255, 256, 65_535, 65_536, SIZE - 1])
def test_it_makes_and_accepts_the_same_inclusion_proofs(index):
    reader = TilesReader(_Served())
    reader.get_checkpoint()
    made = inclusion_proof(NODES, index, SIZE)
    assert reader.get_inclusion_proof(index, SIZE).node_hashes == made
    InclusionProof(index, SIZE, made).check(LEAVES[index], HEAD.root)


def test_it_makes_and_accepts_the_same_consistency_proof():
    reader = TilesReader(_Served())
    reader.get_checkpoint()
    made = consistency_proof(NODES, OLDER, SIZE)
    assert reader.get_consistency_proof(OLDER, SIZE).node_hashes == made
    ConsistencyProof(OLDER, SIZE, made).check(root_of(LEAVES[:OLDER]), HEAD.root)
