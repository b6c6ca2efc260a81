"""Troubleshooting page of a connection."""

from datetime import datetime

from django.db.models import Exists, OuterRef, QuerySet
from django.http import Http404, HttpResponse
from django.template.response import TemplateResponse

from hoursmith_console.connections.catalogue import identify_client
from hoursmith_console.connections.context import current_status, evidence_context, get_connection_or_404, is_owner
from hoursmith_console.connections.diagnostics.checks import CheckResult, Evidence, run_checks
from hoursmith_console.connections.models import Connection
from hoursmith_console.connections.status import ConnectionStatus
from hoursmith_console.tokens.models import TokenClaim
from hoursmith_console.tokens.querysets import visible_tokens
from hoursmith_console.workspaces.viewer import ConsoleRequest, Viewer
from mcpbridge.models import ObservedClient, ObservedToken, RejectedCredential

ATTEMPTS = 10


def troubleshoot(request: ConsoleRequest, key: str) -> HttpResponse:
    """Show the five checks, and the rejected requests at this connection's address."""
    connection = get_connection_or_404(request, key)
    connection_status = current_status(request.viewer, connection)
    if connection_status.client is None:
        raise Http404("The catalogue does not list this client any more.")
    checks = run_checks(client=connection_status.client, evidence=collect_evidence(connection_status))
    context = {
        **evidence_context(request.viewer, connection_status, place="troubleshoot"),
        "title": "Troubleshoot connection",
        "checks": checks,
        "found": [each for each in checks if each.result is CheckResult.FOUND],
        "possible": [each for each in checks if each.result is CheckResult.POSSIBLE],
        "refused": _rejected(request.viewer, connection)[:ATTEMPTS],
        "is_own": is_owner(request.viewer, connection),
    }
    return TemplateResponse(request, "connections/troubleshoot.html", context)


def _rejected(viewer: Viewer, connection: Connection) -> QuerySet[RejectedCredential]:
    """Rejected requests at the connection's address, but for those with tokens that the viewer may not see."""
    same = {"env": OuterRef("env"), "prefix": OuterRef("prefix")}
    in_sight = visible_tokens(viewer).order_by().filter(**same)
    others = Exists(ObservedToken.objects.order_by().filter(**same)) & ~Exists(in_sight)
    return RejectedCredential.objects.filter(connection=connection.slug).exclude(others)


def collect_evidence(connection_status: ConnectionStatus) -> Evidence:
    """Collect what is known about the connection from observations and token claims."""
    seen = connection_status.seen
    claims = {(claim.env, claim.prefix): claim for claim in _claims(connection_status.connection)}
    newest = max(claims.values(), key=lambda claim: claim.claimed_at, default=None)
    sent = claims.get((seen.fault_env, seen.fault_prefix))
    is_newer = bool(newest and seen.fault_prefix and newest != sent)
    return Evidence(
        fault=seen.fault,
        fault_at=seen.fault_at,
        # The prefix of another member's token must not be disclosed.
        fault_token=sent.masked_token if sent else "",
        last_seen_at=seen.last_seen_at,
        called_at=seen.called_at,
        elsewhere_at=_elsewhere(connection_status.connection, [prefix for _, prefix in claims]),
        newer_token=newest.masked_token if newest and is_newer else "",
    )


def _claims(connection: Connection) -> list[TokenClaim]:
    return list(TokenClaim.objects.filter(member_id=connection.owner_id))


def _elsewhere(connection: Connection, prefixes: list[str]) -> datetime | None:
    """Return when the same client last called with an owner's token at the address without a connection id."""
    seen = ObservedClient.objects.filter(
        token__org_id=connection.workspace.org_id,
        token__prefix__in=prefixes,
        connection="",
        last_seen_at__gte=connection.created_at,
    )
    instants = seen.order_by("-last_seen_at").values_list("name", "last_seen_at")
    return next((at for name, at in instants if identify_client(name) == connection.client), None)
