"""Sign the head of a chain, in format 2 with the head of its tree."""

from django.utils import timezone

from mcpbridge.audit.hashchain import Head, instant
from mcpbridge.audit.log_tree.growing import LogTree
from mcpbridge.audit.signing import SigningKeyPair, head_message
from mcpbridge.audit.tree.statements import CheckpointStatement
from mcpbridge.audit.verification.records import Checkpoint


def sign_head(key: SigningKeyPair, org_id: str, head: Head, *, reason: str, tree: LogTree | None = None) -> Checkpoint:
    """Sign a checkpoint at `head` with `key`: of format 2 with the tree up to there, of format 1 without."""
    at = timezone.now()
    if tree is None:
        message = head_message(org_id=org_id, sequence=head.sequence, hash=head.hash, at=at)
        return Checkpoint(org_id, head.sequence, head.hash, instant(at), key.key_id, key.sign(message), reason)
    said = CheckpointStatement(str(tree.origin), head.sequence, head.hash, tree.root, instant(at))
    return Checkpoint(
        org_id,
        head.sequence,
        head.hash,
        instant(at),
        key.key_id,
        key.sign(said.message),
        reason,
        origin=said.origin,
        epoch=tree.origin.epoch,
        first=tree.origin.first,
        root=said.root,
        note=said.head.signed(key),
    )
