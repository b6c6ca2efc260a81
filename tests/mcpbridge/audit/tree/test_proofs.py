"""Every tree up to 130 leaves against the naive one, and the rules of the published cases against forged proofs."""

import hashlib
from collections.abc import Callable, Iterator
from dataclasses import replace
from typing import Any

import pytest

from mcpbridge.audit.tree.errors import FormatError, ProofError
from mcpbridge.audit.tree.merkle import EMPTY_ROOT, CompactRange, leaf_hash, root_of
from mcpbridge.audit.tree.proofs import (
    compact_range,
    consistency_proof,
    inclusion_proof,
    nodes_of,
    verify_consistency,
    verify_inclusion,
)
from mcpbridge.audit.tree.ranges import RangeProof, range_proof, verify_range
from tests.mcpbridge.audit.tree.naive import LEAVES, TREE, NaiveTree, path_shape, proof_shape

MOST = len(LEAVES)
NODES = nodes_of(LEAVES)
# The leaves and roots that implementations of Certificate Transparency test with.
EIGHT = ["", "00", "10", "2021", "3031", "40414243", "5051525354555657", "606162636465666768696a6b6c6d6e6f"]
ROOTS = [
    "e3b0c44298fc1c149afbf4c8996fb92427ae41e4649b934ca495991b7852b855",
    "6e340b9cffb37a989ca544e6bb780a2c78901d3fb33738768511a30617afa01d",
    "fac54203e7cc696cf0dfcb42c92a1d9dbaf70ad9e621f4bd8d98662f00e3c125",
    "aeb6bcfe274b70a14fb067a5e5578264db0fa9b51af5e0ba159158f329e06e77",
    "d37ee418976dd95753c1c73862b9398fa2a2cf9b4ff0fdfe8b30cd95209614b7",
    "4e3bbb1f7b478dcfe71fb631631519a3bca12c9aefca1612bfce4c13a86264d4",
    "76e67dadbcdf1e10e1b74ddc608abd2f98dfb16fbce75277b5232a127f2087ef",
    "ddb89be403809e325750d3d263cd78929c2942b7942a34b77e122c9594a74c8c",
    "5dc9da79a70659a9ad559cb701ded9a2ab9d823aad2f4960cfe370eff4604328",
]


def test_the_eight_published_leaves_have_the_published_roots():
    leaves = [leaf_hash(bytes.fromhex(entry)) for entry in EIGHT]
    assert [root_of(leaves[:size]).hex() for size in range(9)] == ROOTS


def test_roots_and_compact_ranges_of_every_tree_agree_with_the_naive_one():
    growing = CompactRange()
    for size in range(MOST + 1):
        assert growing.root() == TREE.root(0, size)
        assert compact_range(NODES, size) == growing
        assert CompactRange(size, growing.nodes).root() == growing.root()
        if size < MOST:
            growing.append(LEAVES[size])


def test_every_inclusion_proof_is_the_naive_one_and_verifies():
    for size in range(1, MOST + 1):
        root = TREE.root(0, size)
        for index in range(size):
            proof = inclusion_proof(NODES, index, size)
            assert proof == TREE.path(index, 0, size)
            verify_inclusion(index=index, size=size, leaf=LEAVES[index], proof=proof, root=root)


def test_every_consistency_proof_is_the_naive_one_and_verifies():
    for newer in range(1, MOST + 1):
        for older in range(1, newer + 1):
            proof = consistency_proof(NODES, older, newer)
            assert proof == TREE.proof(older, newer)
            roots = {"older_root": TREE.root(0, older), "newer_root": TREE.root(0, newer)}
            verify_consistency(older=older, newer=newer, proof=proof, **roots)


def test_every_range_of_smaller_trees_verifies():
    for size in range(1, 40):
        root = TREE.root(0, size)
        for first in range(size):
            for last in range(first, size):
                proof = range_proof(NODES, first, last, size)
                verify_range(proof, LEAVES[first : last + 1], root)
                assert RangeProof.from_dict(proof.as_dict()) == proof


def test_a_range_of_a_million_has_at_most_42_hashes_beside_it():
    most = max(
        len(proof.left) + len(proof.right)
        for first in (1, 333_333, 524_287, 655_359, 699_050)
        for proof in [range_proof(lambda level, index: LEAVES[0], first, first + 10, 1_000_000)]
    )
    assert 20 < most <= 42


# What an inclusion proof is: index, size, leaf, proof and root. Made from it: the kinds of the published cases.
Case = dict[str, Any]
_GARBAGE = hashlib.sha256(b"garbage").digest()
INCLUSION = [(0, 1), (0, 8), (1, 5), (2, 3), (5, 8), (6, 7), (64, 129)]
CONSISTENCY = [(1, 1), (1, 8), (2, 5), (6, 7), (6, 8), (4, 8), (65, 129)]


