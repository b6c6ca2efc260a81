"""The newest signed checkpoint of a stored log, the proofs that it only grew, and its cosignatures."""

from collections.abc import Iterable, Sequence
from dataclasses import dataclass

from django.db.models import QuerySet

from mcpbridge.audit.log_tree.tiles import stored_nodes
from mcpbridge.audit.tree.checkpoints import TreeHead
from mcpbridge.audit.tree.encoding import hash_from_hex
from mcpbridge.audit.tree.errors import FormatError, ProofError
from mcpbridge.audit.tree.notes import Note, SignatureLine, VerifierKey, parse_note
from mcpbridge.audit.tree.origins import Origin
from mcpbridge.audit.tree.proofs import consistency_proof, subtree_root, verify_consistency
from mcpbridge.models import Cosignature, SigningHead


@dataclass(frozen=True, slots=True)
class StoredLog:
    """The log of one origin, for witnesses."""

    alias: str
    org_id: str
    origin: str

    def newest(self) -> tuple[TreeHead, str]:
        """Return the newest signed head and its note."""
        head = newest_head(self.alias, self.org_id, self.origin)
        if head is None:
            raise FormatError("the log has no checkpoint")
        return tree_head(head), head.signed_note

    def proof(self, older: int, newer: TreeHead) -> Sequence[bytes]:
        """Return a verified proof that the first `older` leaves are part of the head. Raises ProofError."""
        if older in (0, newer.size):
            return []
        nodes = stored_nodes(self.alias, self.org_id)
        proof = consistency_proof(nodes, older, newer.size)
        # The tiles are not believed, so the proof must lead to the signed root.
        older_root = subtree_root(nodes, 0, older)
        verify_consistency(older=older, newer=newer.size, older_root=older_root, newer_root=newer.root, proof=proof)
        return proof


def newest_head(alias: str, org_id: str, origin: str = "") -> SigningHead | None:
    """Return the newest checkpoint with a note, of one origin if given; None if there is none."""
    heads = SigningHead.objects.using(alias).filter(org_id=org_id)
    heads = heads.filter(origin=origin) if origin else heads.exclude(origin="")
    return heads.order_by("-sequence", "-id").first()


def heads_with(alias: str, org_id: str, head: TreeHead) -> "QuerySet[SigningHead]":
    """Return the checkpoints of a tree head: several if the log stood still. Raises FormatError."""
    sequence = Origin.parse(head.origin).first + head.size - 1
    heads = SigningHead.objects.using(alias).filter(org_id=org_id, sequence=sequence)
    return heads.filter(origin=head.origin, root=head.root.hex())


def tree_head(head: SigningHead) -> TreeHead:
    """Return the tree head of a checkpoint of format 2. Raises FormatError."""
    return TreeHead(head.origin, Origin.parse(head.origin).index_of(head.sequence) + 1, hash_from_hex(head.root))


def cosigned_note(head: SigningHead, keys: Iterable[VerifierKey]) -> str:
    """Return the note of a checkpoint with the cosignatures of `keys` that are valid for it."""
    note = parse_note(head.signed_note)
    known = {(key.name, key.key_id): key for key in keys}
    lines = dict.fromkeys(note.lines)
    same = Cosignature.objects.filter(
        head__org_id=head.org_id, head__origin=head.origin, head__sequence=head.sequence, head__root=head.root
    )
    for text in same.order_by("id").values_list("line", flat=True):
        try:
            line = SignatureLine.parse(text.removesuffix("\n"))
            key = known.pop((line.name, line.key_id))
            key.verify(note.text, line.signature)
        except (FormatError, ProofError, KeyError):
            continue
        lines[line] = None
    return str(Note(note.text, tuple(lines)))
