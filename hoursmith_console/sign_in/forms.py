"""Forms of the sign-in pages that differ from allauth's own."""

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
    """Asks for a reset link. It looks nothing up, so that its answer tells nobody who has an account."""

    def clean_email(self) -> str:
        """Return the address as addresses are stored."""
        return normalize_email(self.cleaned_data["email"])

    def save(self, request: HttpRequest, **kwargs: Any) -> str:
        """Ask for the mail and return the address."""
        email: str = self.cleaned_data["email"]
        request_reset(email=email)
        return email


# A code is right from one step before its own to one after it.
_VALID_S = (2 * app_settings.TOTP_TOLERANCE + 1) * app_settings.TOTP_PERIOD


def use_up(user: User, code: str) -> None:
    """Use `code` up for `user`, on every worker and for whatever it is entered next.

    Raises ValidationError where it was used before (RFC 6238, 5.2).
    """
    if not cache.add(f"console.code.used:{user.pk}:{normalize_user_code(code)}", 1, timeout=_VALID_S):
        raise get_adapter().validation_error("incorrect_code")


class AuthenticatorAppForm(NoTokens, ActivateTOTPForm):
    """Sets an authenticator app up. Until it is confirmed, its secret lies encrypted in the session."""

    def __init__(self, *args: Any, **kwargs: Any) -> None:
        self.user = kwargs.pop("user")
        # Not allauth's own start, which keeps the secret readable in the session's row.
        forms.Form.__init__(self, *args, **kwargs)
        self.fields["code"].label = "Code that the app shows now"
        self.fields["code"].widget.attrs.update(inputmode="numeric", autocomplete="one-time-code", maxlength=10)
        self.secret = self._pending() if self.is_bound else ""
        if not self.secret:
            self.secret = generate_totp_secret()
            context.request.session[SECRET_SESSION_KEY] = encrypt(self.secret)

    def clean_code(self) -> str:
        """Return the code; raise ValidationError where it is wrong or was used."""
        code: str = super().clean_code()
        use_up(self.user, code)
        return code

    def _pending(self) -> str:
        try:
            return decrypt(context.request.session.get(SECRET_SESSION_KEY, ""))
        except UnreadableError:
            return ""


class SingleUseCode:
    """A code that was accepted is accepted no second time, for as long as it would still be right."""

    def clean_code(self) -> str:
        """Return the code; raise ValidationError where it is wrong or was used."""
        form: Any = super()
        code: str = form.clean_code()
        use_up(self.user, code)  # type: ignore[attr-defined]
        return code


class CodeForm(SingleUseCode, NoTokens, AuthenticateForm):
    """Asks for a code at sign-in."""


class CodeReauthenticateForm(SingleUseCode, NoTokens, ReauthenticateForm):
    """Asks for a code before a sensitive action."""
