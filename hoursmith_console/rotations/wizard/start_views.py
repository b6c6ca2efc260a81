"""Pages that start rotations: of one token, or of all tokens of a member who leaves."""

from typing import TYPE_CHECKING

from django.contrib import messages
from django.core.exceptions import PermissionDenied
from django.db.models import Q
from django.http import Http404, HttpResponse, HttpResponseBase, HttpResponseRedirect
from django.shortcuts import get_object_or_404
from django.urls import reverse

from hoursmith_console.core.permissions import RoleNotAllowedError, recent_auth_required
from hoursmith_console.core.views import render_page
from hoursmith_console.rotations.actions import revoke_old_token
from hoursmith_console.rotations.offboarding import active_token_counts, offboard_member, offboarding_summary
from hoursmith_console.rotations.permissions import can_rotate
from hoursmith_console.rotations.services import RotationError, latest_rotation, start_rotation
from hoursmith_console.rotations.wizard.forms import OffboardForm, StartForm
from hoursmith_console.rotations.wizard.views import back_to
from hoursmith_console.token_issuer import current_issuer
from hoursmith_console.tokens.labels import TokenLabel, ref_of, token_labels, visible_token_or_none
from hoursmith_console.tokens.prefixes import ref_from_address
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
        self._offboard_guarded = recent_auth_required(self._offboard)

    def new(self, request: ConsoleRequest) -> HttpResponse:
        """Choose a token and a reason; POST starts the rotation or joins the one in progress."""
        viewer = request.viewer
        asked = request.GET.get("token", "")
        if not asked:
            return render_page(
                request,
                "rotations/choose.html",
                title="Rotate a token",
                tokens=_tokens_to_choose(viewer),
            )
        key = ref_from_address(asked)
        card = visible_token_or_none(viewer, key) if key else None
        if key is None or card is None:
            raise Http404("Token not found.")
        if not can_rotate(viewer.member, card.owner):
            raise PermissionDenied
        latest = latest_rotation(env=key[0], prefix=key[1], workspace=viewer.member.workspace)
        if latest is not None and latest.ended_at is None and request.method != "POST":
            return back_to(latest)
        form = StartForm(request.POST or None, initial={"kind": request.GET.get("kind", "planned")})
        if request.method != "POST" or not form.is_valid():
            status = 400 if request.method == "POST" else 200
            page = {"card": card, "token_address": asked, "form": form, "latest": latest}
            return render_page(request, "rotations/new.html", title="Rotate a token", status=status, **page)
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
            page = {"card": card, "token_address": asked, "form": form, "latest": latest}
            return render_page(request, "rotations/new.html", title="Rotate a token", status=503, **page)
        return back_to(rotation)

    def offboarding(self, request: ConsoleRequest) -> HttpResponse:
        """List the members to offboard: active ones, and former ones with active tokens."""
        viewer = _admin_viewer(request)
        counts = active_token_counts(viewer.member.workspace_id)
        members = Member.objects.filter(workspace=viewer.member.workspace_id)
        known = members.filter(Q(pk__in=counts) | Q(is_active=True))[:MOST_LISTED]
        people = sorted(((member, counts[member.pk]) for member in known), key=lambda each: not each[1])
        return render_page(request, "rotations/offboarding.html", title="Offboard a member", people=people)

    def offboard(self, request: ConsoleRequest, member: int) -> HttpResponseBase:
        """Show the member's tokens; POST starts their rotations, and in the sandbox revokes them."""
        viewer = _admin_viewer(request)
        person = get_object_or_404(Member, pk=member, workspace=viewer.member.workspace_id)
        return self._offboard_guarded(request, person)

    def _offboard(self, request: ConsoleRequest, person: Member) -> HttpResponse:
        viewer = request.viewer
        form = OffboardForm(request.POST or None)
        if request.method == "POST" and form.is_valid():
            try:
                count = _revoke_all(person, actor=viewer.member, reason=form.cleaned_data["reason"])
            except (RotationError, AuditUnavailableError) as error:
                form.add_error(None, str(error))
            else:
                tokens = f"{count} token{'' if count == 1 else 's'} of {person.name}"
                is_done = current_issuer().supports_minting
                messages.success(
                    request, f"{tokens} revoked." if is_done else f"{tokens} must be revoked at Hoursmith."
                )
                return HttpResponseRedirect(reverse("console:rotations:list"))
        known = offboarding_summary(person)
        cards = token_labels(viewer, [ObservedToken(env=env, prefix=prefix) for env, prefix in known.active])
        page = {
            "person": person,
            "known": known,
            "cards": [cards[key] for key in known.active],
            "form": form,
            "supports_minting": current_issuer().supports_minting,
        }
        status = 400 if request.method == "POST" else 200
        return render_page(
            request,
            "rotations/offboard.html",
            title=f"Offboard {person.name}",
            status=status,
            **page,
        )


def _tokens_to_choose(viewer: Viewer) -> list[tuple[ObservedToken, TokenLabel]]:
    tokens = list(visible_tokens(viewer)[:MOST_OFFERED])
    labels = token_labels(viewer, tokens)
    return [(token, labels[ref_of(token)]) for token in tokens]


def _admin_viewer(request: ConsoleRequest) -> Viewer:
    viewer = request.viewer
    if not viewer.member.administers:
        raise RoleNotAllowedError
    return viewer


def _revoke_all(person: Member, *, actor: Member, reason: str) -> int:
    rotations = offboard_member(member=person, actor=actor.display_identity, reason=reason)
    if current_issuer().supports_minting:
        for rotation in rotations:
            revoke_old_token(rotation=rotation, member=actor)
    return len(rotations)
