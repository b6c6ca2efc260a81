"""Find out which client sends a form to the token endpoint (OAuth 2.1 section 2.4)."""

import base64
import binascii
from collections.abc import Mapping
from urllib.parse import parse_qsl, unquote_plus

from django.http import HttpRequest

from hoursmith_console.oauth.responses import OAuthError, body_of
from mcpbridge.grants.clients import is_client_id
from mcpbridge.grants.registration import Method, is_client_secret, read_registration

_MAX_FIELDS = 50
_FORM = "application/x-www-form-urlencoded"


def form_of(request: HttpRequest) -> dict[str, str]:
    """Return the fields of the form; those without a value are left out. Raises OAuthError."""
    try:
        text = body_of(request, _FORM).decode()
        pairs = parse_qsl(text, keep_blank_values=True, max_num_fields=_MAX_FIELDS, errors="strict")
    except ValueError:
        raise OAuthError("invalid_request", "The body is not a form.") from None
    form: dict[str, str] = {}
    for name, value in pairs:
        if name in form:
            raise OAuthError("invalid_request", "A parameter is there more than once.")
        form[name] = value
    return {name: value for name, value in form.items() if value}


def authenticated_client(request: HttpRequest, form: Mapping[str, str]) -> str:
    """Return the client_id, by Basic authentication or in the form. Raises OAuthError.

    A client that was registered with a secret must send it, either way.
    """
    client_id, secret = form.get("client_id"), form.get("client_secret")
    if header := request.headers.get("Authorization"):
        said_id, said_secret = _basic(header)
        if secret is not None or client_id not in (None, said_id):
            raise OAuthError("invalid_request", "Send the client's credentials in one way only.")
        client_id, secret = said_id, said_secret
    if client_id is None:
        raise OAuthError("invalid_request", "The client_id is missing.")
    registration = read_registration(client_id)
    if not is_client_id(client_id):
        # This word lets hosted assistants register again.
        raise _invalid_client("The client_id is not known here. Register again.")
    is_secret_needed = registration is not None and registration.method is Method.SECRET
    if is_secret_needed and not is_client_secret(client_id, secret or ""):
        raise _invalid_client("The client_secret is missing or wrong.")
    return client_id


def _basic(header: str) -> tuple[str, str]:
    scheme, _, encoded = header.partition(" ")
    try:
        if scheme.lower() != "basic":
            raise ValueError
        said = base64.b64decode(encoded.strip(), validate=True).decode()
    except (ValueError, binascii.Error):
        raise _invalid_client("The Authorization header must be Basic with client_id and client_secret.") from None
    client_id, _, secret = said.partition(":")
    return unquote_plus(client_id), unquote_plus(secret)


def _invalid_client(text: str) -> OAuthError:
    return OAuthError("invalid_client", text, status=401, headers={"WWW-Authenticate": 'Basic realm="hoursmith"'})
