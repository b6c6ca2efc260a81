"""allauth's forms as the console uses them: each refuses pasted tokens."""

from allauth.account import forms as account
from allauth.mfa.recovery_codes.forms import GenerateRecoveryCodesForm
from allauth.mfa.totp.forms import DeactivateTOTPForm
from django.contrib.auth.forms import SetPasswordForm

from hoursmith_console.core.forms import NoTokens


class LoginForm(NoTokens, account.LoginForm):
    """Ask for email address and password."""


class ChangePasswordForm(NoTokens, account.ChangePasswordForm):
    """Ask for the current and the new password."""


class FirstPasswordForm(NoTokens, account.SetPasswordForm):
    """Ask for the first password."""


class ResetFromKeyForm(NoTokens, account.ResetPasswordKeyForm):
    """Ask for a new password on a reset link's page."""


class ConfirmPasswordForm(NoTokens, account.ReauthenticateForm):
    """Ask for the password again."""


class NewPasswordForm(NoTokens, SetPasswordForm):  # type: ignore[type-arg]  # Generic for the type checker only.
    """Ask for a password on the page of an invitation or an operator's link."""


class RemoveAppForm(NoTokens, DeactivateTOTPForm):
    """Confirm the removal of the authenticator app."""


class GenerateCodesForm(NoTokens, GenerateRecoveryCodesForm):
    """Confirm the creation of new recovery codes."""
