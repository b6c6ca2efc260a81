"""The published example of `docs/audit-format.md`: three rows, their tree, its checkpoint and its proofs."""

import base64

import pytest

from mcpbridge.audit.hashchain import canonical, row_hash
from mcpbridge.audit.signing import is_signed, key_pair
from mcpbridge.audit.tree.checkpoints import open_checkpoint
from mcpbridge.audit.tree.merkle import CompactRange, leaf_hash, root_of
from mcpbridge.audit.tree.notes import key_named
from mcpbridge.audit.tree.origins import Origin
from mcpbridge.audit.tree.proof_files import ProofFile
from mcpbridge.audit.tree.proofs import (
    consistency_proof,
    inclusion_proof,
    nodes_of,
    verify_consistency,
    verify_inclusion,
)
from mcpbridge.audit.tree.sealed import commitment, commitments, salts
from mcpbridge.audit.tree.statements import CheckpointStatement

KEY = key_pair("hoursmith evidence example")
WORKSPACE = "0b6f1c52-9a3e-4a0f-8f1d-2d6f0f9c7a11"
ORIGIN = str(Origin("audit.example.com", WORKSPACE))
HASHES = [
    "01e0aa7b381bfcc94213991a42b1b2ae71377958ccdf74ff39fd1b6d93088faa",
    "fbb10d0eb997c4735c85c82d515cbd55acbde3fa9148608c1eff8b2f990c1647",
    "b8294ab8ff25376c32e34bf1a27feb2f2b68b7314e1592a21a0c64c9c46d185c",
]
LEAVES = [leaf_hash(bytes.fromhex(hash)) for hash in HASHES]
ROOTS = [
    "NXHanBQIAuuZOWdHxm4XxPt5EXMXT2EVVaMr6Yo9kqA=",
    "sJfbVWyP5A34KEWiuJuwAPjmJwSmh72ntJS04wdRgbg=",
    "150vcdmtpq0BlpNainWcwZP63JulDCuySPcv0TlBI7c=",
]
SEAL = bytes(range(32))
ROW = {
    "at": "2026-11-23T11:00:00.000000Z",
    "call_id": "0199f3c2-7d3b-7c11-8a55-2d0c5a7be000",
    "client_name": "",
    "client_version": "",
    "code": "",
    "connection": "",
    "duration_ms": None,
    "env": "live",
    "epoch": 1,
    "format": "hoursmith-audit-2",
    "id": "0199f3c2-7d3b-7c11-8a55-2d0c5a7be001",
    "kind": "console",
    "org_name": "Studio Nord",
    "phase": "event",
    "prefix": "",
    "protocol": "",
    "recorded_at": "2026-11-23T11:00:00.000000Z",
    "request_id": "r-3",
    "result": "succeeded",
    "role": "OWNER",
    "sealed": {
        "actor": "5d60593ee5e13d22d683686c552bd3926442477ff743bbd05ec2f6ee774e1a5a",
        "address": "7a4001a0684e99f0a967e2923f88fc386a2db1915a39ab2a965fe7249538e10a",
        "arguments": "a9b90952bdb5de92caa4c5c3d063b5a81bbacf0129e11faa8d1b4cca13b544fe",
        "note": "0af5ef33d2f999c267d815e376c200c6ab31c13ebb31f2b8a03f20fa530ca778",
        "snapshot": "7fcb6e776b2896fa219051f6dd256f5b002fde55d8417ce5fd87da5385fdf618",
        "target_label": "efe29ad4ca9994631fb0ed013397a1da505016ebda8c8978daee28b697bb2f5e",
        "token_name": "1008df1620cb4a38a5743d2d2c28709d00eed6d48ddfb5636afb42eac804688d",
    },
    "sequence": 3,
    "snapshot_fault": "",
    "status": None,
    "target_id": "",
    "target_type": "audit_record",
    "tool": "console.audit_export",
    "transport": "http",
    "workspace": WORKSPACE,
}
STATEMENT = CheckpointStatement(
    ORIGIN,
    sequence=3,
    hash=HASHES[2],
    root="d79d2f71d9ada6ad0196935a8a759cc193fadc9ba50c2bb248f72fd1394123b7",
    at="2026-11-23T11:15:00.000000Z",
)
MESSAGE = (
    b'{"at":"2026-11-23T11:15:00.000000Z","epoch":1,"first":1,"format":"hoursmith-checkpoint-2","hash":'
    b'"b8294ab8ff25376c32e34bf1a27feb2f2b68b7314e1592a21a0c64c9c46d185c","origin":"audit.example.com/'
    b'0b6f1c52-9a3e-4a0f-8f1d-2d6f0f9c7a11/1","root":'
    b'"d79d2f71d9ada6ad0196935a8a759cc193fadc9ba50c2bb248f72fd1394123b7","sequence":3,"workspace":'
    b'"0b6f1c52-9a3e-4a0f-8f1d-2d6f0f9c7a11"}'
)
SIGNATURE = "r5z7V52aeHyfNszbXsTcSmQdct7zOfbmhqbbXmOPjQYdLAF2LgBne2D3HzQIRnHpvz/HXlwAzTPHGLAOU77uBg=="
NOTE = (
    "audit.example.com/0b6f1c52-9a3e-4a0f-8f1d-2d6f0f9c7a11/1\n3\n150vcdmtpq0BlpNainWcwZP63JulDCuySPcv0TlBI7c=\n\n"
    "\u2014 audit.example.com/0b6f1c52-9a3e-4a0f-8f1d-2d6f0f9c7a11/1 W0SxVzcSq56l6EdyzBNzXNGAfkZwRHn06FrY2GIIvt7Jgu4z"
    "PvLJLq2kMh8zCvKd+GpGTG8C6dnapoz0oAFtCeYMNQk=\n"
)
VKEY = "audit.example.com/0b6f1c52-9a3e-4a0f-8f1d-2d6f0f9c7a11/1+5b44b157+AX0CtQdzWk/NQ3gPqETtT6DgodbzcEZrXjbJmbO/LXsI"
PROOF = f"c2sp.org/tlog-proof@v1\nindex 2\nsJfbVWyP5A34KEWiuJuwAPjmJwSmh72ntJS04wdRgbg=\n\n{NOTE}"
CONSISTENCY = ["+T6ePeuGd5inZE0CGPO/mnKfxO7bonSseEV2Xm1WIR4="]


