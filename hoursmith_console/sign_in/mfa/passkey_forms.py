"""Forms for passkeys: what a browser sends is refused where it is not a credential, whatever is wrong with it."""

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
def _refusing_what_is_no_credential() -> Iterator[None]:
    try:
        yield
    except (ValidationError, DatabaseError):
        raise
    except Exception:
        # The parsers below fail in as many ways as JSON, CBOR and keys can be wrong. An answer that differs would
        # tell which accounts there are, since only theirs are read further.
        raise get_adapter().validation_error("incorrect_code") from None


class Credential:
    """A form whose credential, where it is none, is refused like a wrong one."""

    def clean_credential(self) -> Any:
        """Return the authenticator that the credential is of; raise ValidationError where it is of none."""
        form: Any = super()
        with _refusing_what_is_no_credential():
            return form.clean_credential()


class PasskeyCodeForm(Credential, NoTokens, AuthenticateWebAuthnForm):
    """Asks for a passkey after the password."""


class PasskeySignInForm(Credential, NoTokens, LoginWebAuthnForm):
    """Asks for a passkey alone."""


class PasskeyReauthenticateForm(Credential, NoTokens, ReauthenticateWebAuthnForm):
    """Asks for a passkey before a sensitive action."""


class PasskeyForm(NoTokens, AddWebAuthnForm):
    """Adds a passkey, or a security key that is only the second factor."""

    name = forms.CharField(label="What you call it", max_length=NAME_LENGTH, required=False)
    passwordless = forms.BooleanField(
        label="Sign in with it alone, without a password",
        required=False,
        initial=True,
        help_text="It then asks for your finger, face or PIN. Otherwise it is asked for after the password.",
    )

    def clean(self) -> dict[str, Any]:
        """Check the credential; raise ValidationError where it is none."""
        with _refusing_what_is_no_credential():
            return super().clean() or {}


class PasskeyNameForm(NoTokens, EditWebAuthnForm):
    """Renames a passkey."""

    name = forms.CharField(label="What you call it", max_length=NAME_LENGTH)
