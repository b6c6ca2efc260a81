"""Connects an assistant, one thing to do a screen; what was done stays done, and one can go on another day."""

from typing import Any

from django.core.exceptions import PermissionDenied
from django.http import HttpResponse, HttpResponseBase, HttpResponseRedirect
from django.template.response import TemplateResponse
from django.urls import reverse

from hoursmith_console.connections.catalogue import CLIENTS
from hoursmith_console.connections.catalogue.mcp_client import SLOT
from hoursmith_console.connections.catalogue.pages import catalogue_families, things_to_ask
from hoursmith_console.connections.context import (
    evidence_context,
    found_connection,
    newest_prefix,
    owns,
    rail,
    setup_of,
    standing_now,
)
from hoursmith_console.connections.forms import ConnectionForm
from hoursmith_console.connections.models import Access, Connection
from hoursmith_console.connections.services import connection_create
from hoursmith_console.core.permissions import recent_auth_required
from hoursmith_console.token_issuer import current_issuer
from hoursmith_console.token_issuer.minting import AlreadyMintedError, MissingFormIdError, mint_token, new_form_id
from hoursmith_console.token_issuer.protocol import MintedToken, MintingUnsupportedError, UnknownMemberError
from hoursmith_console.tokens.shown_once import shown_once
from hoursmith_console.workspaces.viewer import ConsoleRequest
from mcpbridge.audit.errors import AuditUnavailableError

# Hoursmith's own server does not call here, so there would be nothing to see of it.
UNSEEN = "vendor"
SCOPES = {Access.FULL: ("read", "write"), Access.READ_ONLY: ("read",)}


def choose(request: ConsoleRequest) -> HttpResponse:
    """The clients that the catalogue knows."""
    chosen = request.GET.get("client", "")
    families = [(family, [each for each in found if each.key != UNSEEN]) for family, found in catalogue_families()]
    return _page(request, "client", "Connect an assistant", families=families, chosen=chosen)


def details(request: ConsoleRequest) -> HttpResponse:
    """What the connection is called and may do; POST makes it."""
    client = CLIENTS.get(request.GET.get("client", ""))
    if client is None or client.key == UNSEEN:
        return HttpResponseRedirect(reverse("console:connections:new"))
    member = request.viewer.member
    proposed = f"{client.title} on {member.name.partition(' ')[0]}’s machine"
    form = ConnectionForm(request.POST if request.method == "POST" else None, initial={"label": proposed})
    status = 200
    if request.method == "POST" and form.is_valid():
        try:
            made = connection_create(
                workspace=member.workspace,
                owner=member,
                client=client.key,
                label=form.cleaned_data["label"],
                access=form.cleaned_data["access"],
                actor=member.display_identity,
            )
        except AuditUnavailableError as error:
            form.add_error(None, str(error))
            status = 503
        else:
            return HttpResponseRedirect(reverse("console:connections:token", args=[made.slug]))
    elif request.method == "POST":
        status = 400
    return _page(request, "name", f"Connect {client.title}", status=status, client=client, form=form)


def token(request: ConsoleRequest, key: str) -> HttpResponseBase:
    """How the person comes by a token; POST mints one where this console can, and shows it in the answer."""
    connection = _own(request, key)
    if request.method == "POST":
        return recent_auth_required(_mint)(request, connection)
    return _token_page(request, connection)


def setup(request: ConsoleRequest, key: str) -> HttpResponse:
    """What to put where, and the evidence that it works."""
    connection = _own(request, key)
    standing = standing_now(request.viewer, connection)
    return _page(request, "setup", _setup_title(connection), connection, setup=setup_of(standing))


def ask(request: ConsoleRequest, key: str) -> HttpResponse:
    """Things to ask."""
    connection = _own(request, key)
    prompts = things_to_ask(is_readonly=connection.access == Access.READ_ONLY)
    return _page(request, "ask", "Ask it something", connection, prompts=prompts)


