"""The sign-in library's own forms as the console uses them: without tokens in them."""

from allauth.account import forms as account
from allauth.mfa.recovery_codes.forms import GenerateRecoveryCodesForm
from allauth.mfa.totp.forms import DeactivateTOTPForm
from django.contrib.auth.forms import SetPasswordForm

from hoursmith_console.core.forms import NoTokens


class LoginForm(NoTokens, account.LoginForm):
    """Asks for address and password."""


class ChangePasswordForm(NoTokens, account.ChangePasswordForm):
    """Asks for the old and the new password."""


class FirstPasswordForm(NoTokens, account.SetPasswordForm):
    """Asks for a first password."""


class ResetFromKeyForm(NoTokens, account.ResetPasswordKeyForm):
    """Asks for a new password behind a link."""


class ConfirmPasswordForm(NoTokens, account.ReauthenticateForm):
    """Asks for the password once more."""


class NewPasswordForm(NoTokens, SetPasswordForm):  # type: ignore[type-arg]  # It is generic to the type checker alone.
    """Asks for the first password behind an invitation's link."""


class RemoveAppForm(NoTokens, DeactivateTOTPForm):
    """Asks whether the authenticator app shall go."""


class GenerateCodesForm(NoTokens, GenerateRecoveryCodesForm):
    """Asks whether new recovery codes shall be made."""
