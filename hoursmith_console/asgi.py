"""The ASGI application: the bridge answers `/mcp`, Django the rest, both in one process.

`/mcp` does not go through Django, whose request cycle costs several times as much as the bridge itself.
"""

import asyncio
import logging
import os
from collections.abc import Awaitable, Callable, Mapping
from typing import Any

os.environ.setdefault("DJANGO_SETTINGS_MODULE", "hoursmith_console.settings")

from django.conf import settings
from django.core.asgi import get_asgi_application
from django.utils.module_loading import import_string

django_application = get_asgi_application()

from hoursmith_console.jobs.scheduler import ALERT_JOBS, MAIL_JOBS, BackgroundJobs  # noqa: E402
from hoursmith_console.middleware.body_limit import limit_body  # noqa: E402 – needs the applications loaded
from hoursmith_console.ops.health import Health  # noqa: E402
from hoursmith_console.ops.metrics import Metrics  # noqa: E402
from mcpbridge import __version__  # noqa: E402
from mcpbridge.app import Bridge  # noqa: E402
from mcpbridge.core.networks import parse_networks  # noqa: E402
from mcpbridge.http.endpoint import is_mcp_path  # noqa: E402
from mcpbridge.http.forwarding import apply_forwarding_headers  # noqa: E402
from mcpbridge.http.request_targets import to_origin_form  # noqa: E402
from mcpbridge.observability.telemetry import Telemetry  # noqa: E402
from mcpbridge.upstream.config import upstream_from_settings  # noqa: E402

logger = logging.getLogger(__name__)

Scope = dict[str, Any]
Receive = Callable[[], Awaitable[dict[str, Any]]]
Send = Callable[[Mapping[str, Any]], Awaitable[None]]


class Application:
    """ASGI application of one process; its bridge runs from lifespan startup to shutdown."""

    def __init__(self) -> None:
        self._bridge: Bridge | None = None
        self._health: Health | None = None
        self._metrics = Metrics()
        self._telemetry = Telemetry(is_wanted=settings.TRACES, version=__version__)
        self._watch = BackgroundJobs()
        self._mailer = BackgroundJobs(MAIL_JOBS, name="mailer")
        self._alerts = BackgroundJobs(ALERT_JOBS, name="alerts")
        self._pages = limit_body(django_application)
        self._trusted = parse_networks(settings.TRUSTED_PROXIES)

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        if scope["type"] == "lifespan":
            await self._live(receive, send)
        elif scope["type"] == "http":
            scope = to_origin_form(scope)
            path = scope["path"]
            if self._bridge is not None and is_mcp_path(path):
                await self._bridge.http(apply_forwarding_headers(scope, self._trusted), receive, send)
            elif self._health is not None and path in ("/healthz", "/readyz"):
                await self._health(scope, receive, send)
            elif path == "/metrics":
                # Unmodified, because it refuses forwarded requests.
                await self._metrics(scope, receive, send)
            else:
                await self._pages(apply_forwarding_headers(scope, self._trusted), receive, send)
        else:
            raise RuntimeError(f"Unsupported ASGI scope: {scope['type']}.")

    async def _live(self, receive: Receive, send: Send) -> None:
        while True:
            message = await receive()
            try:
                if message["type"] == "lifespan.startup":
                    self._telemetry.start()
                    self._bridge = Bridge(
                        upstream_from_settings(django_application), catalogue=import_string(settings.MCP_CATALOGUE)
                    )
                    self._health = Health(self._bridge.upstream, self._bridge.restrictions)
                    await self._bridge.start()
                    self._watch.start()
                    self._mailer.start()
                    self._alerts.start()
                elif self._bridge is not None:
                    # Before the bridge, whose audit writer they use.
                    await asyncio.gather(self._watch.stop(), self._mailer.stop(), self._alerts.stop())
                    await self._bridge.stop()
                    await self._telemetry.stop()
            except Exception:
                logger.exception("%s failed", message["type"])
                await send({"type": f"{message['type']}.failed", "message": "see the log"})
                return
            await send({"type": f"{message['type']}.complete"})
            if message["type"] == "lifespan.shutdown":
                return


application = Application()
