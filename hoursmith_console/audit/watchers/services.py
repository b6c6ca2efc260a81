"""Create, rotate and revoke watch keys. Each change and its audit entry are one transaction."""

import hashlib
import secrets
from collections.abc import Mapping
from typing import Any

from django.db import IntegrityError, router, transaction
from django.utils import timezone

from hoursmith_console.audit.models import WatchKey
from mcpbridge.audit.console_events import record_event
from mcpbridge.audit.rows import ACTOR_LENGTH
from mcpbridge.core.sanitize import sanitize_text
from mcpbridge.db.locks import acquire_locks

PREFIX = "hwk"
MOST_WATCH_KEYS = 10
_SLUG_BYTES, _SECRET_BYTES = 6, 32


class InvalidWatchKeyError(Exception):
    """The change is not possible. The text may be shown to users."""


def create_watch_key(*, org_id: str, name: str, actor: str) -> tuple[WatchKey, str]:
    """Create a watch key of the workspace; return it and its text, which cannot be read again.

    Raises InvalidWatchKeyError and AuditUnavailableError.
    """
    alias = router.db_for_write(WatchKey)
    slug = secrets.token_hex(_SLUG_BYTES)
    text = _new_text(slug)
    try:
        with transaction.atomic(using=alias):
            # Of two concurrent calls, the second counts the first one's row.
            acquire_locks(alias, f"watch keys {org_id}")
            if WatchKey.objects.using(alias).live().filter(org_id=org_id).count() >= MOST_WATCH_KEYS:
                raise InvalidWatchKeyError(
                    f"A workspace has at most {MOST_WATCH_KEYS} watch keys. Revoke one that is no longer needed."
                )
            key = WatchKey.objects.using(alias).create(
                org_id=org_id,
                name=name,
                slug=slug,
                digest=digest_of(text),
                created_by=sanitize_text(actor, ACTOR_LENGTH),
            )
            _record(key, "create", actor)
    except IntegrityError:
        raise InvalidWatchKeyError("Another watch key has this name.") from None
    return key, text


def rotate_watch_key(*, key: WatchKey, actor: str) -> str:
    """Replace the text of the key, so that the old one is refused from now on; return the new one.

    Raises InvalidWatchKeyError and AuditUnavailableError.
    """
    text = _new_text(key.slug)
    _change(key, "rotate", actor, digest=digest_of(text), rotated_at=timezone.now())
    return text


def revoke_watch_key(*, key: WatchKey, actor: str) -> None:
    """Refuse the key from now on. Raises InvalidWatchKeyError and AuditUnavailableError."""
    _change(key, "revoke", actor, revoked_at=timezone.now())


def bind_cosigner(*, key: WatchKey, vkey: str) -> None:
    """Keep the verifier key of the watcher's first cosignature; later ones must be by the same key.

    Raises InvalidWatchKeyError and AuditUnavailableError.
    """
    _change(key, "cosigner", f"Watcher {key.name}", {"cosigner": vkey}, cosigner=vkey)


def digest_of(text: str) -> str:
    """Return the digest by which a key is stored: it is random, so a plain hash keeps it."""
    return hashlib.sha256(text.encode()).hexdigest()


def _new_text(slug: str) -> str:
    return f"{PREFIX}_{slug}_{secrets.token_urlsafe(_SECRET_BYTES)}"


def _change(key: WatchKey, action: str, actor: str, details: Mapping[str, Any] | None = None, **columns: Any) -> None:
    alias = router.db_for_write(WatchKey)
    with transaction.atomic(using=alias):
        if not WatchKey.objects.using(alias).live().filter(pk=key.pk).update(**columns):
            raise InvalidWatchKeyError("This watch key has been revoked meanwhile.")
        _record(key, action, actor, details)
    key.refresh_from_db(using=alias)


def _record(key: WatchKey, action: str, actor: str, details: Mapping[str, Any] | None = None) -> None:
    record_event(
        org_id=key.org_id,
        action=f"console.watch_key_{action}",
        actor=actor,
        target_type="watch_key",
        target_id=key.slug,
        target_label=key.name,
        details=details,
    )
