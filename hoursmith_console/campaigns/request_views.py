"""Page that requests the rotation or revocation of one token."""

from django.contrib import messages
from django.core.exceptions import PermissionDenied
from django.http import Http404, HttpResponse, HttpResponseRedirect
from django.shortcuts import get_object_or_404
from django.urls import reverse
from django.utils import timezone

from hoursmith_console.campaigns.criteria import Criteria
from hoursmith_console.campaigns.forms import DEFAULT_PERIOD, RequestForm
from hoursmith_console.campaigns.models import CampaignKind
from hoursmith_console.campaigns.services import start_campaign
from hoursmith_console.core.views import next_page, render_page
from hoursmith_console.rotations.notices.mails import is_mail_configured
from hoursmith_console.rotations.services import latest_rotation
from hoursmith_console.tokens.labels import TokenLabel, visible_token_or_none
from hoursmith_console.tokens.prefixes import ref_from_address
from hoursmith_console.tokens.querysets import visible_tokens
from hoursmith_console.workspaces.viewer import ConsoleRequest
from mcpbridge.audit.errors import AuditUnavailableError
from mcpbridge.models import ObservedToken


def request_one(request: ConsoleRequest) -> HttpResponse:
    """Ask for reason, urgency and date; POST requests it of the owner."""
    ref = ref_from_address(request.GET.get("token", ""))
    card = visible_token_or_none(request.viewer, ref) if ref else None
    if ref is None or card is None:
        raise Http404("Token not found.")
    if card.owner is not None and card.owner.pk == request.viewer.member.pk:
        # Members rotate and revoke their own tokens on the token’s page.
        raise PermissionDenied
    token = get_object_or_404(visible_tokens(request.viewer), env=ref.env, prefix=ref.prefix)
    given = {"kind": request.GET.get("kind", ""), "due_on": timezone.now().date() + DEFAULT_PERIOD}
    form = RequestForm(request.POST or None, initial={**given, "kind": given["kind"] or CampaignKind.ROTATION})
    if request.method == "POST" and form.is_valid():
        try:
            return _requested(request, token, card, form)
        except AuditUnavailableError as error:
            form.add_error(None, str(error))
            return _page(request, token, card, form, status=503)
    return _page(request, token, card, form, status=400 if request.method == "POST" else 200)


def _requested(request: ConsoleRequest, token: ObservedToken, card: TokenLabel, form: RequestForm) -> HttpResponse:
    kind = CampaignKind(form.cleaned_data["kind"])
    verb = "Revoke" if kind is CampaignKind.REVOCATION else "Rotate"
    campaign = start_campaign(
        workspace=request.viewer.member.workspace,
        title=f"{verb}: {token.token_name or token.masked_token}"[:120],
        criteria=Criteria(token=card.address),
        due_on=form.cleaned_data["due_on"],
        tokens=[token],
        actor=request.viewer.member.display_identity,
        reason=form.cleaned_data["reason"],
        kind=kind,
    )
    who = f"{card.owner.name} has been notified." if card.owner else "It has no known owner to notify."
    messages.success(request, f"{campaign.asks_for.capitalize()} requested. {who}")
    return HttpResponseRedirect(next_page(request) or reverse("console:campaigns:detail", args=[campaign.pk]))


def _page(
    request: ConsoleRequest, token: ObservedToken, card: TokenLabel, form: RequestForm, *, status: int
) -> HttpResponse:
    latest = latest_rotation(env=token.env, prefix=token.prefix, workspace=request.viewer.member.workspace)
    return render_page(
        request,
        "campaigns/request.html",
        title="Request rotation or revocation",
        area_title="Tokens",
        area_address="console:tokens:list",
        status=status,
        token=token,
        card=card,
        form=form,
        next=next_page(request),
        rotation=latest if latest is not None and latest.ended_at is None else None,
        can_mail=is_mail_configured(),
    )
