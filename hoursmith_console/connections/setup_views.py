"""Setup wizard of a connection, one step per page; it can be resumed later."""

from typing import Any

from django.core.exceptions import PermissionDenied
from django.http import HttpResponse, HttpResponseBase, HttpResponseRedirect
from django.template.response import TemplateResponse
from django.urls import reverse

from hoursmith_console.accounts.reauthentication import has_recent_auth
from hoursmith_console.connections.catalogue import MCP_CLIENTS
from hoursmith_console.connections.catalogue.mcp_client import SLOT, Family, McpClient
from hoursmith_console.connections.catalogue.pages import catalogue_families, example_prompts
from hoursmith_console.connections.context import (
    current_status,
    evidence_context,
    get_connection_or_404,
    is_owner,
    newest_prefix,
    setup_for,
    wizard_steps,
)
from hoursmith_console.connections.forms import ConnectionForm
from hoursmith_console.connections.models import Access, Connection
from hoursmith_console.connections.services import SCOPES, connect_with_token, create_connection
from hoursmith_console.core.permissions import recent_auth_required
from hoursmith_console.token_issuer import current_issuer
from hoursmith_console.token_issuer.minting import AlreadyMintedError, MissingFormIdError, mint_token, new_form_id
from hoursmith_console.token_issuer.protocol import MintedToken, MintingUnsupportedError, UnknownMemberError
from hoursmith_console.tokens.shown_once import shown_once
from hoursmith_console.workspaces.viewer import ConsoleRequest
from mcpbridge.audit.errors import AuditUnavailableError

# Hoursmith's own server bypasses this console, so a connection would show nothing.
UNOBSERVED = "vendor"
INCOMPLETE = "The form is incomplete. Reload the page."
NOT_A_MEMBER = "You are not a member of this workspace in Hoursmith, so a token can’t be created."


def choose(request: ConsoleRequest) -> HttpResponse:
    """Choose one of the catalogue's clients."""
    chosen = request.GET.get("client", "")
    families = [(family, [each for each in found if each.key != UNOBSERVED]) for family, found in catalogue_families()]
    return _page(request, "client", "Connect an assistant", families=families, chosen=chosen)


def details(request: ConsoleRequest) -> HttpResponseBase:
    """Ask for name and permissions; POST creates the connection, and with a `mark` its token, shown in the response.

    Where this console creates tokens, re-authentication comes before the form, so that nothing filled in is lost.
    """
    client = MCP_CLIENTS.get(request.GET.get("client", ""))
    if client is None or client.key == UNOBSERVED:
        return HttpResponseRedirect(reverse("console:connections:new"))
    if request.method == "POST":
        return _create(request, client)
    member = request.viewer.member
    place = "in {}’s account" if client.family is Family.HOSTED else "on {}’s machine"
    proposed = f"{client.title} {place.format(member.name.partition(' ')[0])}"
    page = recent_auth_required(_name_page) if current_issuer().supports_minting else _name_page
    return page(request, client, ConnectionForm(initial={"label": proposed}))


def _create(request: ConsoleRequest, client: McpClient) -> HttpResponse:
    member, form = request.viewer.member, ConnectionForm(request.POST)
    if not form.is_valid():
        return _name_page(request, client, form, status=400)
    chosen, mark = {"client": client.key, **form.cleaned_data}, request.POST.get("mark", "")
    try:
        # Re-authentication may have expired since the form was shown: the connection keeps what was chosen.
        if not (mark and current_issuer().supports_minting and has_recent_auth(request)):
            connection = create_connection(
                workspace=member.workspace, owner=member, actor=member.display_identity, **chosen
            )
            return HttpResponseRedirect(reverse("console:connections:token", args=[connection.slug]))
        connection, minted = connect_with_token(owner=member, form=mark, **chosen)
    except AlreadyMintedError as error:
        return _already(request, error, None)
    except MissingFormIdError:
        return _name_page(request, client, form, status=400, refusal=INCOMPLETE)
    except UnknownMemberError:
        return _name_page(request, client, form, status=409, refusal=NOT_A_MEMBER)
    except AuditUnavailableError as error:
        return _name_page(request, client, form, status=503, refusal=str(error))
    return _shown(request, connection, minted)


