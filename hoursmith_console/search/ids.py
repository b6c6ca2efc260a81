"""Find the one page that an id means: each by an index, whatever the tables hold."""

import re
from collections.abc import Callable, Iterator
from datetime import UTC, datetime, timedelta
from typing import Any
from uuid import UUID

from django.db.models import Q, QuerySet
from django.urls import reverse
from django.utils.http import urlencode

from hoursmith_console.approvals.queries import visible_requests
from hoursmith_console.connections.grants.labels import visible_grants
from hoursmith_console.connections.models import Connection
from hoursmith_console.core.site import site
from hoursmith_console.members.queries import visible_members
from hoursmith_console.tokens.querysets import visible_rows, visible_tokens
from hoursmith_console.workspaces.viewer import ConsoleRequest, Viewer
from mcpbridge.models import LISTED, AuditEvent, ToolCall

_TOKEN = re.compile(r"(?:hsk_)?(?P<env>live|test)_(?P<prefix>[0-9A-Za-z]{12})(?![0-9A-Za-z])")
# How far the instant in a request's id may be from that of its rows.
_BEFORE, _AFTER = timedelta(minutes=1), timedelta(minutes=5)
_VERSION_OF_OURS = 7


def page_of_id(request: ConsoleRequest, query: str) -> str | None:
    """Return the address of the page that `query` names; None if it names none that the viewer may see."""
    finders: tuple[Callable[[ConsoleRequest, str], str | None], ...] = (_token, _call_or_record, _member, _connection)
    return next((address for find in finders if (address := find(request, query))), None)


def _token(request: ConsoleRequest, query: str) -> str | None:
    match = _TOKEN.match(query)
    if match is None:
        return None
    key = visible_tokens(request.viewer).filter(env=match["env"], prefix=match["prefix"]).values_list("pk", flat=True)
    return next((reverse("console:tokens:detail", args=[pk]) for pk in key[:1]), None)


def _call_or_record(request: ConsoleRequest, query: str) -> str | None:
    try:
        key = UUID(query)
    except ValueError:
        return None
    return next(_pages_of(request, key), None)


def _pages_of(request: ConsoleRequest, key: UUID) -> Iterator[str]:
    viewer = request.viewer
    entries = _entries(request)
    yield from _entry_pages(entries.filter(call_id=key))
    calls = visible_rows(viewer, ToolCall.objects.order_by())
    yield from _call_pages(calls.filter(call_id=key))
    yield from (
        reverse("console:approvals:detail", args=[call_id])
        for call_id in visible_requests(viewer).filter(call_id=key).values_list("call_id", flat=True)[:1]
    )
    yield from _history(viewer, str(key))
    if near := _instants_near(key):
        yield from _entry_pages(entries.filter(recorded_at__range=near, request_id=key.hex))
        yield from _call_pages(calls.filter(at__range=near, request_id=key.hex))


def _instants_near(key: UUID) -> tuple[datetime, datetime] | None:
    """Return when the request with this id arrived; None for ids of others. No index has it, but the time leads there.

    `mcpbridge.core.ids` makes ids that begin with their instant (RFC 9562, version 7).
    """
    if key.version != _VERSION_OF_OURS:
        return None
    try:
        made_at = datetime.fromtimestamp((key.int >> 80) / 1000, UTC)
        return made_at - _BEFORE, made_at + _AFTER
    except (ValueError, OverflowError):
        return None


def _entries(request: ConsoleRequest) -> QuerySet[Any]:
    return site.get_model_admin(AuditEvent).get_queryset(request).order_by()


def _entry_pages(rows: QuerySet[Any]) -> Iterator[str]:
    return (reverse("console:audit:detail", args=[key]) for key in rows.values_list("call_id", flat=True)[:1])


def _call_pages(rows: QuerySet[ToolCall]) -> Iterator[str]:
    return (reverse("console:activity:detail", args=[key]) for key in rows.values_list("pk", flat=True)[:1])


def _history(viewer: Viewer, record_id: str) -> Iterator[str]:
    """Return the list of what touched the record: its audit entries, else its calls."""
    models: tuple[tuple[QuerySet[Any], str], ...] = (
        (AuditEvent.objects.filter(LISTED), "audit"),
        (ToolCall.objects.all(), "activity"),
    )
    for everything, area in models:
        rows = visible_rows(viewer, everything.order_by()).filter(target_id__gt="", target_id=record_id)
        for kind in rows.values_list("target_type", flat=True)[:1]:
            yield f"{reverse(f'console:{area}:list')}?{urlencode({'target': f'{kind}:{record_id}'})}"


def _member(request: ConsoleRequest, query: str) -> str | None:
    if "@" not in query:
        return None
    keys = visible_members(request.viewer).filter(email__iexact=query).values_list("pk", flat=True)
    return next((reverse("console:members:detail", args=[pk]) for pk in keys[:1]), None)


def _connection(request: ConsoleRequest, query: str) -> str | None:
    found = Connection.objects.visible_to(request.viewer).filter(slug=query).values_list("slug", flat=True)
    for slug in found[:1]:
        return reverse("console:connections:detail", args=[slug])
    grants = visible_grants(request.viewer).filter(Q(pk=query) | Q(connection=query)).order_by("-created_at")
    return next((reverse("console:connections:grant", args=[grant.pk]) for grant in grants[:1]), None)
