"""Actions on a rotation's page. Each is one POST that redirects back to the page."""

from collections.abc import Callable
from typing import TYPE_CHECKING, Any

from django.contrib import messages
from django.core.exceptions import PermissionDenied
from django.http import HttpResponse, HttpResponseBase, HttpResponseRedirect
from django.shortcuts import get_object_or_404, render
from django.template.response import TemplateResponse
from django.urls import URLPattern, path
from django.views.decorators.debug import sensitive_post_parameters
from django.views.decorators.http import require_safe

from hoursmith_console.core.permissions import recent_auth_required
from hoursmith_console.rotations.actions import mint_new_token
from hoursmith_console.rotations.models import Rotation
from hoursmith_console.rotations.permissions import (
    can_assign_owner,
    can_manage,
    can_mint_new_token,
    can_remind,
    can_revoke,
)
from hoursmith_console.rotations.services import RotationError
from hoursmith_console.rotations.wizard import form_actions
from hoursmith_console.rotations.wizard.forms import MintForm
from hoursmith_console.rotations.wizard.screen import build_screen, screen_context
from hoursmith_console.rotations.wizard.setups import setups_of
from hoursmith_console.token_issuer.minting import AlreadyMintedError, MissingFormIdError
from hoursmith_console.token_issuer.protocol import MintedToken, MintingUnsupportedError, UnknownMemberError
from hoursmith_console.tokens.shown_once import shown_once
from hoursmith_console.workspaces.viewer import ConsoleRequest

if TYPE_CHECKING:
    from hoursmith_console.rotations.admin import RotationAdmin

Rule = Callable[[Any, Rotation], bool]
Action = Callable[[ConsoleRequest, Rotation], "str | HttpResponse"]


class Wizard:
    """Views below `/rotations/<key>/`."""

    def __init__(self, admin: "RotationAdmin") -> None:
        self._admin = admin

    def urls(self) -> list[URLPattern]:
        """Return the URL patterns: each action with its permission, and whether it requires re-authentication."""
        steps: dict[str, tuple[Rule, Action, bool]] = {
            "revoke": (can_revoke, form_actions.revoke, True),
            "revoke-undo": (can_revoke, form_actions.revoke_undo, False),
            "mint": (can_mint_new_token, self._mint, True),
            "new-token": (can_mint_new_token, form_actions.new_token, False),
            "new-token-undo": (can_manage, form_actions.new_token_undo, False),
            "confirm-all": (can_manage, form_actions.confirm_all, False),
            "confirm-all-undo": (can_manage, form_actions.confirm_all_undo, False),
            "confirm": (can_manage, form_actions.confirm, False),
            "mark-unused": (can_manage, form_actions.mark_unused, False),
            "confirm-undo": (can_manage, form_actions.confirm_undo, False),
            "mark-leaked": (can_manage, form_actions.mark_leaked, False),
            "assign-owner": (can_assign_owner, form_actions.assign, False),
            "remind": (can_remind, form_actions.remind, False),
            "finish": (can_manage, form_actions.finish, False),
            "cancel": (can_manage, form_actions.cancel, False),
            "resume": (can_manage, form_actions.resume, False),
        }
        guard = self._admin.admin_site.admin_view
        return [
            path("<int:key>/live/", guard(require_safe(self.live)), name="live"),
            *(
                path(
                    f"<int:key>/{name}/",
                    guard(self._view(rule, action, needs_reauthentication)),
                    name=name.replace("-", "_"),
                )
                for name, (rule, action, needs_reauthentication) in steps.items()
            ),
        ]

    def live(self, request: ConsoleRequest, key: int) -> HttpResponse:
        """htmx fragment polled every 2 s; sends HX-Refresh when the step changed."""
        rotation = get_object_or_404(self._admin.get_queryset(request), pk=key)
        screen = build_screen(request.viewer, rotation)
        answer = render(request, "rotations/_live.html", screen_context(request.viewer, screen))
        if request.GET.get("stamp", screen.stamp) != screen.stamp:
            answer["HX-Refresh"] = "true"
        return answer

    def _view(self, rule: Rule, action: Action, needs_reauthentication: bool) -> Callable[..., HttpResponseBase]:
        def work(request: ConsoleRequest, rotation: Rotation) -> HttpResponseBase:
            return _respond(request, rotation, action)

        guarded = recent_auth_required(work) if needs_reauthentication else work

        @sensitive_post_parameters(form_actions.TOKEN)
        def view(request: ConsoleRequest, key: int) -> HttpResponseBase:
            rotation: Rotation = get_object_or_404(self._admin.get_queryset(request), pk=key)
            if request.method != "POST":
                # A reload, or the redirect after re-authentication, ends here.
                return back_to(rotation)
            if not rule(request.viewer.member, rotation):
                raise PermissionDenied
            answer: HttpResponseBase = guarded(request, rotation)
            return answer

        return view

    def _mint(self, request: ConsoleRequest, rotation: Rotation) -> str | HttpResponse:
        """Create the new token and show it in this response only."""
        form = MintForm(request.POST)
        if not form.is_valid():
            return "!Enter a name for the new token."
        try:
            minted = mint_new_token(
                rotation=rotation,
                member=request.viewer.member,
                name=form.cleaned_data["name"],
                form=form.cleaned_data["form"],
            )
        except AlreadyMintedError as error:
            return already_minted_page(request, error, rotation.get_absolute_url())
        except (MissingFormIdError, UnknownMemberError, MintingUnsupportedError):
            return "!The token could not be created from this form. Reload the page and try again."
        return minted_page(request, rotation, minted)


def minted_page(request: ConsoleRequest, rotation: Rotation, minted: MintedToken) -> HttpResponse:
    """Show the new token of `rotation`, in this response only."""
    address = rotation.get_absolute_url()
    page = {
        "title": "New token",
        "minted": minted,
        "rotation": rotation,
        "setups": setups_of(rotation, minted),
        "done_address": address,
        "return_address": address,
    }
    return shown_once(request, "rotations/minted.html", page)


def already_minted_page(request: ConsoleRequest, error: AlreadyMintedError, address: str) -> HttpResponse:
    """Say that the form created its token before; `address` is where to continue."""
    page = {
        "title": "Token already created",
        "claim": error.claim,
        "done_address": address,
        "again_address": address,
    }
    return TemplateResponse(request, "tokens/already_minted.html", page, status=409)


def back_to(rotation: Rotation) -> HttpResponse:
    """Redirect to the rotation's page."""
    return HttpResponseRedirect(rotation.get_absolute_url())


def _respond(request: ConsoleRequest, rotation: Rotation, action: Action) -> HttpResponse:
    """Return the response of `action`, or redirect with its message; a leading "!" marks a warning."""
    try:
        message = action(request, rotation)
    except RotationError as error:
        message = f"!{error}"
    if not isinstance(message, str):
        return message
    if message.startswith("!"):
        messages.warning(request, message[1:])
    elif message:
        messages.success(request, message)
    return back_to(rotation)
