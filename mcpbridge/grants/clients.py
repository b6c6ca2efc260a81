"""Find the assistant that a client_id names: a registration of ours, or the address of its metadata document."""

import hashlib
from collections.abc import Callable
from dataclasses import dataclass, field

from mcpbridge.grants import config
from mcpbridge.grants.documents import DocumentError, document_at
from mcpbridge.grants.envelopes import DIGEST_LENGTH
from mcpbridge.grants.known_clients import KnownClient, known_by_id, known_by_redirect
from mcpbridge.grants.redirects import is_acceptable, loopback_path, without_port
from mcpbridge.grants.registration import Registration, read_registration

_MAX_ID_LENGTH = 500


class UnknownClientError(Exception):
    """The client_id names no assistant that may sign in here. The text says why, for the user."""


@dataclass(frozen=True, slots=True)
class Client:
    """An assistant that asks for access.

    `host` vouches for the name; it is empty if nothing does. Then the name is only what the program calls itself.
    """

    client_id: str
    name: str
    host: str
    has_redirect: Callable[[str], bool] = field(repr=False, compare=False)

    @property
    def is_verified(self) -> bool:
        """Return whether the name is more than a claim."""
        return bool(self.host)

    @property
    def digest(self) -> bytes:
        return client_digest(self.client_id)

    def accepts(self, redirect: str) -> bool:
        """Return whether answers may go to `redirect`: it is in the client's list, and acceptable now."""
        return is_acceptable(redirect) and self.has_redirect(redirect)


def client_digest(client_id: str) -> bytes:
    """Return what envelopes and grants keep of a client_id."""
    return hashlib.sha256(client_id.encode()).digest()[:DIGEST_LENGTH]


def find_client(client_id: str) -> Client:
    """Return the assistant that `client_id` names. Raises UnknownClientError."""
    if registration := read_registration(client_id):
        return _registered(registration)
    if len(client_id) > _MAX_ID_LENGTH or not client_id.startswith("https://"):
        raise UnknownClientError(
            "This assistant is not registered here, or its registration is no longer valid."
            " Remove it from the assistant and connect it again."
        )
    if known := known_by_id(client_id):
        return Client(client_id, known.name, known.host, has_redirect=_known_redirects(known))
    if not config.accepts_any_client():
        raise UnknownClientError("This assistant is not known here. An operator can allow it.")
    try:
        document = document_at(client_id)
    except DocumentError as error:
        raise UnknownClientError(str(error)) from None
    listed = frozenset(map(without_port, document.redirects))
    return Client(client_id, document.name, document.host, has_redirect=lambda each: without_port(each) in listed)


def is_client_id(client_id: str) -> bool:
    """Return whether `client_id` can be one at the token endpoint, without fetching anything."""
    return read_registration(client_id) is not None or (
        client_id.startswith("https://") and len(client_id) <= _MAX_ID_LENGTH
    )


def _registered(registration: Registration) -> Client:
    name = registration.name or "unnamed"
    return Client(registration.client_id, name, "", has_redirect=registration.has_redirect)


def _known_redirects(known: KnownClient) -> Callable[[str], bool]:
    def has_redirect(address: str) -> bool:
        path = loopback_path(address)
        return known.has_redirect(address) if path is None else path in known.loopback_paths

    return has_redirect


def host_of_redirect(redirect: str) -> str:
    """Return the host of a known assistant whose answers go to `redirect`; empty for any other."""
    known = known_by_redirect(redirect)
    return known.host if known else ""
