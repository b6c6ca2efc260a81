"""Signing keys: the first signs itself, and each further key is announced by the key in use and signs that, too.

The table only grows. A verifier that trusts one key follows the announcements to all others. A key that only appears
in the settings is unannounced, so nothing is signed with it. A key is retired once the next one has signed.
"""

import logging
from typing import Any

from django.conf import settings
from django.db import router, transaction
from django.utils import timezone

from mcpbridge.audit.anchors.memory import node_anchors
from mcpbridge.audit.console_events import record_event
from mcpbridge.audit.epochs.stored import stored_breaks
from mcpbridge.audit.errors import SigningRefusedError
from mcpbridge.audit.export.jsonl import key_facts
from mcpbridge.audit.export.source import stored_keys
from mcpbridge.audit.hashchain import instant
from mcpbridge.audit.heads import chain_statuses
from mcpbridge.audit.log_tree.origins import refuse_renamed
from mcpbridge.audit.signing import SigningKeyPair, configured_key, key_message, key_pair
from mcpbridge.audit.tree.statements import key_statement
from mcpbridge.audit.verification.announcements import fingerprint_of, is_countersigned, is_first, is_recovery
from mcpbridge.audit.verification.records import Key
from mcpbridge.audit.verification.trust import Trust
from mcpbridge.db.locks import acquire_locks
from mcpbridge.models import AuditCut, SigningHead, SigningKey

logger = logging.getLogger(__name__)

KEYS_LOCK = "audit signing keys"


class LostKeysError(SigningRefusedError):
    """The key table is empty beside a log that was signed before. The text may be shown to users."""


class UnannouncedKeyError(SigningRefusedError):
    """AUDIT_SIGNING_KEY is a key that no known key has announced. The text may be shown to users."""


def signing_key(alias: str) -> SigningKeyPair:
    """Return the configured key; register it as the first one if no key is known yet.

    Raises UnannouncedKeyError, LostKeysError and RenamedLogError. Call it within a transaction.
    """
    key = configured_key()
    keys = SigningKey.objects.using(alias)
    if not keys.exists():
        acquire_locks(alias, KEYS_LOCK)
        if not keys.exists():
            if has_lost_keys(alias):
                raise LostKeysError(
                    "The table of signing keys is empty, but the audit log was signed before: the keys"
                    " were deleted from the database."
                )
            register(alias, key, announced_by=key)
            logger.info("The key %s signs the audit log from now on.", key.key_id)
    refuse_unannounced(key)
    refuse_renamed(alias)
    if later := _successor_that_signed(alias, key):
        raise UnannouncedKeyError(
            f"The signing key {key.key_id} is retired: the next key {later} has signed already. Set AUDIT_SIGNING_KEY"
            " to the new key everywhere."
        )
    return key


def register_first_key(alias: str) -> None:
    """Register the configured key as the first one if no key is stored, even beside a log that was signed with it."""
    acquire_locks(alias, KEYS_LOCK)
    if not SigningKey.objects.using(alias).exists():
        key = configured_key()
        register(alias, key, announced_by=key)


def refuse_unannounced(key: SigningKeyPair) -> None:
    """Raise UnannouncedKeyError unless `key` is stored as the first one, or with a valid announcement."""
    if not is_registered(key):
        raise UnannouncedKeyError(
            f"The signing key changed without announcement: AUDIT_SIGNING_KEY is now the key {key.key_id}, which no"
            " known key has announced, so no checkpoints are made. Set the key that was in use, and change it with"
            f" `{settings.MANAGE_COMMAND} audit_keygen --rotate`."
        )


def usable_key(alias: str) -> SigningKeyPair | None:
    """Return the configured key if it is known and not retired, else None; register nothing."""
    key = configured_key()
    return key if is_registered(key) and not _successor_that_signed(alias, key) else None


def _successor_that_signed(alias: str, key: SigningKeyPair) -> str:
    """Return the id of the key after `key` if it has signed a checkpoint; empty if not."""
    later = key_line(alias).next_key(key.key_id)
    return later if later and SigningHead.objects.using(alias).filter(key_id=later).exists() else ""


def has_lost_keys(alias: str) -> bool:
    """Return whether something was signed although no key is stored."""
    if SigningKey.objects.using(alias).exists():
        return False
    return SigningHead.objects.using(alias).exists() or AuditCut.objects.using(alias).exists()


