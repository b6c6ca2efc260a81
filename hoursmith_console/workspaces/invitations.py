"""One-time links that let an imported member choose a password and sign in."""

from django.contrib.auth.models import User
from django.contrib.auth.tokens import default_token_generator
from django.contrib.auth.views import PasswordResetConfirmView
from django.urls import reverse, reverse_lazy
from django.utils.encoding import force_bytes
from django.utils.http import urlsafe_base64_encode


class InvitationView(PasswordResetConfirmView):
    """Takes the link's key out of the address first, asks for a password, and signs the person in.

    Setting the password uses the link up: its key is made from the password there was.
    """

    template_name = "account/invitation.html"
    post_reset_login = True
    post_reset_login_backend = "allauth.account.auth_backends.AuthenticationBackend"
    success_url = reverse_lazy("console:index")


def invitation_path(*, user: User) -> str:
    """The path of a one-time sign-in link for `user`, good until PASSWORD_RESET_TIMEOUT or the next sign-in."""
    return reverse(
        "account_invitation",
        kwargs={
            "uidb64": urlsafe_base64_encode(force_bytes(user.pk)),
            "token": default_token_generator.make_token(user),
        },
    )
