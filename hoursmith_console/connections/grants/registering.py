"""Register an assistant by hand: for those that ask for a client id and secret instead of registering themselves.

The registration is the signed client id itself, so nothing is stored; the page with the secret is shown once.
"""

from typing import Any

from django import forms
from django.conf import settings
from django.http import Http404, HttpResponse

from hoursmith_console.connections.grants.services import RegisteredAssistant, register_by_hand
from hoursmith_console.core.forms import Form
from hoursmith_console.core.permissions import admin_required, recent_auth_required
from hoursmith_console.core.views import render_page
from hoursmith_console.workspaces.viewer import ConsoleRequest
from mcpbridge.audit.errors import AuditUnavailableError
from mcpbridge.grants import config
from mcpbridge.grants.known_clients import KNOWN_CLIENTS, KnownClient
from mcpbridge.grants.redirects import MAX_LENGTH
from mcpbridge.grants.resources import OFFLINE, READ, WRITE

# Those with a metadata document bring their own client id.
BY_HAND = {each.name: each for each in KNOWN_CLIENTS if not each.client_ids}


class RegistrationForm(Form):
    """A known assistant, and the redirect address that it shows where each user or connector has its own."""

    assistant = forms.ChoiceField(
        label="Assistant",
        choices=[(name, name) for name in BY_HAND],
        error_messages={"required": "Choose the assistant.", "invalid_choice": "Choose one of these assistants."},
    )
    redirect = forms.CharField(
        label="Redirect URL",
        required=False,
        max_length=MAX_LENGTH,
        help_text="As the assistant shows it. Leave it empty for an assistant that shows none.",
        widget=forms.TextInput(attrs={"autocomplete": "off", "spellcheck": "false"}),
    )

    def clean(self) -> dict[str, Any]:
        """Refuse an address that is not the chosen assistant's."""
        said: dict[str, Any] = super().clean() or {}
        known = BY_HAND.get(said.get("assistant", ""))
        if known is None or "redirect" not in said:
            return said
        said["redirects"] = [said["redirect"]] if said["redirect"] else fixed_redirects(known)
        if not said["redirects"]:
            self.add_error("redirect", f"{known.name} has a redirect URL for each connection. Copy it from there.")
        elif said["redirect"] and not known.has_redirect(said["redirect"]):
            self.add_error("redirect", f"This is not a redirect URL of {known.name}. Copy it from there, unchanged.")
        return said


def fixed_redirects(known: KnownClient) -> list[str]:
    """Return the assistant's redirect addresses that are the same for everyone."""
    return [each for each in known.redirects if "{id}" not in each]


@admin_required
@recent_auth_required
def register_assistant(request: ConsoleRequest) -> HttpResponse:
    """Ask which assistant to register; POST shows its client id and secret once."""
    if not config.is_enabled():
        raise Http404("Assistants cannot sign in to this console.")
    form = RegistrationForm(request.POST if request.method == "POST" else None)
    if not form.is_bound:
        return _form_page(request, form)
    if not form.is_valid():
        return _form_page(request, form, status=400)
    name = form.cleaned_data["assistant"]
    try:
        made = register_by_hand(member=request.viewer.member, name=name, redirects=form.cleaned_data["redirects"])
    except AuditUnavailableError as error:
        form.add_error(None, str(error))
        return _form_page(request, form, status=503)
    return _registered_page(request, name, made)


def _form_page(request: ConsoleRequest, form: RegistrationForm, *, status: int = 200) -> HttpResponse:
    title = "Register an assistant"
    return render_page(request, "connections/grants/register.html", status=status, title=title, form=form)


def _registered_page(request: ConsoleRequest, name: str, made: RegisteredAssistant) -> HttpResponse:
    issuer = config.issuer()
    page = render_page(
        request,
        "connections/grants/registered.html",
        title=f"{name} registered",
        name=name,
        # Without a referrer no form of this page would be accepted, so it has none.
        is_shown_once=True,
        rows=[
            ("Client ID", made.client_id),
            ("Client secret", made.secret),
            ("Authorization URL", f"{issuer}/authorize"),
            ("Token URL", f"{issuer}/token"),
            ("Refresh URL", f"{issuer}/token"),
            ("Scopes", f"{READ} {WRITE} {OFFLINE}"),
            ("MCP server URL", f"{settings.PUBLIC_URL}/mcp"),
        ],
    )
    page["Cache-Control"] = "no-store, private, max-age=0"
    page["Referrer-Policy"] = "no-referrer"
    return page
