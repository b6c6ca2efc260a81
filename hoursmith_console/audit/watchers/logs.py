"""The signed tree of an audit log as watchers read it (C2SP tlog-tiles)."""

import hashlib
import json
from collections.abc import Iterator
from dataclasses import dataclass

from django.conf import settings
from django.db import router

from hoursmith_console.audit.models import WatchKey
from mcpbridge.audit.epochs.stored import stored_restores
from mcpbridge.audit.hashchain import instant
from mcpbridge.audit.log_tree.tiles import tile_reader
from mcpbridge.audit.signing import configured_key
from mcpbridge.audit.tree.encoding import hash_from_hex
from mcpbridge.audit.tree.errors import FormatError
from mcpbridge.audit.tree.merkle import HASH_SIZE
from mcpbridge.audit.tree.notes import VerifierKey, key_named
from mcpbridge.audit.tree.origins import Origin
from mcpbridge.audit.tree.statements import CheckpointStatement
from mcpbridge.audit.tree.tiles import WIDTH, Tile, bundle, tile_width
from mcpbridge.audit.witnesses.config import configured_witnesses
from mcpbridge.audit.witnesses.logs import cosigned_note, newest_head, tree_head
from mcpbridge.models import AuditEvent, SigningHead


@dataclass(frozen=True, slots=True)
class ServedLog:
    """The log of one origin at its newest checkpoint; `newest` is that of any of the workspace's origins."""

    head: SigningHead
    newest: SigningHead

    @property
    def size(self) -> int:
        """Return how many entries the checkpoint covers. Raises FormatError."""
        return tree_head(self.head).size

    def note(self) -> str:
        """Return the checkpoint with the cosignatures that verify."""
        return cosigned_note(self.head, cosigners(self.head.org_id))

    def dated(self) -> bytes:
        """Return the newest checkpoint of the workspace as the signed statement, which has a time."""
        head = self.newest
        statement = CheckpointStatement(
            head.origin, sequence=head.sequence, hash=head.hash, root=head.root, at=instant(head.at)
        )
        return json.dumps({**statement.as_dict(), "key_id": head.key_id, "signature": head.signature}).encode()

    def tile(self, tile: Tile, width: int) -> bytes:
        """Return the first `width` hashes of a tile. Raises FormatError if the checkpoint does not cover them."""
        self._refuse_uncovered(tile, width)
        found = tile_reader(router.db_for_read(SigningHead), self.head.org_id)(*tile)[: width * HASH_SIZE]
        if len(found) != width * HASH_SIZE:
            raise FormatError("the tile is not stored")
        return found

    def entries(self, number: int, width: int) -> bytes:
        """Return the first `width` entries of a bundle: hashes of rows. Raises FormatError if they are not there."""
        self._refuse_uncovered(Tile(0, number), width)
        begin = Origin.parse(self.head.origin).first + number * WIDTH
        rows = AuditEvent.objects.filter(
            org_id=self.head.org_id, sequence__gte=begin, sequence__lt=begin + width
        ).order_by("sequence")
        hashes = [hash_from_hex(hash) for hash in rows.values_list("hash", flat=True)]
        if len(hashes) != width:
            raise FormatError("entries were pruned")
        return bundle(hashes)

    def _refuse_uncovered(self, tile: Tile, width: int) -> None:
        # The tiles are those of the newest epoch; an earlier one is not continued.
        if self.head.origin != self.newest.origin or width > tile_width(tile, self.size):
            raise FormatError("the checkpoint does not cover the tile")


def served_log(org_id: str, log: str) -> ServedLog | None:
    """Return the log of the workspace whose origin has the SHA-256 `log`; None if there is none."""
    alias = router.db_for_read(SigningHead)
    if (newest := newest_head(alias, org_id)) is None:
        return None
    if _hash(newest.origin) == log:
        return ServedLog(newest, newest)
    # Not from all checkpoints, which are many.
    former = next((each.old_origin for each in stored_restores(alias, org_id) if _hash(each.old_origin) == log), "")
    head = newest_head(alias, org_id, former) if former else None
    return ServedLog(head, newest) if head is not None else None


def _hash(origin: str) -> str:
    return hashlib.sha256(origin.encode()).hexdigest()


def cosigners(org_id: str) -> Iterator[VerifierKey]:
    """Yield the keys of this console's witnesses and of the workspace's watchers."""
    yield from (witness.key for witness in configured_witnesses())
    watchers = WatchKey.objects.filter(org_id=org_id).exclude(cosigner="").order_by("id")
    for vkey in watchers.values_list("cosigner", flat=True):
        try:
            yield VerifierKey.parse(vkey)
        except FormatError:
            continue


def log_vkey(org_id: str) -> str:
    """Return the verifier key of the workspace's log, which names it; empty while the log has no signed tree."""
    head = newest_head(router.db_for_read(SigningHead), org_id)
    return "" if head is None else str(key_named(head.origin, configured_key()))


def watch_command(vkey: str) -> str:
    """Return the command that watches the log with this verifier key."""
    return f"python watch_audit.py --log {settings.PUBLIC_URL}/audit/log --vkey {vkey}" if vkey else ""
