"""Gives an assistant something to tell its person, with every result of one token, until that is no longer so.

A notice changes nothing that the token may do, so it is no event of the record; whoever has a reason for one records
the reason (a rotation asked for, a token that is due).
"""

from django.db import transaction
from django.utils import timezone

from mcpbridge.auth.restrictions.store import notify_restrictions_changed
from mcpbridge.core.sanitize import sanitize_text
from mcpbridge.models import TokenNotice

NOTICE_LENGTH = 300


def set_notice(*, env: str, prefix: str, org_id: str, text: str, is_in_text: bool = False) -> TokenNotice:
    """Add `text`, one line, to the results of the token's calls; instead of the notice it has, if any.

    It stands in each result's `_meta`, and with `is_in_text` in a text block of its own besides.
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
    """Say nothing more to the assistants of the workspace's token; False where nothing was said."""
    with transaction.atomic():
        standing = TokenNotice.objects.filter(env=env, prefix=prefix, org_id=org_id, ended_at=None)
        ended = standing.update(ended_at=timezone.now())
        if ended:
            notify_restrictions_changed()
    return bool(ended)