def evidence(request: ConsoleRequest, key: str) -> HttpResponse:
    """The evidence line alone, for the script that keeps it fresh; 204 where nothing has changed since."""
    standing = standing_now(request.viewer, found_connection(request, key))
    if request.GET.get("mark") == standing.mark and not standing.is_settled:
        return HttpResponse(status=204)
    context = evidence_context(request.viewer, standing, place=request.GET.get("place", ""))
    return TemplateResponse(request, "connections/_evidence.html", context)


def _mint(request: ConsoleRequest, connection: Connection) -> HttpResponse:
    member = request.viewer.member
    try:
        minted = mint_token(
            member=member,
            name=connection.label,
            scopes=SCOPES[Access(connection.access)],
            form=request.POST.get("mark", ""),
            actor=member.display_identity,
        )
    except AlreadyMintedError as error:
        return _already(request, connection, error)
    except MintingUnsupportedError:
        return HttpResponseRedirect(reverse("console:connections:token", args=[connection.slug]))
    except MissingFormIdError:
        return _refused(request, connection, "This form is not complete. Load this page again.", 400)
    except UnknownMemberError:
        words = "Hoursmith does not know you as a member of this workspace, so there is nobody to make a token for."
        return _refused(request, connection, words, 409)
    except AuditUnavailableError as error:
        return _refused(request, connection, str(error), 503)
    return _shown(request, connection, minted)


def _shown(request: ConsoleRequest, connection: Connection, minted: MintedToken) -> HttpResponse:
    standing = standing_now(request.viewer, connection)
    context = _context(request, "setup", _setup_title(connection), connection)
    made = setup_of(standing, prefix=minted.prefix, token=minted.plaintext)
    address = reverse("console:connections:setup", args=[connection.slug])
    context |= {"minted": minted, "done_address": address, "setup": made}
    return shown_once(request, "connections/setup.html", context)


def _already(request: ConsoleRequest, connection: Connection, error: AlreadyMintedError) -> HttpResponse:
    context = _context(request, "token", "Shown once", connection) | {
        "claim": error.claim,
        "done_address": reverse("console:connections:setup", args=[connection.slug]),
        "again_address": reverse("console:connections:token", args=[connection.slug]),
    }
    return TemplateResponse(request, "tokens/already_minted.html", context, status=409)


def _refused(request: ConsoleRequest, connection: Connection, words: str, status: int) -> HttpResponse:
    return _token_page(request, connection, status=status, refusal=words)


def _token_page(
    request: ConsoleRequest, connection: Connection, *, status: int = 200, refusal: str = ""
) -> HttpResponse:
    issuer = current_issuer()
    return _page(
        request,
        "token",
        "Get a token",
        connection,
        status=status,
        supports_minting=issuer.supports_minting,
        tokens_page=issuer.page,
        mark=new_form_id(),
        scopes=SCOPES[Access(connection.access)],
        prefix=newest_prefix(standing_now(request.viewer, connection)),
        refusal=refusal,
    )


def _own(request: ConsoleRequest, key: str) -> Connection:
    """The viewer's own connection, not removed: who merely sees it cannot set it up."""
    connection = found_connection(request, key)
    if not owns(request.viewer, connection) or connection.removed_at is not None:
        raise PermissionDenied
    return connection


def _setup_title(connection: Connection) -> str:
    client = CLIENTS.get(connection.client)
    return f"Configure {client.title if client else connection.client}"


def _page(
    request: ConsoleRequest,
    step: str,
    title: str,
    connection: Connection | None = None,
    *,
    status: int = 200,
    **more: Any,
) -> TemplateResponse:
    context = _context(request, step, title, connection) | more
    return TemplateResponse(request, f"connections/{step}.html", context, status=status)


def _context(request: ConsoleRequest, step: str, title: str, connection: Connection | None) -> dict[str, Any]:
    context = {
        "title": title,
        "rail": rail(step, connection),
        "later_address": reverse("console:connections:list"),
        "slot": SLOT,
    }
    if connection is not None:
        context |= evidence_context(request.viewer, standing_now(request.viewer, connection), place=step)
        context["later_address"] = reverse("console:connections:detail", args=[connection.slug])
    return context
