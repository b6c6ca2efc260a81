"""Pages of invitation links, the list of invitations in an account, and operator-printed password links."""

from typing import Any, cast

from allauth.account.adapter import get_adapter
from allauth.account.decorators import reauthentication_required
from allauth.mfa.utils import is_mfa_enabled
from django.contrib import messages
from django.contrib.auth import login
from django.contrib.auth.decorators import login_required
from django.contrib.auth.models import User
from django.contrib.auth.tokens import default_token_generator
from django.contrib.auth.views import PasswordResetConfirmView
from django.db import transaction
from django.http import Http404, HttpRequest, HttpResponse, HttpResponseBase, HttpResponseRedirect
from django.shortcuts import render
from django.urls import reverse, reverse_lazy
from django.utils.decorators import method_decorator
from django.utils.encoding import force_bytes
from django.utils.http import urlsafe_base64_encode
from django.views import View
from django.views.decorators.cache import never_cache
from django.views.decorators.http import require_safe
from django.views.generic import FormView

from hoursmith_console.accounts.addresses import verified_addresses
from hoursmith_console.accounts.reauthentication import record_sign_in_method
from hoursmith_console.accounts.services import end_sessions
from hoursmith_console.sign_in.library_forms import NewPasswordForm
from hoursmith_console.workspaces.account_events import record_account_event, record_sign_in
from hoursmith_console.workspaces.invitations import (
    AddressState,
    InvitationError,
    accept_invitation,
    accept_with_new_account,
    address_state,
    can_create_account,
    decline_invitation,
    find_invitation,
    get_open_invitation,
    list_invitations,
)
from hoursmith_console.workspaces.models import Invitation
from hoursmith_console.workspaces.services import MembershipError, draft_account
from hoursmith_console.workspaces.viewer import WORKSPACE_KEY

BACKEND = "allauth.account.auth_backends.AuthenticationBackend"
# The invitation whose link was opened in this browser. The link's secret is not stored.
OPENED = "console_invitation"


def invitation_path(secret: str) -> str:
    """Return the path of the one-time link with `secret`."""
    return reverse("account_invitation", args=[secret])


@never_cache
@require_safe
def follow_invitation(request: HttpRequest, secret: str) -> HttpResponse:
    """Open an invitation link: remember the invitation in the session and redirect to a URL without the secret."""
    invitation = find_invitation(secret)
    if invitation is None:
        request.session.pop(OPENED, None)
        return render(request, "account/invitation_ended.html", status=404)
    request.session[OPENED] = invitation.pk
    inside = request.user.is_authenticated
    return HttpResponseRedirect(reverse("account_invitations" if inside else "account_invitation_new"))


@method_decorator(never_cache, name="dispatch")
class NewAccountView(FormView):  # type: ignore[type-arg]  # Generic for the type checker only.
    """Create an account from an invitation link, or ask the user to sign in to an existing one."""

    form_class = NewPasswordForm
    template_name = "account/invitation.html"
    success_url = reverse_lazy("console:index")
    invitation: Invitation

    def dispatch(self, request: HttpRequest, *args: Any, **kwargs: Any) -> HttpResponseBase:
        if request.user.is_authenticated:
            return HttpResponseRedirect(reverse("account_invitations"))
        invitation = get_open_invitation(request.session.get(OPENED))
        if invitation is None:
            return render(request, "account/invitation_ended.html", status=404)
        self.invitation = invitation
        return super().dispatch(request, *args, **kwargs)

    def get_form_kwargs(self) -> dict[str, Any]:
        draft = draft_account(email=self.invitation.email, name=self.invitation.member.name)
        return {**super().get_form_kwargs(), "user": draft}

    def get_context_data(self, **kwargs: Any) -> dict[str, Any]:
        return {
            **super().get_context_data(**kwargs),
            "invitation": self.invitation,
            "can_create_account": can_create_account(self.invitation),
            "is_used": address_state(self.invitation.email) != AddressState.FREE,
        }

    def form_valid(self, form: Any) -> HttpResponse:
        """Create the account, add it to the workspace and sign in; all of it is recorded or rolled back."""
        user: User = form.save(commit=False)
        address = get_adapter().get_client_ip(self.request)
        try:
            with transaction.atomic():
                accept_with_new_account(invitation=self.invitation, user=user, address=address)
                record_sign_in(user=user, method="invitation", address=address)
        except InvitationError as error:
            messages.error(self.request, str(error))
            return HttpResponseRedirect(self.request.path)
        self.request.session.pop(OPENED, None)
        login(self.request, user, backend=BACKEND)
        record_sign_in_method(self.request, user, method="invitation")
        return super().form_valid(form)


