"""Search each kind of object for words; every group starts from what the viewer may see."""

from collections.abc import Callable, Iterator
from typing import Any, cast

from django.db.models import Model, Q, QuerySet
from django.urls import reverse
from django.utils.http import urlencode

from hoursmith_console.audit.rows import AuditRow, audit_rows
from hoursmith_console.campaigns.models import Campaign
from hoursmith_console.connections.grants.admin import GrantAdmin
from hoursmith_console.connections.grants.labels import grant_label
from hoursmith_console.connections.models import Connection
from hoursmith_console.core.lists.admin import ReadOnlyModelAdmin
from hoursmith_console.core.lists.pagination import Order, keyset_page_by_window
from hoursmith_console.core.site import site
from hoursmith_console.help.library import library
from hoursmith_console.help.search import search_help
from hoursmith_console.members.queries import search_members, visible_members
from hoursmith_console.rotations.models import Rotation
from hoursmith_console.search.results import MOST_COUNTED, MOST_SHOWN, Group, Hit, all_label
from hoursmith_console.tokens.querysets import visible_clients
from hoursmith_console.workspaces.models import Member
from hoursmith_console.workspaces.viewer import ConsoleRequest
from mcpbridge.models import AuditEvent, Grant, LogDestination, ObservedToken
from mcpbridge.tools import TOOLS


def groups_for(request: ConsoleRequest, query: str) -> Iterator[Group]:
    """Yield a group for each kind in which `query` finds something."""
    kinds = (
        _tokens,
        _members,
        _connections,
        _grants,
        _assistants,
        _rotations,
        _campaigns,
        _destinations,
        _tools,
        _entries,
    )
    return (group for kind in kinds if (group := kind(request, query)) is not None)


def help_group(query: str) -> Group | None:
    """Return the sections of the help that match best."""
    found = search_help(library(), query)
    hits = [
        Hit("".join(part for part, _ in each.heading), each.address, "".join(part for part, _ in each.excerpt))
        for each in found[:3]
    ]
    return Group("Help", hits, True, _list("help", query), "Search the help") if hits else None


def _tokens(request: ConsoleRequest, query: str) -> Group | None:
    def hit(token: ObservedToken) -> Hit:
        about = f"{token.masked_token} · {token.role.capitalize() or 'unknown role'}"
        address = reverse("console:tokens:detail", args=[token.pk])
        return Hit(token.token_name or "Unnamed token", address, about, token.last_used_at)

    return _listed(request, ObservedToken, query, "tokens", hit)


def _connections(request: ConsoleRequest, query: str) -> Group | None:
    def hit(connection: Connection) -> Hit:
        about = f"{connection.owner.name} · {connection.get_access_display()}"
        return Hit(connection.label, reverse("console:connections:detail", args=[connection.slug]), about)

    return _listed(request, Connection, query, "connections", hit, "owner")


def _grants(request: ConsoleRequest, query: str) -> Group | None:
    def hit(grant: Grant) -> Hit:
        about = f"{grant.masked_token} · {'ended' if grant.ended_at else 'authorized'}"
        return Hit(grant_label(grant), reverse("console:connections:grant", args=[grant.pk]), about, grant.created_at)

    area = GrantAdmin(Grant, site)
    rows, _ = area.get_search_results(request, area.get_queryset(request), query)
    more = f"{reverse('console:connections:grants')}?{urlencode({'q': query})}"
    return _group("Authorized assistants", rows, hit, more, "authorized assistants")


def _rotations(request: ConsoleRequest, query: str) -> Group | None:
    def hit(rotation: Rotation) -> Hit:
        state = rotation.get_outcome_display() if rotation.ended_at else "In progress"
        about = f"{rotation.masked_token} · {rotation.get_kind_display()} · {state}"
        return Hit(rotation.token_name or "Unnamed token", rotation.get_absolute_url(), about, rotation.requested_at)

    return _listed(request, Rotation, query, "rotations", hit)


def _listed(
    request: ConsoleRequest, model: type[Model], query: str, area: str, hit: Callable[[Any], Hit], *related: str
) -> Group | None:
    """Search as the list of `area` does, so that the link to it shows exactly the rows that were counted."""
    admin = cast(ReadOnlyModelAdmin, site.get_model_admin(model))
    rows, repeats = admin.get_search_results(request, admin.get_queryset(request), query)
    rows = rows.select_related(*related) if related else rows
    return _group(area.capitalize(), rows.distinct() if repeats else rows, hit, _list(area, query), area)


