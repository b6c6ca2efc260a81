import pytest
from django.db import transaction

from mcpbridge.audit.log_tree.tiles import (
    extend_stored,
    rebuild,
    stored_leaves,
    stored_nodes,
    stored_range,
    stored_size,
    truncate,
)
from mcpbridge.audit.rows import append_rows, event_row
from mcpbridge.audit.tree.errors import ProofError
from mcpbridge.audit.tree.merkle import CompactRange
from mcpbridge.audit.tree.proofs import inclusion_proof, verify_inclusion
from mcpbridge.models import AuditEvent, AuditTile, Result
from tests.call_records import a_call

pytestmark = pytest.mark.django_db
ALIAS, ORG = "default", "org-1"


def _write(count: int) -> CompactRange:
    rows = [event_row(a_call(), actor="Ana", note="", result=Result.SUCCEEDED) for _ in range(count)]
    with transaction.atomic():
        append_rows(ALIAS, rows)
    return _tree()


def _tree(first: int = 1) -> CompactRange:
    made = CompactRange()
    last = AuditEvent.objects.order_by("-sequence").values_list("sequence", flat=True).first()
    made.extend(stored_leaves(ALIAS, ORG, first, last + 1))
    return made


def test_tiles_grow_with_the_log_and_prove_its_rows():
    for count in (3, 300, 1, 255):
        tree = _write(count)
        assert extend_stored(ALIAS, ORG, first=1, to=tree)
        assert stored_size(ALIAS, ORG) == tree.size
    assert stored_range(ALIAS, ORG, tree.size, tree.root()) == tree
    proof = inclusion_proof(stored_nodes(ALIAS, ORG), 301, tree.size)
    (leaf,) = stored_leaves(ALIAS, ORG, 302, 303)
    verify_inclusion(index=301, size=tree.size, leaf=leaf, proof=proof, root=tree.root())
    assert AuditTile.objects.count() == 4


@pytest.mark.parametrize("change", ["flipped", "removed", "short", "longer", "upper", "laid behind"])
def test_changed_tiles_are_not_believed_and_are_made_again_from_the_rows(change):
    tree = _write(600)
    assert extend_stored(ALIAS, ORG, first=1, to=tree)
    tile = AuditTile.objects.get(level=1, number=0) if change == "upper" else AuditTile.objects.get(level=0, number=2)
    if change == "removed":
        tile.delete()
    elif change == "laid behind":
        AuditTile.objects.create(org_id=ORG, level=0, number=9, hashes=bytes(64))
    else:
        hashes = bytes(tile.hashes)
        tile.hashes = {"short": hashes[:-32], "longer": hashes + bytes(32)}.get(change, bytes(32) + hashes[32:])
        tile.save()
    if change not in ("longer", "laid behind"):
        assert stored_range(ALIAS, ORG, tree.size, tree.root()) is None
        # What is only short grows again.
        assert extend_stored(ALIAS, ORG, first=1, to=tree) == (change in ("short", "removed"))
    assert rebuild(ALIAS, ORG, first=1, to=tree)
    assert stored_size(ALIAS, ORG) == 600
    grown = _write(10)
    assert extend_stored(ALIAS, ORG, first=1, to=grown)


def test_a_changed_tile_in_the_middle_makes_no_valid_proof_until_it_is_made_again():
    tree = _write(600)
    assert extend_stored(ALIAS, ORG, first=1, to=tree)
    AuditTile.objects.filter(level=0, number=1).update(hashes=bytes(256 * 32))
    (leaf,) = stored_leaves(ALIAS, ORG, 301, 302)
    claim = {"index": 300, "size": 600, "leaf": leaf, "root": tree.root()}
    with pytest.raises(ProofError):
        verify_inclusion(proof=inclusion_proof(stored_nodes(ALIAS, ORG), 300, 600), **claim)
    assert rebuild(ALIAS, ORG, first=1, to=tree)
    verify_inclusion(proof=inclusion_proof(stored_nodes(ALIAS, ORG), 300, 600), **claim)


def test_tiles_of_rows_that_are_not_those_of_the_tree_stay_wrong():
    tree = _write(5)
    other = tree.copy()
    other.append(bytes(32))
    _write(1)
    assert not extend_stored(ALIAS, ORG, first=1, to=other)
    assert not rebuild(ALIAS, ORG, first=1, to=other)
    other.append(bytes(32))
    assert not rebuild(ALIAS, ORG, first=1, to=other)


def test_a_tree_can_begin_behind_rows_that_are_gone():
    _write(20)
    tree = _tree(first=8)
    assert extend_stored(ALIAS, ORG, first=8, to=tree)
    assert stored_range(ALIAS, ORG, 13, tree.root()) == tree


def test_tiles_are_cut_to_a_smaller_tree():
    tree = _write(600)
    assert extend_stored(ALIAS, ORG, first=1, to=tree)
    for size in (520, 512, 300, 256, 7, 0):
        truncate(ALIAS, ORG, size)
        assert stored_size(ALIAS, ORG) == size
        smaller = CompactRange()
        smaller.extend(stored_leaves(ALIAS, ORG, 1, size + 1))
        assert stored_range(ALIAS, ORG, size, smaller.root()) == smaller
    assert extend_stored(ALIAS, ORG, first=1, to=tree)


def test_a_missing_row_is_no_leaf():
    _write(3)
    with pytest.raises(ProofError):
        list(stored_leaves(ALIAS, ORG, 2, 5))
