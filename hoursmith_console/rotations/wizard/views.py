"""What people do on a rotation's page. Each is one POST that leads back to the page; a GET there changes nothing."""

from collections.abc import Callable
from typing import TYPE_CHECKING, Any

from allauth.account.decorators import reauthentication_required
from django.contrib import messages
from django.core.exceptions import PermissionDenied
from django.http import HttpResponse, HttpResponseBase, HttpResponseRedirect
from django.shortcuts import get_object_or_404, render
from django.template.response import TemplateResponse
from django.urls import URLPattern, path
from django.views.decorators.debug import sensitive_post_parameters
from django.views.decorators.http import require_safe

from hoursmith_console.rotations.actions import mint_new_token
from hoursmith_console.rotations.models import Rotation
from hoursmith_console.rotations.permissions import can_assign_owner, can_manage, can_mint_new_token, can_revoke
from hoursmith_console.rotations.services import RotationError
from hoursmith_console.rotations.wizard import form_actions
from hoursmith_console.rotations.wizard.forms import MintForm
from hoursmith_console.rotations.wizard.screen import build_screen, screen_context
from hoursmith_console.rotations.wizard.setups import setups_of
from hoursmith_console.token_issuer.minting import AlreadyMintedError, MissingFormIdError
from hoursmith_console.token_issuer.protocol import MintingUnsupportedError, UnknownMemberError
from hoursmith_console.tokens.shown_once import shown_once
from hoursmith_console.workspaces.viewer import ConsoleRequest

if TYPE_CHECKING:
    from hoursmith_console.rotations.admin import RotationAdmin

Rule = Callable[[Any, Rotation], bool]
Act = Callable[[ConsoleRequest, Rotation], "str | HttpResponse"]


class Wizard:
    """The addresses below `/rotations/<key>/`."""

    def __init__(self, admin: "RotationAdmin") -> None:
        self._admin = admin

    def urls(self) -> list[URLPattern]:
        """What a person can do, each behind its rule; after a leak nobody is asked twice but where a token ends."""
        steps: dict[str, tuple[Rule, Act, bool]] = {
            "revoke": (can_revoke, form_actions.revoke, True),
            "revoke-undo": (can_revoke, form_actions.revoke_undo, False),
            "mint": (can_mint_new_token, self._mint, True),
            "successor": (can_mint_new_token, form_actions.successor, False),
            "successor-undo": (can_manage, form_actions.successor_undo, False),
            "updated": (can_manage, form_actions.updated, False),
            "updated-undo": (can_manage, form_actions.updated_undo, False),
            "tick": (can_manage, form_actions.tick, False),
            "give-up": (can_manage, form_actions.give_up, False),
            "tick-undo": (can_manage, form_actions.tick_undo, False),
            "leaked": (can_manage, form_actions.leaked, False),
            "owner": (can_assign_owner, form_actions.owner, False),
            "finish": (can_manage, form_actions.finish, False),
            "abandon": (can_manage, form_actions.abandon, False),
            "resume": (can_manage, form_actions.resume, False),
        }
        guard = self._admin.admin_site.admin_view
        return [
            path("<int:key>/live/", guard(require_safe(self.live)), name="live"),
            *(
                path(f"<int:key>/{name}/", guard(self._view(rule, act, asks_again)), name=name.replace("-", "_"))
                for name, (rule, act, asks_again) in steps.items()
            ),
        ]

    def live(self, request: ConsoleRequest, key: int) -> HttpResponse:
        """The evidence alone, for the page that asks every other second; the page is told when it is outdated."""
        rotation = get_object_or_404(self._admin.get_queryset(request), pk=key)
        screen = build_screen(request.viewer, rotation)
        answer = render(request, "rotations/_live.html", screen_context(request.viewer, screen))
        if request.GET.get("stamp", screen.stamp) != screen.stamp:
            answer["HX-Refresh"] = "true"
        return answer

    def _view(self, rule: Rule, act: Act, asks_again: bool) -> Callable[..., HttpResponseBase]:
        def work(request: ConsoleRequest, rotation: Rotation) -> HttpResponseBase:
            return _acted(request, rotation, act)

        guarded = reauthentication_required(work) if asks_again else work

        @sensitive_post_parameters(form_actions.TOKEN)
        def view(request: ConsoleRequest, key: int) -> HttpResponseBase:
            rotation: Rotation = get_object_or_404(self._admin.get_queryset(request), pk=key)
            if request.method != "POST":
                # Where a reload, or a password given in between, leads.
                return back_to(rotation)
            if not rule(request.viewer.member, rotation):
                raise PermissionDenied
            answer: HttpResponseBase = guarded(request, rotation)
            return answer

        return view

    def _mint(self, request: ConsoleRequest, rotation: Rotation) -> str | HttpResponse:
        """The new token, whole, in this answer and in no other."""
        form = MintForm(request.POST)
        if not form.is_valid():
            return "!Give the new token a name."
        viewer = request.viewer
        page: dict[str, Any] = {"done_address": rotation.get_absolute_url()}
        page |= {"area_title": self._admin.title, "area_address": "console:rotations:list"}
        try:
            minted = mint_new_token(
                rotation=rotation,
                member=viewer.member,
                name=form.cleaned_data["name"],
                form=form.cleaned_data["form"],
            )
        except AlreadyMintedError as error:
            page |= {"title": "Already made", "claim": error.claim, "again_address": rotation.get_absolute_url()}
            return TemplateResponse(request, "tokens/already_minted.html", page, status=409)
        except (MissingFormIdError, UnknownMemberError, MintingUnsupportedError):
            return "!No token could be made from this form. Open the page again."
        page |= {"title": "The new token", "minted": minted, "rotation": rotation}
        return shown_once(request, "rotations/minted.html", {**page, "setups": setups_of(rotation, minted)})


def back_to(rotation: Rotation) -> HttpResponse:
    """Lead to the wizard."""
    return HttpResponseRedirect(rotation.get_absolute_url())


def _acted(request: ConsoleRequest, rotation: Rotation, act: Act) -> HttpResponse:
    """What `act` answers, or the wizard with what `act` says; a text that begins with "!" is a warning."""
    try:
        said = act(request, rotation)
    except RotationError as error:
        said = f"!{error}"
    if not isinstance(said, str):
        return said
    if said.startswith("!"):
        messages.warning(request, said[1:])
    elif said:
        messages.success(request, said)
    return back_to(rotation)