@method_decorator([never_cache, login_required], name="dispatch")
class InvitationsView(View):
    """List the open invitations of the account's verified addresses and of an opened link."""

    def get(self, request: HttpRequest) -> HttpResponse:
        offers = self._offers(request)
        page = reauthentication_required(_offers_page) if offers else _offers_page
        answer: HttpResponse = page(request, offers)
        return answer

    @method_decorator(reauthentication_required)
    def post(self, request: HttpRequest) -> HttpResponse:
        """Accept or decline an invitation."""
        key = request.POST.get("invitation", "")
        invitation = next((one for one in self._offers(request) if str(one.pk) == key), None)
        if invitation is None:
            raise Http404("There is no such invitation.")
        try:
            self._decide(request, invitation, is_accepted=request.POST.get("do") == "accept")
        except (InvitationError, MembershipError) as error:
            messages.error(request, str(error))
            return HttpResponseRedirect(request.path)
        accepted = request.POST.get("do") == "accept"
        return HttpResponseRedirect(reverse("console:index") if accepted else request.path)

    def _offers(self, request: HttpRequest) -> list[Invitation]:
        user = cast(User, request.user)
        return list_invitations(verified_addresses(user), opened=request.session.get(OPENED))

    def _decide(self, request: HttpRequest, invitation: Invitation, *, is_accepted: bool) -> None:
        user, address = cast(User, request.user), get_adapter().get_client_ip(request)
        has_link = request.session.get(OPENED) == invitation.pk
        if not is_accepted:
            decline_invitation(invitation=invitation, address=address)
            return
        accept_invitation(invitation=invitation, user=user, has_link=has_link, address=address)
        request.session.pop(OPENED, None)
        request.session[WORKSPACE_KEY] = invitation.member.workspace_id


def _offers_page(request: HttpRequest, offers: list[Invitation]) -> HttpResponse:
    return render(request, "account/invitations.html", {"offers": offers})


class RecoveryView(PasswordResetConfirmView):
    """Set a new password by an operator-printed link, whose key is first moved from the URL to the session.

    The link works once: its key depends on the former password.
    """

    form_class = NewPasswordForm
    template_name = "account/recovery.html"
    post_reset_login = True
    post_reset_login_backend = BACKEND
    success_url = reverse_lazy("console:index")

    def form_valid(self, form: Any) -> HttpResponse:
        """Set the password, end all sessions and sign in, after recording it."""
        assert self.user is not None  # noqa: S101 – no form is shown without a valid link
        address = get_adapter().get_client_ip(self.request)
        # A link replaces a forgotten password, never two-factor authentication.
        self.post_reset_login = not is_mfa_enabled(self.user)
        with transaction.atomic():
            record_account_event(user=self.user, action="console.password_reset", address=address)
            if self.post_reset_login:
                record_sign_in(user=self.user, method="recovery link", address=address)
        end_sessions(user=self.user)
        answer = super().form_valid(form)
        if self.post_reset_login:
            record_sign_in_method(self.request, self.user, method="recovery link")
        return answer


def recovery_path(*, user: User) -> str:
    """Return the path of a one-time password link for `user`, valid for three days or until the next sign-in."""
    key = {"uidb64": urlsafe_base64_encode(force_bytes(user.pk)), "token": default_token_generator.make_token(user)}
    return reverse("account_recovery", kwargs=key)
