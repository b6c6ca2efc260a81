"""Signing keys: the first signs itself, and each further key is announced by the key in use.

The table only grows. A verifier that trusts one key follows the announcements to the next. A key that only appears in
the settings is unannounced, so nothing is signed with it.
"""

import logging
from typing import Any

from django.db import router, transaction
from django.utils import timezone

from mcpbridge.audit.console_events import record_event
from mcpbridge.audit.hashchain import instant
from mcpbridge.audit.heads import chain_statuses
from mcpbridge.audit.signing import SigningKeyPair, configured_key, key_message, key_pair
from mcpbridge.db.locks import acquire_locks
from mcpbridge.models import SigningKey

logger = logging.getLogger(__name__)

_LOCK = "audit signing keys"


class UnannouncedKeyError(Exception):
    """AUDIT_SIGNING_KEY is a key that no known key has announced. The text may be shown to users."""


def signing_key(alias: str) -> SigningKeyPair:
    """Return the configured key; register it as the first one if no key is known yet.

    Raises UnannouncedKeyError. Call it within a transaction.
    """
    key = configured_key()
    keys = SigningKey.objects.using(alias)
    if not keys.exists():
        acquire_locks(alias, _LOCK)
        if not keys.exists():
            _register(alias, key, announced_by=key, is_first=True)
            logger.info("The key %s signs the audit log from now on.", key.key_id)
    if not keys.filter(key_id=key.key_id, public_key=key.public_key).exists():
        raise UnannouncedKeyError(
            f"The signing key changed without announcement: AUDIT_SIGNING_KEY is now the key {key.key_id}, which no"
            " known key has announced, so no checkpoints are made. Set the key that was in use, and change it with"
            " `manage.py audit_keygen --rotate`."
        )
    return key


def key_fault() -> str:
    """Return a sentence for pages about why nothing can be signed; empty if all is well."""
    key = configured_key()
    keys = SigningKey.objects.all()
    if keys.filter(key_id=key.key_id).exists() or not keys.exists():
        return ""
    return "The signing key changed without announcement, so no checkpoints are made."


def announce_key(*, text: str, actor: str) -> SigningKeyPair:
    """Announce the key derived from `text` with the configured key, and record that in every workspace.

    Raises UnannouncedKeyError if the configured key must not sign, ValueError if the new key is already known, and
    AuditUnavailableError.
    """
    alias = router.db_for_write(SigningKey)
    made = key_pair(text)
    with transaction.atomic(using=alias):
        current = signing_key(alias)
        acquire_locks(alias, _LOCK)
        if SigningKey.objects.using(alias).filter(key_id=made.key_id).exists():
            raise ValueError(f"The key {made.key_id} is already known.")
        _register(alias, made, announced_by=current)
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


def _register(alias: str, key: SigningKeyPair, *, announced_by: SigningKeyPair, is_first: bool = False) -> None:
    announcer = "" if is_first else announced_by.key_id
    since = timezone.now()
    message = key_message(key_id=key.key_id, public_key=key.public_key, since=since, announced_by=announcer)
    SigningKey.objects.using(alias).create(
        key_id=key.key_id,
        public_key=key.public_key,
        since=since,
        announced_by=announcer,
        signature=announced_by.sign(message),
    )


def published_keys() -> dict[str, Any]:
    """Return all known keys in order and the id of the last one, in JSON types, for verifiers."""
    keys = [
        {
            "key_id": key.key_id,
            "public_key": key.public_key,
            "since": instant(key.since),
            "announced_by": key.announced_by,
            "signature": key.signature,
        }
        for key in SigningKey.objects.order_by("id")
    ]
    return {"keys": keys, "current": keys[-1]["key_id"] if keys else ""}
