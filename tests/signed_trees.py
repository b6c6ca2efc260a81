"""Sign the tree of a stored audit log as the console does, with whatever key and origin a test wants."""

from django.conf import settings
from django.utils import timezone

from mcpbridge.audit.console_events import record_event
from mcpbridge.audit.hashchain import genesis, instant
from mcpbridge.audit.log_tree.tiles import extend_stored, truncate
from mcpbridge.audit.signing import SigningKeyPair, key_pair
from mcpbridge.audit.tree.checkpoints import TreeHead
from mcpbridge.audit.tree.merkle import CompactRange, leaf_hash
from mcpbridge.audit.tree.origins import Origin
from mcpbridge.audit.tree.statements import CheckpointStatement
from mcpbridge.models import AuditEvent, SigningHead


def sign_tree(
    org_id: str, *, epoch: int = 1, key: SigningKeyPair | None = None, size: int | None = None
) -> SigningHead:
    """Store the tiles of the rows that are there, or of the first `size`, and a checkpoint over them."""
    key = key or key_pair(settings.AUDIT_SIGNING_KEY)
    hashes = list(AuditEvent.objects.filter(org_id=org_id).order_by("sequence").values_list("hash", flat=True)[:size])
    tree = CompactRange()
    tree.extend(leaf_hash(bytes.fromhex(hash)) for hash in hashes)
    truncate("default", org_id, 0)
    assert extend_stored("default", org_id, first=1, to=tree)
    origin, at = Origin("audit.example.com", org_id, epoch), timezone.now()
    hash, root = (hashes[-1] if hashes else genesis(org_id).hash), tree.root()
    statement = CheckpointStatement(str(origin), sequence=len(hashes), hash=hash, root=root.hex(), at=instant(at))
    return SigningHead.objects.create(
        org_id=org_id, sequence=len(hashes), hash=hash, at=at, key_id=key.key_id, reason="time",
        signature=key.sign(statement.message), origin=str(origin), root=root.hex(),
        signed_note=TreeHead(str(origin), len(hashes), root).signed(key),
    )  # fmt: skip


def add_rows(org_id: str, count: int) -> None:
    """Append rows to the chain."""
    for number in range(count):
        record_event(org_id=org_id, action="console.test", actor="Ana", target_label=str(number))
