"""Page that revokes one token."""

from django import forms
from django.conf import settings
from django.contrib import messages
from django.core.exceptions import PermissionDenied
from django.db import Error
from django.http import HttpResponse, HttpResponseBase, HttpResponseRedirect
from django.urls import reverse
from django.utils import timezone

from hoursmith_console.core.forms import Form
from hoursmith_console.core.permissions import recent_auth_required
from hoursmith_console.core.views import render_page
from hoursmith_console.rotations.actions import revoke_token
from hoursmith_console.rotations.permissions import can_rotate
from hoursmith_console.rotations.progress.sync import sync_rotation
from hoursmith_console.rotations.services import RotationError
from hoursmith_console.token_inventory.blocking.views import token_card
from hoursmith_console.token_inventory.rows import clients_of
from hoursmith_console.token_inventory.status import token_statuses
from hoursmith_console.token_issuer import current_issuer
from hoursmith_console.tokens.labels import TokenLabel
from hoursmith_console.tokens.querysets import visible_tokens
from hoursmith_console.workspaces.viewer import ConsoleRequest
from mcpbridge.audit.errors import AuditUnavailableError
from mcpbridge.models import ObservedToken, TokenRef


class RevokeForm(Form):
    """Reason for a revocation."""

    reason = forms.CharField(label="Reason", help_text="Recorded in the audit log.", max_length=200, strip=True)


def revoke(request: ConsoleRequest) -> HttpResponseBase:
    """Ask for a reason; POST revokes the token in the sandbox, or leads to Hoursmith's page and waits for evidence."""
    card = token_card(request)
    if not can_rotate(request.viewer.member, card.owner):
        raise PermissionDenied
    return _guarded(request, card)


def _revoke(request: ConsoleRequest, card: TokenLabel) -> HttpResponse:
    form, status = RevokeForm(request.POST or None), 200
    if request.method == "POST":
        status = 400
        if form.is_valid():
            try:
                return _revoked(request, card, form.cleaned_data["reason"])
            except (RotationError, AuditUnavailableError) as error:
                status = 409 if isinstance(error, RotationError) else 503
                form.add_error(None, str(error))
    tokens = list(visible_tokens(request.viewer).filter(env=card.env, prefix=card.prefix))
    clients = clients_of(tokens)
    return render_page(
        request,
        "tokens/revoke.html",
        title="Revoke token",
        status=status,
        card=card,
        form=form,
        state=token_statuses(request.viewer, [ObservedToken(env=card.env, prefix=card.prefix)])[
            TokenRef(card.env, card.prefix)
        ],
        assistants=list(dict.fromkeys(each.name for token in tokens for each in clients[token.pk] if each.name)),
        supports_minting=current_issuer().supports_minting,
        tokens_url=settings.HOURSMITH_TOKENS_URL,
        next=reverse("console:tokens:detail", args=[card.page]) if card.page else reverse("console:tokens:list"),
    )


_guarded = recent_auth_required(_revoke)


def _revoked(request: ConsoleRequest, card: TokenLabel, reason: str) -> HttpResponse:
    rotation = revoke_token(env=card.env, prefix=card.prefix, member=request.viewer.member, reason=reason)
    try:
        sync_rotation(rotation=rotation, now=timezone.now())
    except (AuditUnavailableError, Error):
        # It is revoked; the next sync ends it.
        rotation.refresh_from_db()
    if rotation.revoked_at is None:
        messages.info(request, "Revoke the token on Hoursmith’s page, then confirm it here.")
    else:
        messages.success(request, f"{card.public} revoked.")
    return HttpResponseRedirect(rotation.get_absolute_url())