def _name_page(
    request: ConsoleRequest, client: McpClient, form: ConnectionForm, *, status: int = 200, refusal: str = ""
) -> HttpResponse:
    if refusal:
        form.add_error(None, refusal)
    return _page(
        request,
        "name",
        f"Connect {client.title}",
        status=status,
        client=client,
        form=form,
        mark=new_form_id(),
        supports_minting=current_issuer().supports_minting,
    )


def token(request: ConsoleRequest, key: str) -> HttpResponseBase:
    """Explain how to get a token; POST creates one, if this console can, and shows it in the response."""
    connection = _own(request, key)
    if request.method == "POST":
        return recent_auth_required(_mint)(request, connection)
    return _token_page(request, connection)


def setup(request: ConsoleRequest, key: str) -> HttpResponse:
    """Show the setup instructions and the connection's live status."""
    connection = _own(request, key)
    connection_status = current_status(request.viewer, connection)
    return _page(
        request,
        "setup",
        _setup_title(connection),
        connection,
        setup=setup_for(connection_status),
        was_shown="shown" in request.GET,
    )


def ask(request: ConsoleRequest, key: str) -> HttpResponse:
    """Suggest prompts."""
    connection = _own(request, key)
    prompts = example_prompts(is_readonly=connection.access == Access.READ_ONLY)
    return _page(request, "ask", "Try a prompt", connection, prompts=prompts)


def evidence(request: ConsoleRequest, key: str) -> HttpResponse:
    """Render the live status as a fragment, polled by its page; 204 if nothing changed."""
    connection_status = current_status(request.viewer, get_connection_or_404(request, key))
    if request.GET.get("mark") == connection_status.mark and not connection_status.is_settled:
        return HttpResponse(status=204)
    context = evidence_context(request.viewer, connection_status, place=request.GET.get("place", ""))
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
        return _already(request, error, connection)
    except MintingUnsupportedError:
        return HttpResponseRedirect(reverse("console:connections:token", args=[connection.slug]))
    except MissingFormIdError:
        return _refused(request, connection, INCOMPLETE, 400)
    except UnknownMemberError:
        return _refused(request, connection, NOT_A_MEMBER, 409)
    except AuditUnavailableError as error:
        return _refused(request, connection, str(error), 503)
    return _shown(request, connection, minted)


def _shown(request: ConsoleRequest, connection: Connection, minted: MintedToken) -> HttpResponse:
    connection_status = current_status(request.viewer, connection)
    context = _context(request, "setup", _setup_title(connection), connection, place="once")
    context |= {
        "minted": minted,
        "setup": setup_for(connection_status, prefix=minted.prefix, token=minted.plaintext),
        "return_address": reverse("console:connections:setup", args=[connection.slug]) + "?shown=once",
        "done_address": reverse("console:connections:ask", args=[connection.slug]),
    }
    return shown_once(request, "connections/setup.html", context)


def _already(request: ConsoleRequest, error: AlreadyMintedError, connection: Connection | None) -> HttpResponse:
    done, again = reverse("console:connections:list"), reverse("console:connections:new")
    if connection is not None:
        done = reverse("console:connections:setup", args=[connection.slug])
        again = reverse("console:connections:token", args=[connection.slug])
    context = _context(request, "token", "Shown once", connection)
    context |= {"claim": error.claim, "done_address": done, "again_address": again}
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
        prefix=newest_prefix(current_status(request.viewer, connection)),
        refusal=refusal,
    )


def _own(request: ConsoleRequest, key: str) -> Connection:
    """Return the viewer's own connection; raise PermissionDenied for others' and removed ones."""
    connection = get_connection_or_404(request, key)
    if not is_owner(request.viewer, connection) or connection.removed_at is not None:
        raise PermissionDenied
    return connection


def _setup_title(connection: Connection) -> str:
    client = MCP_CLIENTS.get(connection.client)
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


def _context(
    request: ConsoleRequest, step: str, title: str, connection: Connection | None, *, place: str = ""
) -> dict[str, Any]:
    context = {
        "title": title,
        "steps": wizard_steps(step, connection),
        "later_address": reverse("console:connections:list"),
        "slot": SLOT,
    }
    if connection is not None:
        context |= evidence_context(request.viewer, current_status(request.viewer, connection), place=place or step)
        context["later_address"] = reverse("console:connections:detail", args=[connection.slug])
    return context
