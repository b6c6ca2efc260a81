"""Which Hoursmith the settings name: the hosted service, or the sandbox in this process.

Apart from `bridge`, because pages and commands that ask Hoursmith something need none of the MCP machinery.
"""

from typing import Any

from django.conf import settings

from mcpbridge.upstream import Upstream


def upstream_from_settings(sandbox: Any | None = None) -> Upstream:
    """The upstream that the settings name; `sandbox` is the ASGI application to call where none is named."""
    if settings.HOURSMITH_API_URL:
        return Upstream(settings.HOURSMITH_API_URL, timeout_s=settings.UPSTREAM_TIMEOUT_S)
    from mcpbridge.upstream.asgi import asgi_transport

    # The address never leaves the process; https keeps Django from redirecting to it.
    return Upstream(
        "https://localhost/sandbox/api/v1",
        timeout_s=settings.UPSTREAM_TIMEOUT_S,
        transport=asgi_transport(sandbox),
    )
