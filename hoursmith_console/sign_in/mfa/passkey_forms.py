"""Passkey forms that refuse malformed credentials like wrong ones."""

from collections.abc import Iterator
from contextlib import contextmanager
from typing import Any

from allauth.mfa.adapter import get_adapter
from allauth.mfa.webauthn.forms import (
    AddWebAuthnForm,
    AuthenticateWebAuthnForm,
    EditWebAuthnForm,
    LoginWebAuthnForm,
    ReauthenticateWebAuthnForm,
)
from django import forms
from django.core.exceptions import ValidationError
from django.db import DatabaseError

from hoursmith_console.core.forms import NoTokens

NAME_LENGTH = 60


@contextmanager
def _malformed_as_incorrect() -> Iterator[None]:
    try:
        yield
    except (ValidationError, DatabaseError):
        raise
    except Exception:
        # The parsers raise many kinds of errors for wrong JSON, CBOR and keys. A different response would reveal
        # which accounts exist, since only their credentials are parsed further.
        raise get_adapter().validation_error("incorrect_code") from None


class Credential:
    """Mixin: refuse a malformed credential like a wrong one."""

    def clean_credential(self) -> Any:
        """Return the authenticator of the credential. Raises ValidationError if there is none."""
        form: Any = super()
        with _malformed_as_incorrect():
            return form.clean_credential()


class PasskeyCodeForm(Credential, NoTokens, AuthenticateWebAuthnForm):
    """Ask for a passkey after the password."""


class PasskeySignInForm(Credential, NoTokens, LoginWebAuthnForm):
    """Sign in with a passkey only."""


class PasskeyReauthenticateForm(Credential, NoTokens, ReauthenticateWebAuthnForm):
    """Ask for a passkey before a sensitive action."""


class PasskeyForm(NoTokens, AddWebAuthnForm):
    """Add a passkey, or a security key for two-factor authentication only."""

    name = forms.CharField(label="Name", max_length=NAME_LENGTH, required=False)
    passwordless = forms.BooleanField(
        label="Sign in without a password",
        required=False,
        initial=True,
        help_text="Requires fingerprint, face or PIN. Otherwise the passkey is only used after the password.",
    )

    def clean(self) -> dict[str, Any]:
        """Check the credential. Raises ValidationError if it is invalid."""
        with _malformed_as_incorrect():
            return super().clean() or {}


class PasskeyNameForm(NoTokens, EditWebAuthnForm):
    """Rename a passkey."""

    name = forms.CharField(label="Name", max_length=NAME_LENGTH)