def _inclusion(index: int, size: int) -> Case:
    tree = {"proof": TREE.path(index, 0, size), "root": TREE.root(0, size)}
    return {"index": index, "size": size, "leaf": LEAVES[index], **tree}


def _consistency(older: int, newer: int) -> Case:
    roots = {"older_root": TREE.root(0, older), "newer_root": TREE.root(0, newer)}
    return {"older": older, "newer": newer, "proof": TREE.proof(older, newer), **roots}


def _other_numbers(case: Case, names: tuple[str, str]) -> Iterator[tuple[str, Case]]:
    first, second = names
    for name in names:
        for change in (-1, 1):
            yield f"{name}{change:+d}", {**case, name: case[name] + change}
        yield f"{name}-xor-2", {**case, name: case[name] ^ 2}
        yield f"{name}-twice", {**case, name: case[name] * 2}
        yield f"{name}-half", {**case, name: case[name] // 2}
        yield f"{name}-negative", {**case, name: -1}
        yield f"{name}-zero", {**case, name: 0}
    yield "swapped-numbers", {**case, first: case[second], second: case[first]}
    yield "both-plus-one", {**case, first: case[first] + 1, second: case[second] + 1}
    yield "huge", {**case, second: case[second] + (1 << 40)}


def _other_proofs(case: Case, roots: tuple[str, ...]) -> Iterator[tuple[str, Case]]:
    proof = case["proof"]
    yield "trailing-garbage", {**case, "proof": [*proof, _GARBAGE]}
    yield "preceding-garbage", {**case, "proof": [_GARBAGE, *proof]}
    yield "empty-hash-behind", {**case, "proof": [*proof, b""]}
    yield "empty-hash-in-front", {**case, "proof": [b"", *proof]}
    yield "truncated", {**case, "proof": proof[:-1]}
    yield "first-removed", {**case, "proof": proof[1:]}
    yield "without-proof", {**case, "proof": []}
    yield "reversed", {**case, "proof": proof[::-1]}
    yield "twice", {**case, "proof": [*proof, *proof]}
    for name in roots:
        yield f"trailing-{name}", {**case, "proof": [*proof, case[name]]}
        yield f"preceding-{name}", {**case, "proof": [case[name], *proof]}
    for at, hash in enumerate(proof):
        for bit in (0, 100, 255):
            flipped = (int.from_bytes(hash, "big") ^ (1 << bit)).to_bytes(32, "big")
            yield f"modified-{at}-bit-{bit}", {**case, "proof": [*proof[:at], flipped, *proof[at + 1 :]]}
        yield f"modified-{at}-short", {**case, "proof": [*proof[:at], hash[:-1], *proof[at + 1 :]]}
        yield f"modified-{at}-long", {**case, "proof": [*proof[:at], hash + b"\x00", *proof[at + 1 :]]}
        yield f"repeated-{at}", {**case, "proof": [*proof[:at], hash, hash, *proof[at + 1 :]]}


def _other_hashes(case: Case, names: tuple[str, str]) -> Iterator[tuple[str, Case]]:
    first, second = names
    for name in names:
        yield f"random-{name}", {**case, name: _GARBAGE}
        yield f"empty-{name}", {**case, name: b""}
        yield f"empty-tree-{name}", {**case, name: EMPTY_ROOT}
        yield f"short-{name}", {**case, name: case[name][:31]}
        yield f"flipped-{name}", {**case, name: bytes([case[name][0] ^ 1]) + case[name][1:]}
    yield "both-empty", {**case, first: b"", second: b""}
    yield f"swapped-{first}-{second}", {**case, first: case[second], second: case[first]}


def _is_refused(verify: Callable[..., None], *args: Any, **kwargs: Any) -> bool:
    try:
        verify(*args, **kwargs)
    except ProofError:
        return True
    return False


def _holds(case: Case, numbers: tuple[int, int]) -> bool:
    """Whether a case made from one with `numbers` is true: some changes change nothing.

    A proof binds the root to the numbers only as far as their shape goes; the checkpoint signs size and root together.
    """
    if "index" in case:
        index, size = case["index"], case["size"]
        is_alike = 0 <= index < size and path_shape(index, size) == path_shape(*numbers)
        return is_alike and {**case, "index": numbers[0], "size": numbers[1]} == _inclusion(*numbers)
    older, newer = case["older"], case["newer"]
    is_alike = 0 < older <= newer and proof_shape(older, newer) == proof_shape(*numbers)
    return is_alike and {**case, "older": numbers[0], "newer": numbers[1]} == _consistency(*numbers)


def test_forged_inclusion_proofs_are_refused():
    refused = 0
    for index, size in INCLUSION:
        case = _inclusion(index, size)
        verify_inclusion(**case)
        for others in (
            _other_numbers(case, ("index", "size")),
            _other_proofs(case, ("root", "leaf")),
            _other_hashes(case, ("leaf", "root")),
        ):
            for name, forged in others:
                if _holds(forged, (index, size)):
                    continue
                assert _is_refused(verify_inclusion, **forged), f"({index}, {size}) {name}"
                refused += 1
    assert refused > 300


def test_forged_consistency_proofs_are_refused():
    refused = 0
    for older, newer in CONSISTENCY:
        case = _consistency(older, newer)
        verify_consistency(**case)
        for others in (
            _other_numbers(case, ("older", "newer")),
            _other_proofs(case, ("older_root", "newer_root")),
            _other_hashes(case, ("older_root", "newer_root")),
        ):
            for name, forged in others:
                if _holds(forged, (older, newer)):
                    continue
                assert _is_refused(verify_consistency, **forged), f"({older}, {newer}) {name}"
                refused += 1
    assert refused > 300


def test_an_empty_tree_proves_nothing():
    nothing: Case = {"proof": [], "older_root": EMPTY_ROOT}
    for newer, root in ((0, EMPTY_ROOT), (5, TREE.root(0, 5))):
        with pytest.raises(ProofError):
            verify_consistency(older=0, newer=newer, newer_root=root, **nothing)
    with pytest.raises(ProofError):
        verify_inclusion(index=0, size=0, leaf=b"", proof=[], root=b"")
    with pytest.raises(ProofError):
        verify_inclusion(index=0, size=1, leaf=b"", proof=[], root=b"")


def test_a_proof_of_another_tree_or_size_is_refused():
    other = NaiveTree([*LEAVES[:6], LEAVES[0], *LEAVES[7:]])
    case = _inclusion(5, 8)
    for forged in ({"proof": other.path(5, 0, 8)}, {"proof": TREE.path(5, 0, 7)}, {"root": other.root(0, 8)}):
        with pytest.raises(ProofError):
            verify_inclusion(**{**case, **forged})


@pytest.mark.parametrize("size", [1, 7, 8, 100])
def test_proofs_of_what_is_not_there_are_not_made(size):
    for make in (
        lambda: inclusion_proof(NODES, size, size),
        lambda: inclusion_proof(NODES, -1, size),
        lambda: consistency_proof(NODES, 0, size),
        lambda: consistency_proof(NODES, size + 1, size),
        lambda: range_proof(NODES, 0, size, size),
        lambda: range_proof(NODES, 1, 0, size),
    ):
        with pytest.raises(ProofError):
            make()


def test_a_compact_range_with_other_nodes_is_refused():
    nodes = compact_range(NODES, 7).nodes
    for size, found in ((7, nodes[:2]), (8, nodes), (-1, nodes), (7, [*nodes[:2], b"short"])):
        with pytest.raises(ProofError):
            CompactRange(size, found)


def _forged_ranges(proof: RangeProof) -> Iterator[tuple[RangeProof, tuple[bytes, ...]]]:
    leaves = LEAVES[proof.first : proof.last + 1]
    yield proof, leaves[:-1]
    yield proof, (*leaves, LEAVES[0])
    yield proof, (leaves[0], *leaves)
    yield proof, (_GARBAGE, *leaves[1:])
    yield proof, (leaves[0][:31], *leaves[1:])
    for change in (
        {"first": proof.first + 1},
        {"first": proof.first - 1},
        {"last": proof.last + 1},
        {"last": proof.last - 1},
        {"size": proof.size * 2},
        {"size": proof.last},
        {"first": proof.last + 1, "last": proof.first},
        {"left": proof.left[:-1]},
        {"left": (*proof.left, _GARBAGE)},
        {"left": proof.left[1:]},
        {"left": (proof.left[0][:31], *proof.left[1:])},
        {"right": proof.right[1:]},
        {"right": (_GARBAGE, *proof.right[1:])},
        {"right": (*proof.right, _GARBAGE)},
        {"left": proof.right, "right": proof.left},
    ):
        yield replace(proof, **change), leaves


@pytest.mark.parametrize(("first", "last", "size"), [(11, 20, 39), (7, 7, 13), (3, 90, 129)])
def test_forged_ranges_are_refused(first, last, size):
    proof, root = range_proof(NODES, first, last, size), TREE.root(0, size)
    verify_range(proof, LEAVES[first : last + 1], root)
    for forged, leaves in _forged_ranges(proof):
        assert _is_refused(verify_range, forged, leaves, root), forged


@pytest.mark.parametrize(
    "change",
    [
        {"type": "other"},
        {"first": "1"},
        {"last": True},
        {"size": 13.0},
        {"left": "ab"},
        {"left": ["ab"]},
        {"right": [None]},
        {"left": ["00" * 32] * 65},
        {"more": 1},
    ],
)
def test_a_range_in_another_format_is_refused(change):
    with pytest.raises(FormatError):
        RangeProof.from_dict({**range_proof(NODES, 7, 7, 13).as_dict(), **change})
