"""The protected resources: `/mcp`, `/mcp/readonly` and `/mcp/c/<connection>`, and their metadata.

Sources: RFC 9728 (metadata and the challenge's resource_metadata), RFC 8707 (the resource parameter), RFC 8414.
"""

import re
from dataclasses import dataclass
from typing import Any

from mcpbridge.activity.connections import ID_PATTERN
from mcpbridge.grants import config

READ, WRITE, OFFLINE = "hoursmith:read", "hoursmith:write", "offline_access"
METADATA_PATH = "/.well-known/oauth-protected-resource"
_PATH = re.compile(rf"/mcp(?:/c/(?P<connection>{ID_PATTERN}))?(?P<readonly>/readonly)?", re.ASCII)
_IDENTIFIER = re.compile(r"(?P<origin>[A-Za-z]+://[^/?#\s]+)(?P<path>/[^?#\s]*)", re.ASCII)


@dataclass(frozen=True, slots=True)
class Resource:
    """One address of the bridge."""

    connection: str = ""
    is_read_only: bool = False

    @property
    def path(self) -> str:
        connection = f"/c/{self.connection}" if self.connection else ""
        return f"/mcp{connection}{'/readonly' if self.is_read_only else ''}"

    @property
    def url(self) -> str:
        """Return the resource's identifier."""
        return config.issuer() + self.path

    @property
    def scope(self) -> str:
        """Return the scopes that the resource knows, as a challenge lists them."""
        return READ if self.is_read_only else f"{READ} {WRITE}"

    def metadata(self) -> dict[str, Any]:
        """Return the protected-resource metadata (RFC 9728 section 2)."""
        return {
            "resource": self.url,
            "authorization_servers": [config.issuer()],
            "scopes_supported": self.scope.split(),
            "bearer_methods_supported": ["header"],
            "resource_name": "Hoursmith",
        }

    @property
    def challenge(self) -> str:
        """Return the parameters that lead a client from a 401 to the sign-in (RFC 9728 section 5.1)."""
        return f'resource_metadata="{config.issuer()}{METADATA_PATH}{self.path}", scope="{self.scope}"'


def resource_at(path: str) -> Resource | None:
    """Return the resource at `path`, which may end with a slash; None if there is none."""
    found = _PATH.fullmatch(path.removesuffix("/"))
    return None if found is None else Resource(found["connection"] or "", found["readonly"] is not None)


def resource_named(identifier: str) -> Resource | None:
    """Return the resource with this identifier; None if it is not exactly one of ours.

    The case of scheme and host, and one slash at the end, make no difference (MCP authorization, canonical URI).
    """
    found = _IDENTIFIER.fullmatch(identifier)
    if found is None or found["origin"].lower() != config.issuer().lower():
        return None
    return resource_at(found["path"])


def server_metadata() -> dict[str, Any]:
    """Return the authorization-server metadata (RFC 8414 section 2)."""
    issuer = config.issuer()
    methods = ["none", "client_secret_post", "client_secret_basic"]
    return {
        "issuer": issuer,
        "authorization_endpoint": f"{issuer}/authorize",
        "token_endpoint": f"{issuer}/token",
        "registration_endpoint": f"{issuer}/register",
        "revocation_endpoint": f"{issuer}/revoke",
        "response_types_supported": ["code"],
        "response_modes_supported": ["query"],
        "grant_types_supported": ["authorization_code", "refresh_token"],
        "code_challenge_methods_supported": ["S256"],
        "token_endpoint_auth_methods_supported": methods,
        "revocation_endpoint_auth_methods_supported": methods,
        "scopes_supported": [READ, WRITE, OFFLINE],
        "client_id_metadata_document_supported": True,
        "authorization_response_iss_parameter_supported": True,
        "service_documentation": f"{issuer}/help/",
    }
