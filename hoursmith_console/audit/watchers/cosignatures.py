"""Take the cosignatures of watchers, so that evidence carries them."""

import time
from datetime import UTC, datetime

from django.db import router, transaction

from hoursmith_console.audit.models import WatchKey
from hoursmith_console.audit.watchers.logs import ServedLog, cosigners
from hoursmith_console.audit.watchers.services import InvalidWatchKeyError, bind_cosigner
from mcpbridge.audit.tree.checkpoints import TreeHead
from mcpbridge.audit.tree.errors import TreeError
from mcpbridge.audit.tree.notes import COSIGNATURE, SignatureLine, VerifierKey, cosigned_at, parse_note
from mcpbridge.audit.witnesses.logs import heads_with
from mcpbridge.models import Cosignature, SigningHead

# How far the clock of a watcher may differ.
_CLOCK_S = 3600


class CosignatureRefusedError(Exception):
    """The cosignature is not taken. The text may be shown to the watcher."""


def keep_cosignature(*, key: WatchKey, log: ServedLog, vkey: str, note: str) -> None:
    """Keep the watcher's cosignature of a checkpoint of `log`; its first one binds `vkey` to its watch key.

    Raises CosignatureRefusedError, FormatError if it cannot be read, and AuditUnavailableError.
    """
    cosigner = VerifierKey.parse(vkey)
    said = parse_note(note)
    head = TreeHead.parse(said.text)
    try:
        signature = said.signatures([cosigner]).get(cosigner)
    except TreeError:
        signature = None
    if cosigner.kind != COSIGNATURE or signature is None:
        raise CosignatureRefusedError("The note has no valid cosignature of this key.")
    if abs(cosigned_at(signature) - time.time()) > _CLOCK_S:
        raise CosignatureRefusedError("The time of the cosignature is not now.")
    with transaction.atomic(using=router.db_for_write(Cosignature)):
        _bind(key, cosigner)
        Cosignature.objects.get_or_create(
            head=_checkpoint(log, head),
            cosigner=cosigner.name,
            defaults={
                "line": str(SignatureLine(cosigner.name, cosigner.key_id, signature)),
                "at": datetime.fromtimestamp(cosigned_at(signature), UTC),
            },
        )


def _bind(key: WatchKey, cosigner: VerifierKey) -> None:
    """Bind the key at the first cosignature, and refuse another one later, or the name of another cosigner."""
    if key.cosigner == str(cosigner):
        return
    if key.cosigner:
        raise CosignatureRefusedError("This watch key cosigns with another key. Create a new watch key for it.")
    if any(other.name == cosigner.name for other in cosigners(key.org_id)):
        raise CosignatureRefusedError(f"Another cosigner has the name {cosigner.name}.")
    try:
        bind_cosigner(key=key, vkey=str(cosigner))
    except InvalidWatchKeyError as error:
        raise CosignatureRefusedError(str(error)) from None


def _checkpoint(log: ServedLog, head: TreeHead) -> SigningHead:
    """Return the first checkpoint of the log with this head."""
    if head.origin == log.head.origin:
        alias = router.db_for_write(SigningHead)
        if found := heads_with(alias, log.head.org_id, head).order_by("id").first():
            return found
    raise CosignatureRefusedError("The log has no such checkpoint.")