def _coded(hashes: list[bytes]) -> list[str]:
    return [base64.b64encode(hash).decode() for hash in hashes]


def test_the_sealed_members_have_the_published_salt_and_commitments():
    shown = {
        "actor": "ana@studio-nord.example",
        "address": "127.0.0.1",
        "arguments": {"rows": 2},
        "note": "for the auditor",
        "snapshot": None,
        "target_label": "rows 1 to 2",
        "token_name": "",
    }
    salt = salts(SEAL)["arguments"]
    assert salt.hex() == "7314a8a09fd7df63ed2e198a8e7e9f8e68b0bf1b00ea2899fc51354f544e4e3b"
    assert commitment("arguments", salt, {"rows": 2}) == ROW["sealed"]["arguments"]
    assert commitments(SEAL, {name: canonical(value) for name, value in shown.items()}) == ROW["sealed"]


def test_the_row_of_format_2_has_the_published_hash():
    assert row_hash(canonical(ROW), HASHES[1]) == HASHES[2]


def test_the_trees_have_the_published_roots():
    assert _coded([root_of(LEAVES[:size]) for size in (1, 2, 3)]) == ROOTS
    growing = CompactRange()
    growing.extend(LEAVES)
    assert growing.root().hex() == STATEMENT.root


def test_the_statement_is_the_published_message_and_signature():
    assert STATEMENT.message == MESSAGE
    assert KEY.sign(STATEMENT.message) == SIGNATURE
    assert is_signed(KEY.public_key, STATEMENT.message, SIGNATURE)


def test_the_note_is_the_published_one_and_opens_with_the_published_key():
    assert STATEMENT.head.signed(KEY) == NOTE
    key = key_named(ORIGIN, KEY)
    assert str(key) == VKEY
    opened = open_checkpoint(NOTE, key)
    STATEMENT.refuse_other(opened.head)


def test_the_published_proofs_are_made_and_verify():
    nodes, (_, older, newer) = nodes_of(LEAVES), [root_of(LEAVES[:size]) for size in (1, 2, 3)]
    made = inclusion_proof(nodes, 2, 3)
    assert str(ProofFile(2, tuple(made), NOTE)) == PROOF
    read = ProofFile.parse(PROOF)
    verify_inclusion(index=read.index, size=3, leaf=LEAVES[2], proof=read.proof, root=newer)
    assert _coded(consistency_proof(nodes, 2, 3)) == CONSISTENCY
    verify_consistency(
        older=2, newer=3, older_root=older, newer_root=newer, proof=[base64.b64decode(hash) for hash in CONSISTENCY]
    )


@pytest.mark.parametrize("size", [1, 2, 3])
def test_the_head_of_a_statement_has_the_size_of_its_rows(size):
    made = CheckpointStatement(ORIGIN, sequence=size, hash=HASHES[size - 1], root="ab" * 32, at=STATEMENT.at)
    assert made.head.size == size
    behind = str(Origin("audit.example.com", WORKSPACE, first=size))
    assert CheckpointStatement(behind, size, made.hash, made.root, made.at).head.size == 1
