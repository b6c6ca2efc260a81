"""Pages that start rotations: of one token, or of all tokens of a member who leaves."""

from typing import TYPE_CHECKING

from django.contrib import messages
from django.core.exceptions import PermissionDenied
from django.db.models import Q
from django.http import Http404, HttpResponse, HttpResponseBase, HttpResponseRedirect
from django.shortcuts import get_object_or_404
from django.urls import reverse

from hoursmith_console.accounts.reauthentication import has_recent_auth
from hoursmith_console.core.permissions import RoleNotAllowedError, recent_auth_required
from hoursmith_console.core.views import render_page
from hoursmith_console.rotations.actions import revoke_old_token
from hoursmith_console.rotations.leaked import rotate_leaked_token
from hoursmith_console.rotations.models import RotationKind
from hoursmith_console.rotations.offboarding import active_token_counts, offboard_member, offboarding_summary
from hoursmith_console.rotations.permissions import can_rotate
from hoursmith_console.rotations.services import RotationError, latest_rotation, start_rotation
from hoursmith_console.rotations.wizard.forms import OffboardForm, StartForm
from hoursmith_console.rotations.wizard.views import already_minted_page, back_to, minted_page
from hoursmith_console.token_issuer import current_issuer
from hoursmith_console.token_issuer.minting import AlreadyMintedError, MissingFormIdError, new_form_id
from hoursmith_console.token_issuer.protocol import UnknownMemberError
from hoursmith_console.tokens.labels import TokenLabel, ref_of, token_labels, visible_token_or_none
from hoursmith_console.tokens.prefixes import ref_from_address
from hoursmith_console.tokens.querysets import visible_tokens
from hoursmith_console.workspaces.models import Member
from hoursmith_console.workspaces.viewer import ConsoleRequest, Viewer
from mcpbridge.audit.errors import AuditUnavailableError
from mcpbridge.models import ObservedToken, TokenRef

if TYPE_CHECKING:
    from hoursmith_console.rotations.admin import RotationAdmin

MOST_OFFERED = 100
MOST_LISTED = 500


class StartViews:
    """`/rotations/new/` and `/rotations/offboarding/`."""

    def __init__(self, admin: "RotationAdmin") -> None:
        self._admin = admin
        self._offboard_guarded = recent_auth_required(self._offboard)

    def new(self, request: ConsoleRequest) -> HttpResponseBase:
        """Choose a token and a reason; POST starts the rotation or joins the one in progress.

        Re-authentication comes first, because the steps that follow require it.
        """
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
        if request.method == "POST":
            return _start(request, card)
        latest = latest_rotation(env=key[0], prefix=key[1], workspace=viewer.member.workspace)
        kind = request.GET.get("kind", "planned")
        if latest is not None and latest.ended_at is None and (kind != RotationKind.LEAKED or latest.revoked_at):
            return back_to(latest)
        return recent_auth_required(_new_page)(request, card, StartForm(initial={"kind": kind}))

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


def _start(request: ConsoleRequest, card: TokenLabel) -> HttpResponse:
    member, form = request.viewer.member, StartForm(request.POST)
    if not form.is_valid():
        return _new_page(request, card, form, status=400)
    kind, reason, ref = form.cleaned_data["kind"], form.cleaned_data["reason"], TokenRef(card.env, card.prefix)
    try:
        # Without re-authentication nothing is stopped or created yet: the rotation's page offers it.
        if kind == RotationKind.LEAKED and has_recent_auth(request):
            mark = request.POST.get("mark", "")
            rotation, minted = rotate_leaked_token(ref=ref, member=member, reason=reason, form=mark)
            if minted is not None:
                return minted_page(request, rotation, minted)
            done = "revoked" if current_issuer().supports_minting else "blocked"
            messages.success(request, f"{rotation.masked_token} {done}.")
            return back_to(rotation)
        rotation = start_rotation(
            env=ref.env,
            prefix=ref.prefix,
            workspace=member.workspace,
            kind=kind,
            actor=member.display_identity,
            reason=reason,
        )
    except AlreadyMintedError as error:
        latest = latest_rotation(env=ref.env, prefix=ref.prefix, workspace=member.workspace)
        address = latest.get_absolute_url() if latest else reverse("console:rotations:list")
        return already_minted_page(request, error, address)
    except (MissingFormIdError, UnknownMemberError):
        form.add_error(None, "The form is incomplete. Reload the page.")
        return _new_page(request, card, form, status=400)
    except (RotationError, AuditUnavailableError) as error:
        form.add_error(None, str(error))
        return _new_page(request, card, form, status=503)
    return back_to(rotation)


def _new_page(request: ConsoleRequest, card: TokenLabel, form: StartForm, *, status: int = 200) -> HttpResponse:
    member, issuer = request.viewer.member, current_issuer()
    return render_page(
        request,
        "rotations/new.html",
        title="Rotate a token",
        status=status,
        card=card,
        token_address=f"{card.env}_{card.prefix}",
        form=form,
        is_leaked=form["kind"].value() == RotationKind.LEAKED,
        latest=latest_rotation(env=card.env, prefix=card.prefix, workspace=member.workspace),
        supports_minting=issuer.supports_minting,
        is_own=card.owner is not None and card.owner.pk == member.pk,
        mark=new_form_id(),
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