def key_line(alias: str) -> Trust:
    """Return the keys that this console trusts: the configured one, that of AUDIT_KEY_FINGERPRINT, which a release
    before 0.3.0 rotated without the other's signature, the line of them, and the lost keys before it.
    """
    trust = announced_line(settings.AUDIT_KEY_FINGERPRINT)
    for restore in stored_breaks(alias):
        trust.learn_break(restore)
    return trust


def announced_line(fingerprint: str = "") -> Trust:
    """Return the configured key, that with the fingerprint, and the stored keys that announcements lead to from them.

    Lost keys are not among them.
    """
    trust = Trust(fingerprint)
    trust.anchor(configured_key().public_key)
    for key in stored_keys():
        trust.learn(key)
    return trust


def is_registered(key: SigningKeyPair) -> bool:
    """Return whether the key is stored as the first one, or with an announcement that it signed, too."""
    for stored in stored_keys():
        if (stored.key_id, stored.public_key) == (key.key_id, key.public_key) and not is_recovery(stored):
            # Announcements of earlier releases have one signature only.
            return is_first(stored) or is_countersigned(stored) or not stored.countersignature
    return False


def key_fault() -> str:
    """Return a sentence for pages about why nothing can be signed; empty if all is well."""
    key = configured_key()
    keys = SigningKey.objects.all()
    if keys.filter(key_id=key.key_id).exists() or not keys.exists():
        return ""
    return "The signing key changed without announcement, so no checkpoints are made."


def announce_key(*, text: str, actor: str) -> SigningKeyPair:
    """Announce the key derived from `text` with the configured key, and record that in every workspace.

    Raises SigningRefusedError if the configured key must not sign, ValueError if the new key is already known or the
    configured key has already announced one, and AuditUnavailableError.
    """
    alias = router.db_for_write(SigningKey)
    made = key_pair(text)
    node_anchors().refuse_if_faulty()
    with transaction.atomic(using=alias):
        current = signing_key(alias)
        acquire_locks(alias, KEYS_LOCK)
        if SigningKey.objects.using(alias).filter(key_id=made.key_id).exists():
            raise ValueError(f"The key {made.key_id} is already known.")
        if later := key_line(alias).next_key(current.key_id):
            raise ValueError(
                f"The key {current.key_id} has announced the next key {later}, and a key announces one only. Set"
                " AUDIT_SIGNING_KEY to that key; it can announce the next one."
            )
        register(alias, made, announced_by=current)
        for status in chain_statuses(alias):
            record_event(
                org_id=status.org_id,
                action="console.key_rotate",
                actor=actor,
                target_type="signing_key",
                target_id=made.key_id,
                details={"key_id": made.key_id, "public_key": made.public_key, "announced_by": current.key_id},
            )
    return made


def register(alias: str, key: SigningKeyPair, *, announced_by: SigningKeyPair, use: str = "") -> None:
    """Store a key that `announced_by` announces, and that signs the announcement, too; of format 2 if it has a `use`.

    The first key, and one that follows a lost key, announces itself.
    """
    is_first, since = announced_by == key, timezone.now()
    announcer = "" if is_first else announced_by.key_id
    message = (
        key_statement(public_key=key.public_key, predecessor=announced_by.public_key, since=instant(since), use=use)
        if use
        else key_message(key_id=key.key_id, public_key=key.public_key, since=since, announced_by=announcer)
    )
    SigningKey.objects.using(alias).create(
        key_id=key.key_id,
        public_key=key.public_key,
        since=since,
        announced_by=announcer,
        signature=announced_by.sign(message),
        countersignature="" if is_first else key.sign(message),
        use=use,
    )


def published_keys() -> dict[str, Any]:
    """Return all known keys in order and the id of the last one that signs, in JSON types, for verifiers."""
    keys = list(stored_keys())
    signing = [key.key_id for key in keys if not is_recovery(key)]
    return {"keys": [_published(key) for key in keys], "current": signing[-1] if signing else ""}


def _published(key: Key) -> dict[str, Any]:
    return {**key_facts(key), "key_id": key.key_id, "fingerprint": fingerprint_of(key.public_key)}
