"""Where rotations begin: for one token, or for all tokens of somebody who leaves."""

from typing import TYPE_CHECKING

from allauth.account.decorators import reauthentication_required
from django.contrib import messages
from django.core.exceptions import PermissionDenied
from django.db.models import Q
from django.http import Http404, HttpResponse, HttpResponseBase, HttpResponseRedirect
from django.shortcuts import get_object_or_404
from django.urls import reverse

from hoursmith_console.core.views import render_page
from hoursmith_console.rotations.actions import revoke_old_token
from hoursmith_console.rotations.offboarding import active_token_counts, offboard_member, offboarding_summary
from hoursmith_console.rotations.permissions import can_rotate
from hoursmith_console.rotations.services import RotationError, latest_rotation, start_rotation
from hoursmith_console.rotations.wizard.forms import OffboardForm, StartForm
from hoursmith_console.rotations.wizard.views import back_to
from hoursmith_console.token_issuer import current_issuer
from hoursmith_console.tokens.labels import TokenLabel, token_labels, visible_token_or_none
from hoursmith_console.tokens.prefixes import key_from_address
from hoursmith_console.tokens.querysets import visible_tokens
from hoursmith_console.workspaces.models import Member
from hoursmith_console.workspaces.viewer import ConsoleRequest, Viewer
from mcpbridge.audit.errors import AuditUnavailableError
from mcpbridge.models import ObservedToken

if TYPE_CHECKING:
    from hoursmith_console.rotations.admin import RotationAdmin

MOST_OFFERED = 100
MOST_LISTED = 500


class StartViews:
    """`/rotations/new/` and `/rotations/offboarding/`."""

    def __init__(self, admin: "RotationAdmin") -> None:
        self._admin = admin
        self._offboard_guarded = reauthentication_required(self._offboard)

    def new(self, request: ConsoleRequest) -> HttpResponse:
        """GET asks why the token is to be replaced, or which; POST starts, or joins what is under way."""
        viewer = request.viewer
        asked = request.GET.get("token", "")
        if not asked:
            return render_page(
                request, "rotations/choose.html", section=self._admin, title="Replace a token", tokens=_choice(viewer)
            )
        key = key_from_address(asked)
        card = visible_token_or_none(viewer, key) if key else None
        if key is None or card is None:
            raise Http404("There is no such token.")
        if not can_rotate(viewer.member, card.owner):
            raise PermissionDenied
        standing = latest_rotation(env=key[0], prefix=key[1], workspace=viewer.member.workspace)
        if standing is not None and standing.ended_at is None and request.method != "POST":
            return back_to(standing)
        form = StartForm(request.POST or None, initial={"kind": request.GET.get("kind", "planned")})
        if request.method != "POST" or not form.is_valid():
            status = 400 if request.method == "POST" else 200
            page = {"card": card, "token_address": asked, "form": form, "standing": standing}
            return render_page(
                request, "rotations/new.html", section=self._admin, title="Replace a token", status=status, **page
            )
        try:
            rotation = start_rotation(
                env=key[0],
                prefix=key[1],
                workspace=viewer.member.workspace,
                kind=form.cleaned_data["kind"],
                actor=viewer.member.display_identity,
                reason=form.cleaned_data["reason"],
            )
        except (RotationError, AuditUnavailableError) as error:
            form.add_error(None, str(error))
            page = {"card": card, "token_address": asked, "form": form, "standing": standing}
            return render_page(
                request, "rotations/new.html", section=self._admin, title="Replace a token", status=503, **page
            )
        return back_to(rotation)

    def offboarding(self, request: ConsoleRequest) -> HttpResponse:
        """Whose tokens could go: everybody of the workspace, and who has left it with tokens that may still work."""
        viewer = _reviewer(request)
        left = active_token_counts(viewer.member.workspace_id)
        members = Member.objects.filter(workspace=viewer.member.workspace_id)
        known = members.filter(Q(pk__in=left) | Q(is_active=True))[:MOST_LISTED]
        people = sorted(((member, left[member.pk]) for member in known), key=lambda each: not each[1])
        return render_page(
            request, "rotations/offboarding.html", section=self._admin, title="Somebody leaves", people=people
        )

    def offboard(self, request: ConsoleRequest, member: int) -> HttpResponseBase:
        """GET shows what is known of one member's tokens; POST starts to end them, and in the sandbox ends them."""
        viewer = _reviewer(request)
        person = get_object_or_404(Member, pk=member, workspace=viewer.member.workspace_id)
        answer: HttpResponseBase = self._offboard_guarded(request, person)
        return answer

    def _offboard(self, request: ConsoleRequest, person: Member) -> HttpResponse:
        viewer = request.viewer
        form = OffboardForm(request.POST or None)
        if request.method == "POST" and form.is_valid():
            try:
                count = _end_all(person, actor=viewer.member, reason=form.cleaned_data["reason"])
            except (RotationError, AuditUnavailableError) as error:
                form.add_error(None, str(error))
            else:
                done = "revoked" if current_issuer().supports_minting else "to be revoked at Hoursmith"
                tokens = f"{count} token{'' if count == 1 else 's'}"
                messages.success(request, f"{tokens} of {person.name}: {done}.")
                return HttpResponseRedirect(reverse("console:rotations:list"))
        known = offboarding_summary(person)
        cards = token_labels(viewer, [ObservedToken(env=env, prefix=prefix) for env, prefix in known.left])
        page = {
            "person": person,
            "known": known,
            "cards": [cards[key] for key in known.left],
            "form": form,
            "supports_minting": current_issuer().supports_minting,
        }
        status = 400 if request.method == "POST" else 200
        return render_page(
            request,
            "rotations/offboard.html",
            section=self._admin,
            title=f"{person.name} leaves",
            status=status,
            **page,
        )


def _choice(viewer: Viewer) -> list[tuple[ObservedToken, TokenLabel]]:
    tokens = list(visible_tokens(viewer)[:MOST_OFFERED])
    cards = token_labels(viewer, tokens)
    return [(token, cards[token.env, token.prefix]) for token in tokens]


def _reviewer(request: ConsoleRequest) -> Viewer:
    viewer = request.viewer
    if not viewer.member.administers:
        raise PermissionDenied
    return viewer


def _end_all(person: Member, *, actor: Member, reason: str) -> int:
    rotations = offboard_member(member=person, actor=actor.display_identity, reason=reason)
    if current_issuer().supports_minting:
        for rotation in rotations:
            revoke_old_token(rotation=rotation, member=actor)
    return len(rotations)
