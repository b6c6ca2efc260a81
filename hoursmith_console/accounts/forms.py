"""Forms of the sign-in pages that differ from allauth's own."""

from typing import Any

from allauth.core import context
from allauth.core.internal.cryptokit import normalize_user_code
from allauth.mfa.adapter import get_adapter
from allauth.mfa.base.forms import AuthenticateForm, ReauthenticateForm
from allauth.mfa.models import Authenticator
from allauth.mfa.totp.forms import ActivateTOTPForm
from allauth.mfa.totp.internal.auth import SECRET_SESSION_KEY, generate_totp_secret
from allauth.mfa.webauthn.forms import AddWebAuthnForm
from django import forms
from django.core.cache import cache

from hoursmith_console.accounts.secrecy import UnreadableError, decrypted, encrypted

NAME_LENGTH = 60


class AppForm(ActivateTOTPForm):
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
            context.request.session[SECRET_SESSION_KEY] = encrypted(self.secret)

    def _pending(self) -> str:
        try:
            return decrypted(context.request.session.get(SECRET_SESSION_KEY, ""))
        except UnreadableError:
            return ""


class PasskeyForm(AddWebAuthnForm):
    """Adds a passkey, or a security key that is only the second factor."""

    name = forms.CharField(label="What you call it", max_length=NAME_LENGTH, required=False)
    passwordless = forms.BooleanField(
        label="Sign in with it alone, without a password",
        required=False,
        initial=True,
        help_text="It then asks for your finger, face or PIN. Otherwise it is asked for after the password.",
    )


class OnceOnly:
    """A code that let somebody in is taken no second time, for as long as it would still be right."""

    _VALID_S = 90

    def clean_code(self) -> str:
        """The code; raises ValidationError where it is wrong or was used."""
        form: Any = super()
        code: str = form.clean_code()
        used = self.authenticator  # type: ignore[attr-defined]
        if used.type == Authenticator.Type.TOTP:
            key = f"console.code.used:{used.pk}:{normalize_user_code(code)}"
            if not cache.add(key, 1, timeout=self._VALID_S):
                raise get_adapter().validation_error("incorrect_code")
        return code


class CodeForm(OnceOnly, AuthenticateForm):
    """Asks for a code at sign-in."""


class CodeAgainForm(OnceOnly, ReauthenticateForm):
    """Asks for a code before a sensitive action."""
