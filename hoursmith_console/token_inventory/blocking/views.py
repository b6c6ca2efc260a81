"""Block and unblock a token at the gateway."""

from typing import TYPE_CHECKING

from django import forms
from django.contrib import messages
from django.core.exceptions import PermissionDenied
from django.http import Http404, HttpResponse, HttpResponseBase, HttpResponseRedirect
from django.shortcuts import get_object_or_404
from django.template.response import TemplateResponse
from django.urls import reverse

from hoursmith_console.core.forms import Form
from hoursmith_console.core.permissions import recent_auth_required
from hoursmith_console.core.views import next_page
from hoursmith_console.rotations.permissions import can_block, can_unblock, liftable_by
from hoursmith_console.rotations.services import latest_rotation
from hoursmith_console.tokens.labels import TokenLabel, visible_token_or_none
from hoursmith_console.tokens.prefixes import ref_from_address
from hoursmith_console.workspaces.viewer import ConsoleRequest
from mcpbridge.audit.errors import AuditUnavailableError
from mcpbridge.auth.restrictions.blocks import block_token, unblock_token
from mcpbridge.models import TokenBlock

if TYPE_CHECKING:
    from hoursmith_console.token_inventory.admin import TokenAdmin


class BlockForm(Form):
    """Reason for a block."""

    reason = forms.CharField(label="Reason", help_text="Recorded in the audit log.", max_length=200, strip=True)


class BlockViews:
    """`/tokens/contain/` and `/tokens/release/`. Both ask once more who is there."""

    def __init__(self, admin: "TokenAdmin") -> None:
        self._admin = admin
        self._block_guarded = recent_auth_required(self._block)
        self._unblock_guarded = recent_auth_required(self._unblock)

    def block(self, request: ConsoleRequest) -> HttpResponseBase:
        """Ask for a reason; POST blocks the token on every worker from the next request."""
        card = token_card(request)
        if not can_block(request.viewer.member, card.owner):
            raise PermissionDenied
        return self._block_guarded(request, card)

    def unblock(self, request: ConsoleRequest) -> HttpResponseBase:
        """Unblock the token on POST; a GET, as after re-authentication, changes nothing."""
        card = token_card(request)
        if request.method != "POST":
            return HttpResponseRedirect(_next(request, card))
        ours = TokenBlock.objects.filter(org_id=request.viewer.org_id, lifted_at=None)
        block = get_object_or_404(ours, env=card.env, prefix=card.prefix)
        if not can_unblock(request.viewer.member, block):
            raise PermissionDenied
        return self._unblock_guarded(request, card, block)

    def _block(self, request: ConsoleRequest, card: TokenLabel) -> HttpResponse:
        viewer, form, status = request.viewer, BlockForm(request.POST or None), 200
        if request.method == "POST":
            status = 400
            if form.is_valid():
                try:
                    block_token(
                        env=card.env,
                        prefix=card.prefix,
                        org_id=viewer.org_id,
                        actor=viewer.member.display_identity,
                        reason=form.cleaned_data["reason"],
                        liftable_by=liftable_by(viewer.member),
                    )
                except AuditUnavailableError as error:
                    status = 503
                    form.add_error(None, str(error))
                else:
                    messages.success(request, "Token blocked.")
                    return HttpResponseRedirect(_next(request, card))
        context = {
            "title": "Block token",
            "card": card,
            "form": form,
            "next": _next(request, card),
        }
        return TemplateResponse(request, "tokens/block.html", context, status=status)

    def _unblock(self, request: ConsoleRequest, card: TokenLabel, block: TokenBlock) -> HttpResponse:
        try:
            unblock_token(block=block, actor=request.viewer.member.display_identity)
        except AuditUnavailableError as error:
            messages.error(request, str(error))
        else:
            messages.success(request, "Token unblocked.")
        return HttpResponseRedirect(_next(request, card))


def token_card(request: ConsoleRequest) -> TokenLabel:
    """Return the token that the address names. Raises Http404 if the viewer does not see it."""
    key = ref_from_address(request.GET.get("token", ""))
    card = visible_token_or_none(request.viewer, key) if key else None
    if card is None:
        raise Http404("Token not found.")
    return card


def _next(request: ConsoleRequest, card: TokenLabel) -> str:
    """Return where to continue: the page that the address names, the token's open rotation, or its page."""
    if target := next_page(request):
        return target
    rotation = latest_rotation(env=card.env, prefix=card.prefix, workspace=request.viewer.member.workspace)
    if rotation is not None and rotation.ended_at is None:
        return reverse("console:rotations:detail", args=[rotation.pk])
    return reverse("console:tokens:detail", args=[card.page]) if card.page else reverse("console:tokens:list")
