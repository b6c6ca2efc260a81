"""The tree of a stored log at one of its rows, for statements and for the anchors that follow them."""

from django.utils import timezone

from mcpbridge.audit.errors import SigningRefusedError
from mcpbridge.audit.export.source import checkpoint_of
from mcpbridge.audit.hashchain import Head, instant
from mcpbridge.audit.log_tree.tiles import stored_leaves, stored_range
from mcpbridge.audit.signing import SigningKeyPair
from mcpbridge.audit.tree.errors import ProofError
from mcpbridge.audit.tree.merkle import CompactRange
from mcpbridge.audit.tree.origins import Origin
from mcpbridge.audit.tree.restores import ChainHead
from mcpbridge.audit.tree.statements import CheckpointStatement
from mcpbridge.audit.verification.records import Checkpoint
from mcpbridge.audit.verification.trust import Trust
from mcpbridge.models import AuditEvent, SigningHead


def tree_of(alias: str, trust: Trust, origin: Origin, sequence: int) -> CompactRange:
    """Return the tree of the rows up to `sequence`, from rows that the caller has verified.

    Where rows were pruned, it continues from tiles that lead to a signed root. Raises SigningRefusedError without.
    """
    rows = AuditEvent.objects.using(alias).filter(org_id=origin.workspace)
    oldest = rows.order_by("sequence").values_list("sequence", flat=True).first()
    tree = CompactRange()
    if sequence >= origin.first and (oldest is None or oldest > origin.first):
        tree = _signed_tree(alias, trust, origin, sequence)
    try:
        tree.extend(stored_leaves(alias, origin.workspace, origin.first + tree.size, sequence + 1))
    except ProofError as error:
        raise SigningRefusedError(f"The tree of the log cannot be calculated: {error}.") from None
    return tree


def _signed_tree(alias: str, trust: Trust, origin: Origin, sequence: int) -> CompactRange:
    heads = SigningHead.objects.using(alias).filter(org_id=origin.workspace, sequence__lte=sequence)
    for stored in heads.exclude(origin="").order_by("-sequence", "-id"):
        head = checkpoint_of(stored)
        if trust.fault(head) is None:
            size = head.sequence - origin.first + 1
            if found := stored_range(alias, origin.workspace, size, bytes.fromhex(head.root)):
                return found
    raise SigningRefusedError("Entries were pruned, and no tiles lead to a signed checkpoint above them.")


def chain_head(head: Head, tree: CompactRange) -> ChainHead:
    """Return a head of the chain with the root of its tree."""
    return ChainHead(head.sequence, head.hash, tree.root().hex())


def sign_tree_head(key: SigningKeyPair, origin: Origin, head: ChainHead, *, reason: str) -> Checkpoint:
    """Sign a checkpoint of format 2, statement and note, at `head`."""
    said = CheckpointStatement(str(origin), head.sequence, head.hash, head.root, instant(timezone.now()))
    return Checkpoint(
        workspace=origin.workspace,
        sequence=said.sequence,
        hash=said.hash,
        at=said.at,
        key_id=key.key_id,
        signature=key.sign(said.message),
        reason=reason,
        origin=said.origin,
        epoch=origin.epoch,
        first=origin.first,
        root=said.root,
        note=said.head.signed(key),
    )