def _members(request: ConsoleRequest, query: str) -> Group | None:
    def hit(member: Member) -> Hit:
        return Hit(member.name, reverse("console:members:detail", args=[member.pk]), member.email)

    found = search_members(visible_members(request.viewer), query)
    return _group("Members", found, hit, _list("members", query), "members")


def _assistants(request: ConsoleRequest, query: str) -> Group | None:
    named = visible_clients(request.viewer).filter(name__icontains=query).order_by("name")
    found = list(named.values_list("name", flat=True).distinct()[: MOST_SHOWN + 1])
    hits = [
        Hit(name, f"{reverse('console:activity:list')}?{urlencode({'assistant': name})}", "its calls")
        for name in found[:MOST_SHOWN]
    ]
    return Group("Assistants", hits, len(found) <= MOST_SHOWN) if hits else None


def _campaigns(request: ConsoleRequest, query: str) -> Group | None:
    viewer = request.viewer
    if not viewer.member.sees_workspace:
        return None

    def hit(campaign: Campaign) -> Hit:
        address = reverse("console:campaigns:detail", args=[campaign.pk])
        return Hit(campaign.title, address, f"due {campaign.due_on:%-d %b %Y}", campaign.created_at)

    ours = Campaign.objects.filter(workspace_id=viewer.member.workspace_id).order_by("-created_at", "-pk")
    matching = ours.filter(Q(title__icontains=query) | Q(reason__icontains=query))
    return _group("Campaigns", matching, hit, reverse("console:campaigns:list"), "")


def _destinations(request: ConsoleRequest, query: str) -> Group | None:
    viewer = request.viewer
    if not viewer.member.sees_workspace:
        return None

    def hit(destination: LogDestination) -> Hit:
        address = reverse("console:audit:destination", args=[destination.pk])
        return Hit(destination.name, address, destination.get_kind_display())

    matching = LogDestination.objects.filter(org_id=viewer.org_id, name__icontains=query).order_by("name", "pk")
    return _group("Log destinations", matching, hit, reverse("console:audit:destinations"), "")


def _tools(request: ConsoleRequest, query: str) -> Group | None:
    words = query.lower().replace(" ", "_")
    hits = [
        Hit(tool.name, f"{reverse('console:activity:list')}?{urlencode({'tool': tool.name})}", tool.title)
        for tool in TOOLS.values()
        if len(words) > 2 and words in tool.name
    ]
    # A tool is no single object: its link leads to a list.
    return Group("Tools", hits[:MOST_SHOWN], False) if hits else None


def _entries(request: ConsoleRequest, query: str) -> Group | None:
    """Search the audit log from its newest entry back, for as long as a list may take."""
    viewer = request.viewer
    admin = cast(ReadOnlyModelAdmin, site.get_model_admin(AuditEvent))
    rows, _ = admin.get_search_results(request, admin.visible_to(viewer), query)
    everything = AuditEvent.objects.filter(org_id=viewer.org_id)
    page = keyset_page_by_window(rows.defer(*admin.list_defer), everything, Order("recorded_at"), None, MOST_SHOWN)
    hits = [_entry(row) for row in audit_rows(viewer, page.rows)]
    is_complete = not page.has_more and page.reached is None
    more = "" if is_complete and not hits else _list("audit", query)
    return Group("Audit log", hits, is_complete, more, "Search the audit log") if more else None


def _entry(row: AuditRow) -> Hit:
    address = reverse("console:audit:detail", args=[row.key])
    if row.event:
        return Hit(f"{row.event.title} {row.event.target}".strip(), address, row.event.actor, row.event.row.recorded_at)
    assert row.call is not None  # noqa: S101 – a row is one or the other
    intent = row.call.intent
    name = f"{row.call.description.title} {intent.target_label or intent.target_id}".strip()
    return Hit(name, address, f"{intent.client_name or 'Unnamed assistant'} · {row.call.state.label}", intent.at)


def _group(kind: str, rows: "QuerySet[Any]", hit: Callable[[Any], Hit], more: str, noun: str) -> Group | None:
    found = list(rows[: MOST_SHOWN + 1])
    if not found:
        return None
    hits = [hit(each) for each in found[:MOST_SHOWN]]
    if len(found) <= MOST_SHOWN:
        return Group(kind, hits)
    if not noun:
        return Group(kind, hits, False, more, f"All {kind.lower()}")
    total = rows.order_by()[: MOST_COUNTED + 1].count()
    return Group(kind, hits, False, more, all_label(total, noun))


def _list(area: str, query: str) -> str:
    return f"{reverse(f'console:{area}:list')}?{urlencode({'q': query})}"
