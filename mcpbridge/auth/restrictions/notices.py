"""Add a notice for the user to every result of one token, until it is cleared.

A notice does not change what the token may do, so it is not in the audit log; its reason is (a requested rotation, a
token that is due).
"""

from django.db import transaction
from django.utils import timezone

from mcpbridge.auth.restrictions.store import notify_restrictions_changed
from mcpbridge.core.sanitize import sanitize_text
from mcpbridge.models import TokenNotice

NOTICE_LENGTH = 300


def set_notice(*, env: str, prefix: str, org_id: str, text: str, is_in_text: bool = False) -> TokenNotice:
    """Add `text`, one line, to the results of the token's calls, replacing its current notice, if any.

    It is in each result's `_meta`, and with `is_in_text` also in a text block of its own.
    """
    line = sanitize_text(" ".join(text.split()), NOTICE_LENGTH)
    with transaction.atomic():
        standing = TokenNotice.objects.filter(env=env, prefix=prefix, org_id=org_id, ended_at=None).first()
        if standing is not None and (standing.text, standing.is_in_text) == (line, is_in_text):
            return standing
        clear_notice(env=env, prefix=prefix, org_id=org_id)
        made = TokenNotice.objects.create(
            env=env, prefix=prefix, org_id=org_id, text=line, is_in_text=is_in_text, given_at=timezone.now()
        )
        notify_restrictions_changed()
    return made


def clear_notice(*, env: str, prefix: str, org_id: str) -> bool:
    """Remove the notice of the workspace's token; return False if there was none."""
    with transaction.atomic():
        standing = TokenNotice.objects.filter(env=env, prefix=prefix, org_id=org_id, ended_at=None)
        ended = standing.update(ended_at=timezone.now())
        if ended:
            notify_restrictions_changed()
    return bool(ended)
