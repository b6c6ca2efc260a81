"""Prepare for a lost signing key, and replace one.

A recovery key is announced while the signing key is there, and kept elsewhere. It can announce the next signing key,
so that the line of keys continues. Without it each log begins a new epoch, and verifiers need the new fingerprint.
"""

from collections.abc import Mapping
from typing import Any

from django.db import router, transaction
from django.utils import timezone

from mcpbridge.audit.anchors.memory import node_anchors
from mcpbridge.audit.console_events import record_event
from mcpbridge.audit.epochs.acceptance import (
    RestoreRefusedError,
    WrittenMeanwhileError,
    begin_epoch,
    has_row,
    kept_head,
)
from mcpbridge.audit.epochs.trees import chain_head, tree_of
from mcpbridge.audit.export.source import stored_keys
from mcpbridge.audit.hashchain import instant
from mcpbridge.audit.heads import chain_statuses
from mcpbridge.audit.keyring import KEYS_LOCK, announced_line, is_registered, key_line, register, signing_key
from mcpbridge.audit.rows import NOTE_LENGTH
from mcpbridge.audit.signing import SigningKeyPair, configured_key, is_signed, key_pair
from mcpbridge.audit.tree.origins import Origin
from mcpbridge.audit.tree.restores import EpochStatement, LostKey
from mcpbridge.audit.verification.announcements import RECOVERY, SIGNING, is_countersigned, is_recovery
from mcpbridge.audit.verification.records import Checkpoint, Key
from mcpbridge.core.sanitize import sanitize_text
from mcpbridge.db.locks import acquire_locks
from mcpbridge.models import SigningKey

# How often a statement is made again because rows were written meanwhile.
_ATTEMPTS = 5


def announce_recovery_key(*, text: str, actor: str) -> SigningKeyPair:
    """Announce the recovery key derived from `text` with the signing key, and record that in every workspace.

    Raises SigningRefusedError, AuditUnavailableError, and ValueError if there is a recovery key already.
    """
    alias, made = router.db_for_write(SigningKey), key_pair(text)
    node_anchors().refuse_if_faulty()
    with transaction.atomic(using=alias):
        current = signing_key(alias)
        acquire_locks(alias, KEYS_LOCK)
        if any(is_recovery(key) or key.key_id == made.key_id for key in stored_keys()):
            raise ValueError("There is a recovery key already, or the key is one that signs.")
        register(alias, made, announced_by=current, use=RECOVERY)
        _record_everywhere(alias, "console.key_recovery", made, actor, {"announced_by": current.key_id})
    return made


def recover_key(*, text: str, actor: str) -> SigningKeyPair:
    """Announce the configured key with the recovery key derived from `text`, and record that in every workspace.

    Raises ValueError if it is not the announced recovery key, or the configured key is known already, and
    AuditUnavailableError.
    """
    alias, recovery, made = router.db_for_write(SigningKey), key_pair(text), configured_key()
    with transaction.atomic(using=alias):
        acquire_locks(alias, KEYS_LOCK)
        if is_registered(made):
            raise ValueError(f"The configured key {made.key_id} is in use already; nothing is to be recovered.")
        found = [key for key in stored_keys() if is_recovery(key) and key.public_key == recovery.public_key]
        if not any(is_countersigned(key) for key in found):
            raise ValueError("This is not the recovery key that was announced.")
        register(alias, made, announced_by=recovery, use=SIGNING)
        _record_everywhere(alias, "console.key_recover", made, actor, {"announced_by": recovery.key_id})
    return made


def replace_lost_key(*, reason: str, actor: str) -> list[EpochStatement]:
    """State in every log that its key was lost and that the configured key follows it; return the statements.

    Every log must verify and agree with the anchor of this node. Logs of format 1, or without an anchor, are omitted.
    It may be repeated after a failure. Raises ValueError, RestoreRefusedError, SigningRefusedError,
    AuditUnavailableError and OSError.
    """
    if not (reason := sanitize_text(reason.strip(), NOTE_LENGTH)):
        raise ValueError("Give a reason with --reason; it is signed and written into the audit log.")
    alias, anchors, made = router.db_for_write(SigningKey), node_anchors(), configured_key()
    anchors.refuse_if_faulty()
    anchors.sync()
    anchors_of = {status.org_id: anchors.anchor(status.org_id) for status in chain_statuses(alias) if status.sequence}
    lost = _lost_keys(anchors_of, made)
    with transaction.atomic(using=alias):
        acquire_locks(alias, KEYS_LOCK)
        if not is_registered(made):
            register(alias, made, announced_by=made)
    return [_break(alias, anchor, key, made, reason=reason, actor=actor) for anchor, key in lost]


def _lost_keys(anchors: Mapping[str, Checkpoint | None], made: SigningKeyPair) -> list[tuple[Checkpoint, Key]]:
    """Return the anchors that a lost key signed, and that key. Raises RestoreRefusedError if a log cannot continue."""
    known, line = {key.key_id: key for key in stored_keys()}, announced_line()
    lost = []
    for org_id, anchor in anchors.items():
        if anchor is None or not anchor.origin:
            # It has no epochs: `audit_anchor --adopt --fingerprint` continues it.
            continue
        if anchor.key_id in line:
            continue
        key, message = known.get(anchor.key_id), anchor.message()
        if key is None or message is None or not is_signed(key.public_key, message, anchor.signature):
            raise RestoreRefusedError(f"{org_id}: the key {anchor.key_id} of its anchor is not in the database.")
        lost.append((anchor, key))
    if not lost and is_registered(made):
        raise RestoreRefusedError(f"The configured key {made.key_id} continues the line of keys; no key is lost.")
    return lost


def _break(
    alias: str, anchor: Checkpoint, lost: Key, made: SigningKeyPair, *, reason: str, actor: str
) -> EpochStatement:
    """Let one log continue with another key from its last row on."""
    origin = Origin.parse(anchor.origin)
    if not has_row(alias, anchor):
        raise RestoreRefusedError(
            f"{anchor.workspace}: the log does not agree with the anchor of this node at entry {anchor.sequence}."
        )
    for attempt in range(_ATTEMPTS):
        kept = kept_head(alias, anchor.workspace, origin.epoch)
        head = chain_head(kept, tree_of(alias, key_line(alias), origin, kept.sequence))
        statement = EpochStatement(
            origin, head, head, instant(timezone.now()), reason, LostKey(lost.public_key, made.public_key)
        )
        try:
            begin_epoch(alias, statement, made, actor=actor, action="console.key_lost")
        except WrittenMeanwhileError:
            if attempt == _ATTEMPTS - 1:
                raise
        else:
            break
    return statement


def _record_everywhere(alias: str, action: str, made: SigningKeyPair, actor: str, details: Mapping[str, Any]) -> None:
    for status in chain_statuses(alias):
        record_event(
            org_id=status.org_id,
            action=action,
            actor=actor,
            target_type="signing_key",
            target_id=made.key_id,
            details={"key_id": made.key_id, "public_key": made.public_key, **details},
        )
