"""Check an authorization request (OAuth 2.1 section 4.1.1), in an order that never redirects to an unchecked address.

`InvalidRequestError` is shown on a page. Once client and redirect are known, `RefusedRequestError` is sent to the
assistant, with its `state` and the issuer (RFC 9207).
"""

import re
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Any
from urllib.parse import urlencode

from mcpbridge.grants import config
from mcpbridge.grants.clients import Client, UnknownClientError, find_client, host_of_redirect
from mcpbridge.grants.redirects import is_loopback, shown_host
from mcpbridge.grants.resources import READ, WRITE, Resource, resource_named

MAX_STATE_LENGTH = 2000
_CHALLENGE = re.compile(r"[A-Za-z0-9_-]{43}", re.ASCII)
# Everything that this console reads; others are ignored, as OAuth asks for.
_PARAMETERS = (
    "response_type", "client_id", "redirect_uri", "scope", "state", "code_challenge", "code_challenge_method",
    "resource",
)  # fmt: skip


class InvalidRequestError(Exception):
    """The request cannot be answered to anybody: show the text on a page, and never redirect."""


@dataclass(frozen=True, slots=True)
class AuthorizationRequest:
    """A checked request."""

    client: Client
    redirect: str
    state: str | None
    challenge: str
    resource: Resource
    asks_read_only: bool

    @property
    def redirect_host(self) -> str:
        """Return where the answer goes, as the page shows it."""
        return shown_host(self.redirect)

    @property
    def is_loopback(self) -> bool:
        """Return whether the answer goes to a program on the user's own computer."""
        return is_loopback(self.redirect)

    @property
    def vendor_host(self) -> str:
        """Return the host of a known assistant if that is where the answer goes, whatever the client's name is."""
        return self.client.host or host_of_redirect(self.redirect)

    def answer(self, **parameters: str) -> str:
        """Return the redirect address with `parameters`, the state and the issuer."""
        said = {**parameters, **({} if self.state is None else {"state": self.state}), "iss": config.issuer()}
        return f"{self.redirect}{'&' if '?' in self.redirect else '?'}{urlencode(said)}"

    def facts(self) -> dict[str, Any]:
        """Return the request as JSON values, for `carrying`."""
        return {
            "client_id": self.client.client_id,
            "redirect": self.redirect,
            "state": self.state,
            "challenge": self.challenge,
            "resource": self.resource.path,
            "read_only": self.asks_read_only,
        }


class RefusedRequestError(Exception):
    """The assistant's request is refused: lead the browser to `address`, which tells the assistant why."""

    def __init__(self, request: AuthorizationRequest, error: str, description: str) -> None:
        super().__init__(description)
        self.request = request
        self.error = error
        self.address = request.answer(error=error, error_description=description)


def check_request(parameters: Mapping[str, Sequence[str]]) -> AuthorizationRequest:
    """Return the request in `parameters`, lists of values; raise InvalidRequestError, later RefusedRequestError."""
    said = {name: _single(name, parameters.get(name, ())) for name in _PARAMETERS}
    if not said["client_id"] or not said["redirect_uri"]:
        missing = "client_id" if not said["client_id"] else "redirect_uri"
        raise InvalidRequestError(f"The link from the assistant is incomplete: it has no {missing}.")
    try:
        client = find_client(said["client_id"])
    except UnknownClientError as error:
        raise InvalidRequestError(str(error)) from None
    redirect = said["redirect_uri"]
    if not client.accepts(redirect):
        raise InvalidRequestError(
            f"{client.name} asks for the answer at an address that is not allowed for it. Do not continue."
        )
    state = said["state"]
    if state is not None and len(state) > MAX_STATE_LENGTH:
        raise InvalidRequestError(f"The link from the assistant is too long: its state exceeds {MAX_STATE_LENGTH}.")
    scopes = None if said["scope"] is None else said["scope"].split()
    resource = resource_named(said["resource"]) if said["resource"] is not None else Resource()
    request = AuthorizationRequest(
        client=client,
        redirect=redirect,
        state=state,
        challenge=said["code_challenge"] or "",
        resource=resource or Resource(),
        asks_read_only=bool(resource and resource.is_read_only) or (scopes is not None and WRITE not in scopes),
    )
    _check_parameters(request, said, is_ours=resource is not None)
    return request


def _check_parameters(request: AuthorizationRequest, said: Mapping[str, str | None], *, is_ours: bool) -> None:
    """Raise RefusedRequestError for the first parameter that does not fit."""
    if said["response_type"] != "code":
        raise RefusedRequestError(request, "unsupported_response_type", "response_type must be code.")
    if said["code_challenge_method"] != "S256" or not _CHALLENGE.fullmatch(request.challenge):
        raise RefusedRequestError(
            request, "invalid_request", "Send a code_challenge of 43 characters with code_challenge_method S256."
        )
    if not is_ours:
        raise RefusedRequestError(request, "invalid_target", f"resource must be {Resource().url} or one below it.")


def restored_request(facts: Mapping[str, Any]) -> AuthorizationRequest:
    """Return the request that `AuthorizationRequest.facts` described, checked again; raise as `check_request` does."""
    scope = READ if facts["read_only"] else f"{READ} {WRITE}"
    said = {
        "response_type": "code",
        "client_id": facts["client_id"],
        "redirect_uri": facts["redirect"],
        "state": facts["state"],
        "code_challenge": facts["challenge"],
        "code_challenge_method": "S256",
        "resource": config.issuer() + facts["resource"],
        "scope": scope,
    }
    return check_request({name: [value] for name, value in said.items() if value is not None})


def _single(name: str, values: Sequence[str]) -> str | None:
    if len(values) > 1:
        raise InvalidRequestError(f"The link from the assistant is ambiguous: it has more than one {name}.")
    # Sent without a value is the same as not sent (OAuth 2.1 section 3.1).
    return (values[0] or None) if values else None
