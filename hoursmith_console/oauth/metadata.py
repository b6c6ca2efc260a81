"""Metadata by which clients find the sign-in (RFC 9728, RFC 8414)."""

from django.http import HttpRequest, HttpResponse

from hoursmith_console.oauth.responses import OAuthError, endpoint, json_answer
from mcpbridge.grants.resources import Resource, resource_at, server_metadata


@endpoint("GET")
def protected_resource(request: HttpRequest, path: str = "") -> HttpResponse:
    """Describe the resource at `path`, which is `/mcp` if it is empty."""
    resource = resource_at(path) if path.strip("/") else Resource()
    if resource is None:
        raise OAuthError("not_found", "MCP is served at /mcp, /mcp/readonly and /mcp/c/<connection>.", status=404)
    return json_answer(resource.metadata())


@endpoint("GET")
def authorization_server(request: HttpRequest) -> HttpResponse:
    """Describe this authorization server."""
    return json_answer(server_metadata())


@endpoint("GET")
def no_metadata(request: HttpRequest, path: str = "") -> HttpResponse:
    """Refuse other addresses, such as that of OpenID Connect, which this server does not offer."""
    raise OAuthError("not_found", "The metadata is at /.well-known/oauth-authorization-server.", status=404)
