"""The doctor's page: which of the usual troubles it is, from what the bridge saw."""

from datetime import datetime

from django.db.models import Exists, OuterRef, QuerySet
from django.http import Http404, HttpResponse
from django.template.response import TemplateResponse

from hoursmith_console.connections.catalogue import client_kind_of
from hoursmith_console.connections.context import evidence_context, found_connection, owns, standing_now
from hoursmith_console.connections.diagnostics.checks import Evidence, Verdict, diagnosis
from hoursmith_console.connections.models import Connection
from hoursmith_console.connections.status import Standing
from hoursmith_console.tokens.models import TokenClaim
from hoursmith_console.tokens.querysets import visible_tokens
from hoursmith_console.workspaces.viewer import ConsoleRequest, Viewer
from mcpbridge.models import ObservedClient, ObservedToken, RejectedCredential

ATTEMPTS = 10


def doctor(request: ConsoleRequest, key: str) -> HttpResponse:
    """The five findings, and the attempts that were turned away at this connection's address."""
    connection = found_connection(request, key)
    standing = standing_now(request.viewer, connection)
    if standing.client is None:
        raise Http404("The catalogue no longer lists this client.")
    findings = diagnosis(client=standing.client, evidence=evidence_of(standing))
    context = {
        **evidence_context(request.viewer, standing, place="doctor"),
        "title": "Doctor",
        "findings": findings,
        "found": [each for each in findings if each.verdict is Verdict.FOUND],
        "possible": [each for each in findings if each.verdict is Verdict.POSSIBLE],
        "refused": _rejected(request.viewer, connection)[:ATTEMPTS],
        "is_own": owns(request.viewer, connection),
    }
    return TemplateResponse(request, "connections/troubleshoot.html", context)


def _rejected(viewer: Viewer, connection: Connection) -> QuerySet[RejectedCredential]:
    """Rejected requests at the connection's address, but for those with tokens that the viewer may not see."""
    same = {"env": OuterRef("env"), "prefix": OuterRef("prefix")}
    in_sight = visible_tokens(viewer).order_by().filter(**same)
    others = Exists(ObservedToken.objects.order_by().filter(**same)) & ~Exists(in_sight)
    return RejectedCredential.objects.filter(connection=connection.slug).exclude(others)


def evidence_of(standing: Standing) -> Evidence:
    """What the bridge and the list of tokens know of the connection."""
    seen = standing.seen
    claims = {(claim.env, claim.prefix): claim for claim in _claims(standing.connection)}
    newest = max(claims.values(), key=lambda claim: claim.claimed_at, default=None)
    sent = claims.get((seen.fault_env, seen.fault_prefix))
    is_newer = bool(newest and seen.fault_prefix and newest != sent)
    return Evidence(
        fault=seen.fault,
        fault_at=seen.fault_at,
        # Of a token that is not the owner's nobody here needs to know more than that it was refused.
        fault_token=sent.masked_token if sent else "",
        last_seen_at=seen.last_seen_at,
        called_at=seen.called_at,
        elsewhere_at=_elsewhere(standing.connection, [prefix for _, prefix in claims]),
        newer_token=newest.masked_token if newest and is_newer else "",
    )


def _claims(connection: Connection) -> list[TokenClaim]:
    return list(TokenClaim.objects.filter(member_id=connection.owner_id))


def _elsewhere(connection: Connection, prefixes: list[str]) -> datetime | None:
    """When the same kind of client last called with a token of the owner's, but at the address without an id."""
    seen = ObservedClient.objects.filter(
        token__org_id=connection.workspace.org_id,
        token__prefix__in=prefixes,
        connection="",
        last_seen_at__gte=connection.created_at,
    )
    instants = seen.order_by("-last_seen_at").values_list("name", "last_seen_at")
    return next((at for name, at in instants if client_kind_of(name) == connection.client), None)
