"""Save, list and end the sessions of accounts."""

from collections.abc import Iterable
from datetime import datetime, timedelta
from importlib import import_module

from django.conf import settings
from django.contrib.auth import HASH_SESSION_KEY, SESSION_KEY
from django.contrib.auth.models import User
from django.contrib.sessions.backends.base import SessionBase
from django.db import transaction
from django.utils import timezone
from django.utils.crypto import constant_time_compare

from hoursmith_console.accounts.models import AGENT_LENGTH, ConsoleSession
from mcpbridge.core.sanitize import sanitize_text


def save_session(*, user: User, key: str, was: str, address: str, agent: str, began_at: datetime) -> None:
    """Save that the session `key` (formerly `was`, if its key changed) was active now from `address`."""
    seen = {"address": address, "agent": sanitize_text(agent, AGENT_LENGTH), "seen_at": timezone.now()}
    known = ConsoleSession.objects.filter(session_key__in=[was, key], user=user)
    if not known.update(session_key=key, **seen):
        ConsoleSession.objects.create(user=user, session_key=key, began_at=began_at, **seen)


def forget_session(*, key: str) -> None:
    """Delete the row of a session that has ended."""
    ConsoleSession.objects.filter(session_key=key).delete()


def list_sessions(user: User) -> list[ConsoleSession]:
    """Return the active sessions of `user`, the most recently active first."""
    now = timezone.now()
    rows = ConsoleSession.objects.filter(
        user=user,
        began_at__gt=now - timedelta(seconds=settings.SESSION_COOKIE_AGE),
        seen_at__gt=now - timedelta(seconds=settings.SESSION_IDLE_SECONDS),
    )
    return [row for row in rows if _is_open(row, user)]


def end_sessions(*, user: User, keep: str | None = None, only: int | None = None) -> int:
    """End the sessions of `user`, except the one with the key `keep`, or `only` the row with that key.

    Return how many were active.
    """
    with transaction.atomic():
        rows = ConsoleSession.objects.filter(user=user).select_related("user")
        if only is not None:
            rows = rows.filter(pk=only)
        if keep is not None:
            rows = rows.exclude(session_key=keep)
        return _end(rows)


def _is_open(row: ConsoleSession, user: User) -> bool:
    """Return whether the session still signs `user` in; a password change ends it without deleting its row."""
    kept = _store(row.session_key).load()
    digest = str(kept.get(HASH_SESSION_KEY, ""))
    right = (user.get_session_auth_hash(), *user.get_session_auth_fallback_hash())
    return kept.get(SESSION_KEY) == str(user.pk) and any(constant_time_compare(digest, each) for each in right)


def _end(rows: Iterable[ConsoleSession]) -> int:
    store, open_ones = _store(), 0
    for row in list(rows):
        open_ones += _is_open(row, row.user)
        store.delete(row.session_key)
        row.delete()
    return open_ones


def _store(key: str | None = None) -> SessionBase:
    store: SessionBase = import_module(settings.SESSION_ENGINE).SessionStore(key)
    return store
