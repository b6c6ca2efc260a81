"""Send requests to Hoursmith's REST API: one origin, the caller's own token, no redirects, no retries."""

import logging
from typing import TYPE_CHECKING
from urllib.parse import quote, urlencode, urlsplit

import orjson

from mcpbridge.core.credential import Credential
from mcpbridge.observability.telemetry import spans
from mcpbridge.tools import RestRequest
from mcpbridge.upstream.errors import UpstreamDroppedError, UpstreamError
from mcpbridge.upstream.http import HttpTransport
from mcpbridge.upstream.response import ApiResponse, parse_response
from mcpbridge.upstream.transport import UpstreamTransport

if TYPE_CHECKING:
    import httpx

logger = logging.getLogger(__name__)


class Upstream:
    """Sends REST requests to one fixed origin, over the network or through an httpx `transport`."""

    def __init__(self, base_url: str, *, timeout_s: float, transport: "httpx.AsyncBaseTransport | None" = None) -> None:
        parts = urlsplit(base_url.rstrip("/"))
        origin = f"{parts.scheme}://{parts.netloc}"
        self._path = parts.path
        # Host and port of the origin.
        self.address = (parts.hostname or "", parts.port or (443 if parts.scheme == "https" else 80))
        self._transport: UpstreamTransport
        if transport is None:
            self._transport = HttpTransport(origin, timeout_s=timeout_s)
        else:
            # Imported late: httpx takes long to load and the network transport does not use it.
            from mcpbridge.upstream.asgi import AsgiTransport

            self._transport = AsgiTransport(transport, origin, timeout_s=timeout_s)

    async def aclose(self) -> None:
        await self._transport.aclose()

    async def send(self, call: RestRequest, credential: Credential) -> ApiResponse:
        """Send `call` once, with the caller's own token, and return the response; raise UpstreamError."""
        with spans.upstream_call(call.method, call.route, self.address) as span:
            reply = await self._exchange(call, credential)
            span.answered(reply.status)
            return reply

    async def _exchange(self, call: RestRequest, credential: Credential) -> ApiResponse:
        headers = {"Authorization": f"Bearer {credential.token}"}
        if call.idempotency_key is not None:
            headers["Idempotency-Key"] = call.idempotency_key
        body = None
        if call.body is not None:
            headers["Content-Type"] = "application/json"
            body = orjson.dumps(call.body)
        target = self._path + call.path
        if call.query:
            target += f"?{urlencode(call.query, quote_via=quote)}"
        try:
            answer = await self._transport.exchange(call.method, target, headers, body)
        except UpstreamError:
            raise
        except Exception as error:
            # Neither chained nor printed: its text may show the request, token included.
            logger.error("A request to Hoursmith failed unexpectedly: %s", type(error).__name__)
            raise UpstreamDroppedError from None
        return parse_response(answer, wants_data=call.method == "GET")
