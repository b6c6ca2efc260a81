"""Build the upstream that the settings name: the hosted service, or the sandbox in this process.

Separate from `app`, because pages and commands that call Hoursmith do not need the MCP code.
"""

from typing import Any

from django.conf import settings

from mcpbridge.upstream import Upstream


def upstream_from_settings(sandbox: Any | None = None) -> Upstream:
    """Return the upstream that the settings name; `sandbox` is the ASGI application to call if none is named."""
    if settings.HOURSMITH_API_URL:
        return Upstream(settings.HOURSMITH_API_URL, timeout_s=settings.UPSTREAM_TIMEOUT_S)
    from mcpbridge.upstream.asgi import asgi_transport

    # The address is never contacted; https keeps Django from redirecting to https.
    return Upstream(
        "https://localhost/sandbox/api/v1",
        timeout_s=settings.UPSTREAM_TIMEOUT_S,
        transport=asgi_transport(sandbox),
    )
