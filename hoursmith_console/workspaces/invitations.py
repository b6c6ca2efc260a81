"""One-time links that let an imported member choose a password and sign in."""

from typing import Any

from allauth.account.adapter import get_adapter
from allauth.mfa.utils import is_mfa_enabled
from django.contrib.auth.models import User
from django.contrib.auth.tokens import default_token_generator
from django.contrib.auth.views import PasswordResetConfirmView
from django.http import HttpResponse
from django.shortcuts import render
from django.urls import reverse, reverse_lazy
from django.utils.encoding import force_bytes
from django.utils.http import urlsafe_base64_encode

from hoursmith_console.accounts.library_forms import InvitedForm
from hoursmith_console.workspaces.sign_ins import account_event_record, sign_in_record
from mcpbridge.audit import AuditUnavailableError


class InvitationView(PasswordResetConfirmView):
    """Takes the link's key out of the address first, asks for a password, and signs the person in.

    Setting the password uses the link up: its key is made from the password there was.
    """

    form_class = InvitedForm
    template_name = "account/invitation.html"
    post_reset_login = True
    post_reset_login_backend = "allauth.account.auth_backends.AuthenticationBackend"
    success_url = reverse_lazy("console:index")

    def form_valid(self, form: Any) -> HttpResponse:
        """Set the password and sign in, once that is on record."""
        assert self.user is not None  # noqa: S101 – no form is shown without a link that names somebody
        address = get_adapter().get_client_ip(self.request)
        # A link replaces a forgotten password, never a second factor.
        self.post_reset_login = not is_mfa_enabled(self.user)
        try:
            if self.post_reset_login:
                sign_in_record(user=self.user, way="invitation", address=address)
            else:
                account_event_record(user=self.user, action="console.password_reset", address=address)
        except AuditUnavailableError:
            return render(self.request, "503.html", status=503)
        return super().form_valid(form)


def invitation_path(*, user: User) -> str:
    """The path of a one-time sign-in link for `user`, good until PASSWORD_RESET_TIMEOUT or the next sign-in."""
    return reverse(
        "account_invitation",
        kwargs={
            "uidb64": urlsafe_base64_encode(force_bytes(user.pk)),
            "token": default_token_generator.make_token(user),
        },
    )
