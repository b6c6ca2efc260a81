"""Addresses of OAuth, at the root: where metadata is not read, clients guess exactly these (MCP 2025-03-26)."""

from django.urls import URLPattern, path, re_path

from hoursmith_console.oauth.metadata import authorization_server, no_metadata, protected_resource
from hoursmith_console.oauth.registering import register_client
from hoursmith_console.oauth.tokens import revoke_token, token

urlpatterns: list[URLPattern] = [
    re_path(r"^\.well-known/oauth-protected-resource(?P<path>/.*)?$", protected_resource),
    path(".well-known/oauth-authorization-server", authorization_server),
    re_path(r"^\.well-known/(?:oauth-authorization-server|openid-configuration)(?P<path>/.*)?$", no_metadata),
    path("register", register_client, name="oauth_register"),
    path("token", token, name="oauth_token"),
    path("revoke", revoke_token, name="oauth_revoke"),
]
