"""Keeps views and lets them go.

Not logged in the audit log: a personal bookmark changes nothing in the workspace, so auditors may save views, too.
"""

import re
from urllib.parse import parse_qsl, urlencode

from django.db import router, transaction

from hoursmith_console.core.saved_views.models import QUERY_LENGTH, SavedView
from hoursmith_console.core.viewer import ConsoleMember
from mcpbridge.db.locks import acquire_locks
from mcpbridge.redaction.masking import redact

MOST_VIEWS = 30
# What an address names besides the view: a place in the list, and whether it is followed.
_NOT_VIEW = {"before", "after", "live"}
# The prefix of a token, which a search may contain, and any secret after it.
_TOKEN = re.compile(r"(hsk_(?:live|test)_[0-9A-Za-z]{12})(?![0-9A-Za-z])(?:_\S*)?")


class SavedViewError(ValueError):
    """The view cannot be kept; the text says why, and what to do."""


def view_save(*, member: ConsoleMember, area: str, name: str, query: str) -> SavedView:
    """Keep the view that `query` shows of `area` for `member`; one of the same name there is replaced.

    Raises SavedViewError where there is nothing to keep, too much of it, or as many views as one may have.
    """
    kept = view_query(query)
    if not kept:
        raise SavedViewError("Nothing is filtered, so there is no view to save. Choose a filter first.")
    if len(kept) > QUERY_LENGTH:
        raise SavedViewError("These filters are too long to save. Shorten the search.")
    alias = router.db_for_write(SavedView)
    with transaction.atomic(using=alias):
        # Of two at once, the second counts the first.
        acquire_locks(alias, f"saved views {member.pk} {area}")
        view, is_new = SavedView.objects.update_or_create(
            member_id=member.pk, area=area, name=redact(name), defaults={"query": kept}
        )
        if is_new and SavedView.objects.filter(member_id=member.pk, area=area).count() > MOST_VIEWS:
            transaction.set_rollback(True, using=alias)
            raise SavedViewError(f"More than {MOST_VIEWS} views of one list are not kept. Remove one first.")
    return view


def view_remove(*, member: ConsoleMember, area: str, key: int) -> SavedView | None:
    """Let the member's view of `area` go; None where they have none with this key."""
    view = SavedView.objects.filter(member_id=member.pk, area=area, pk=key).first()
    if view is not None:
        SavedView.objects.filter(pk=key).delete()
    return view


def view_query(query: str) -> str:
    """Return the part of a query string that makes a view, with any token reduced to its prefix."""
    kept = [(name, value) for name, value in parse_qsl(query) if name not in _NOT_VIEW]
    return urlencode([(redact(name), _public(value)) for name, value in kept])


def views_of(*, member: ConsoleMember, area: str) -> list[SavedView]:
    """The views that the member keeps of `area`."""
    return list(SavedView.objects.filter(member_id=member.pk, area=area))


def _public(text: str) -> str:
    """Return `text` with every token reduced to its prefix."""
    return "".join(part if place % 2 else redact(part) for place, part in enumerate(_TOKEN.split(text)))
