"""Sign-in forms that differ from allauth's own."""

from typing import Any

from allauth.account.forms import ResetPasswordForm
from allauth.core import context
from allauth.core.internal.cryptokit import normalize_user_code
from allauth.mfa import app_settings
from allauth.mfa.adapter import get_adapter
from allauth.mfa.base.forms import AuthenticateForm, ReauthenticateForm
from allauth.mfa.totp.forms import ActivateTOTPForm
from allauth.mfa.totp.internal.auth import SECRET_SESSION_KEY, generate_totp_secret
from django import forms
from django.contrib.auth.models import User
from django.core.cache import cache
from django.http import HttpRequest

from hoursmith_console.accounts.addresses import normalize_email
from hoursmith_console.accounts.encryption import UnreadableError, decrypt, encrypt
from hoursmith_console.core.forms import NoTokens
from hoursmith_console.sign_in.resets import request_reset


class PasswordResetForm(NoTokens, ResetPasswordForm):
    """Ask for a reset link. Looks up no account, so that its response does not reveal which accounts exist."""

    def clean_email(self) -> str:
        """Return the address in its stored form."""
        return normalize_email(self.cleaned_data["email"])

    def save(self, request: HttpRequest, **kwargs: Any) -> str:
        """Request the reset email and return the address."""
        email: str = self.cleaned_data["email"]
        request_reset(email=email)
        return email


# A code is accepted from one step before its own to one after it.
_VALID_S = (2 * app_settings.TOTP_TOLERANCE + 1) * app_settings.TOTP_PERIOD


def consume_code(user: User, code: str) -> None:
    """Mark `code` as used for `user`, on all workers.

    Raises ValidationError if it was used before (RFC 6238, 5.2).
    """
    if not cache.add(f"console.code.used:{user.pk}:{normalize_user_code(code)}", 1, timeout=_VALID_S):
        raise get_adapter().validation_error("incorrect_code")


class AuthenticatorAppForm(NoTokens, ActivateTOTPForm):
    """Set up an authenticator app. Its secret is encrypted in the session until the app is confirmed."""

    def __init__(self, *args: Any, **kwargs: Any) -> None:
        self.user = kwargs.pop("user")
        # Not allauth's __init__, which stores the secret readable in the session.
        forms.Form.__init__(self, *args, **kwargs)
        self.fields["code"].label = "Code from the app"
        self.fields["code"].widget.attrs.update(inputmode="numeric", autocomplete="one-time-code", maxlength=10)
        self.secret = self._pending() if self.is_bound else ""
        if not self.secret:
            self.secret = generate_totp_secret()
            context.request.session[SECRET_SESSION_KEY] = encrypt(self.secret)

    def clean_code(self) -> str:
        """Return the code. Raises ValidationError if it is wrong or was used."""
        code: str = super().clean_code()
        consume_code(self.user, code)
        return code

    def _pending(self) -> str:
        try:
            return decrypt(context.request.session.get(SECRET_SESSION_KEY, ""))
        except UnreadableError:
            return ""


class SingleUseCode:
    """Mixin: accept each code once, also while it would still be valid."""

    def clean_code(self) -> str:
        """Return the code. Raises ValidationError if it is wrong or was used."""
        form: Any = super()
        code: str = form.clean_code()
        consume_code(self.user, code)  # type: ignore[attr-defined]
        return code


class CodeForm(SingleUseCode, NoTokens, AuthenticateForm):
    """Ask for a code at sign-in."""


class CodeReauthenticateForm(SingleUseCode, NoTokens, ReauthenticateForm):
    """Ask for a code before a sensitive action."""
