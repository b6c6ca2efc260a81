"""Serve MCP at `/mcp`: one POST, one JSON response, no session.

Each request is checked in this order: path, Host and Origin, method, restrictions, credential, blocks, media types,
size, JSON, JSON-RPC. A failed check is answered with one JSON-RPC error that says what to do. Hoursmith is called only
after all of them.
"""

import json
import logging
import re
from collections.abc import Awaitable, Callable, Mapping
from dataclasses import replace
from typing import Any, NamedTuple

import mcp_types as types
import orjson

from mcpbridge.activity.connections import ID_PATTERN, Greeting
from mcpbridge.activity.recorder import ActivityRecorder
from mcpbridge.activity.rejections import Rejection
from mcpbridge.auth.identity import IdentityCache, IdentityUnavailableError
from mcpbridge.auth.rate_limit import TooManyAttemptsError
from mcpbridge.auth.restrictions.store import Restrictions, RestrictionStore, RestrictionsUnknownError
from mcpbridge.core.credential import CredentialError
from mcpbridge.core.ids import new_text_id
from mcpbridge.core.types import Caller
from mcpbridge.http.addresses import AllowedHosts
from mcpbridge.http.credentials import Authentication
from mcpbridge.http.headers import plain_headers
from mcpbridge.http.request import (
    HttpError,
    Receive,
    RequestBody,
    check_media_types,
    header_dict,
    is_read_only,
    parse_body,
    read_body,
)
from mcpbridge.observability import logs, metrics
from mcpbridge.observability.telemetry import spans
from mcpbridge.protocol import dispatch, jsonrpc
from mcpbridge.protocol.client_info import client_from_info, client_from_session_id, client_from_user_agent, session_id
from mcpbridge.protocol.server import McpServer, RequestContext
from mcpbridge.upstream import UpstreamError

logger = logging.getLogger(__name__)

Scope = Mapping[str, Any]
Send = Callable[[Mapping[str, Any]], Awaitable[None]]

TOO_MANY_ATTEMPTS = -32041
_UNKNOWN_WAIT_S = 5

_PATH = re.compile(rf"/mcp(?:/c/(?P<connection>{ID_PATTERN}))?(?P<readonly>/readonly)?/?", re.ASCII)


class HttpResponse(NamedTuple):
    """An HTTP response; without a body if `body` is None."""

    status: int
    body: dict[str, Any] | list[Any] | None
    headers: tuple[tuple[bytes, bytes], ...] = ()


def is_mcp_path(path: str) -> bool:
    """Return whether the bridge serves `path`."""
    return path == "/mcp" or path.startswith("/mcp/")


class McpHttpApp:
    """The ASGI application at `/mcp`."""

    def __init__(
        self,
        *,
        server: McpServer,
        identities: IdentityCache,
        restrictions: RestrictionStore,
        activity: ActivityRecorder,
        audience: AllowedHosts,
    ) -> None:
        self._server = server
        self._identities = identities
        self._restrictions = restrictions
        self._activity = activity
        self._audience = audience

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        request_id = new_text_id()
        logs.request_id.set(request_id)
        body = RequestBody(receive)
        with spans.bridge_request(scope["headers"], request_id) as span:
            try:
                answer = await self._answer(scope, body, request_id, span)
            except HttpError as refusal:
                # An unread rest of the body would be read as the next request, so the server closes the connection.
                ending = () if await body.drain() else ((b"connection", b"close"),)
                answer = HttpResponse(refusal.status, refusal.body, (*refusal.headers, *ending))
            except Exception as error:
                answer = _failed(error, request_id, None)
            span.replies(answer.body if isinstance(answer.body, dict) else {}, answer.status)
            await _send(send, answer, request_id)

    async def _answer(self, scope: Scope, receive: Receive, request_id: str, span: spans.BridgeSpan) -> HttpResponse:
        headers = header_dict(scope["headers"])
        path = _PATH.fullmatch(scope["path"])
        if path is None:
            raise HttpError(404, "MCP is served at /mcp, /mcp/readonly and /mcp/c/<connection>.")
        self._check_audience(headers)
        if scope["method"] != "POST":
            raise HttpError(405, "Send a POST: this server has no streams.", headers=[(b"allow", b"POST")])
        restrictions = self._current_restrictions()
        caller = self._caller(scope, headers, path["connection"] or "", request_id)
        authentication = Authentication(caller, scope["path"])
        try:
            credential = authentication.credential(scope["headers"], restrictions)
            check_media_types(headers)
            body = parse_body(await read_body(receive, headers))
            read_only = authentication.is_read_only or bool(path["readonly"]) or is_read_only(headers)
            context = RequestContext(credential, caller, read_only, restrictions.notice(credential.token_ref))
            if isinstance(body, list) and dispatch.allows_batches(headers.get("mcp-protocol-version")):
                return await self._answer_batch(body, headers, context)
            return await self._exchange(body, headers, context, span)
        except CredentialError as error:
            caller.env, caller.prefix = error.token
            caller.digests = caller.digests or error.digests
            self._activity.rejected(Rejection.of(caller, error.code))
            raise authentication.refusal(error) from None
        except TooManyAttemptsError as error:
            self._activity.rejected(Rejection.of(caller, "too_many_attempts"))
            raise HttpError(
                429,
                f"Too many unknown tokens were tried. Wait {error.retry_after} seconds.",
                code=TOO_MANY_ATTEMPTS,
                headers=[(b"retry-after", str(error.retry_after).encode())],
                retryAfter=error.retry_after,
            ) from None

    async def _answer_batch(
        self, messages: list[Any], headers: dict[str, str], context: RequestContext
    ) -> HttpResponse:
        """Answer the messages of a batch in order; with an empty 202 if all of them are notifications."""
        if not 0 < len(messages) <= dispatch.MAX_BATCH_SIZE:
            error = jsonrpc.RpcError(
                types.INVALID_REQUEST, f"A batch must have 1 to {dispatch.MAX_BATCH_SIZE} messages."
            )
            return HttpResponse(error.http_status, error.body(None))
        bodies = []
        for message in messages:
            if isinstance(message, dict) and message.get("method") == "initialize":
                error = jsonrpc.RpcError(types.INVALID_REQUEST, "initialize cannot be part of a batch: send it alone.")
                answer = HttpResponse(error.http_status, error.body(jsonrpc.id_from(message)))
            else:
                own = context._replace(caller=replace(context.caller))
                answer = await self._exchange(message, headers, own, spans.NOTHING)
            if answer.body is not None:
                bodies.append(answer.body)
        return HttpResponse(200, bodies) if bodies else HttpResponse(202, None)

    async def _exchange(
        self, body: Any, headers: dict[str, str], context: RequestContext, span: spans.BridgeSpan
    ) -> HttpResponse:
        version = headers.get("mcp-protocol-version")
        try:
            request = jsonrpc.read_request(body)
            if request is None:
                dispatch.check_notification_version(version)
                return HttpResponse(202, None)
        except jsonrpc.RpcError as error:
            return HttpResponse(error.http_status, error.body(jsonrpc.id_from(body)))
        try:
            dispatch.apply_client_info(context.caller, request, version)
            span.asks(request.method, request.params, context.caller)
            if request.method not in ("tools/call", "ping"):
                await self._refresh_identity(context, request.method)
            result = await dispatch.dispatch_request(self._server, request, headers=headers, context=context)
        except jsonrpc.RpcError as error:
            return HttpResponse(error.http_status, error.body(request.id))
        except (CredentialError, TooManyAttemptsError):
            raise
        except Exception as error:
            return _failed(error, context.caller.request_id, request.id)
        more: tuple[tuple[bytes, bytes], ...] = ()
        if request.method == "initialize" and not dispatch.is_stateless(version):
            client = client_from_info((request.params or {}).get("clientInfo"))
            more = ((b"mcp-session-id", session_id(client).encode()),)
        return HttpResponse(200, {"jsonrpc": "2.0", "id": request.id, "result": result}, more)

    async def _refresh_identity(self, context: RequestContext, method: str) -> None:
        """Check the token with Hoursmith now, so that a revoked token cannot even list the tools."""
        caller = context.caller
        try:
            identity = await self._identities.of(context.credential, address=caller.address, fresh=True)
        except (IdentityUnavailableError, UpstreamError) as error:
            # The list is not secret and needs no data; the calls will report the problem.
            logger.info(
                "The identity of token %s could not be looked up: %s", context.credential.prefix, type(error).__name__
            )
            return
        if caller.connection:
            self._activity.greeted(Greeting.of(caller, identity, method=method))

    def _current_restrictions(self) -> Restrictions:
        try:
            return self._restrictions.now()
        except RestrictionsUnknownError as error:
            metrics.restrictions_unknown.inc()
            wait = [(b"retry-after", str(_UNKNOWN_WAIT_S).encode())]
            raise HttpError(
                503, str(error), headers=wait, fault="restrictions_unknown", retryAfter=_UNKNOWN_WAIT_S
            ) from None

    def _check_audience(self, headers: dict[str, str]) -> None:
        if not self._audience.allows_host(headers.get("host", "")):
            raise HttpError(421, "This host name is not allowed. An operator can add it to ALLOWED_HOSTS.")
        origin = headers.get("origin")
        if origin is not None and not self._audience.allows_origin(origin):
            raise HttpError(403, "Requests from this web page's origin are not allowed.")

    def _caller(self, scope: Scope, headers: dict[str, str], connection: str, request_id: str) -> Caller:
        peer = scope.get("client")
        client = client_from_session_id(headers.get("mcp-session-id", ""))
        if not client.name:
            client = client_from_user_agent(headers.get("user-agent", ""))
        return Caller(
            env="",
            prefix="",
            client_name=client.name,
            client_version=client.version,
            connection=connection,
            protocol=headers.get("mcp-protocol-version", dispatch.ASSUMED_VERSION)[:16],
            address=peer[0] if peer else "",
            request_id=request_id,
        )


def _failed(error: Exception, request_id: str, rpc_id: str | int | None) -> HttpResponse:
    """Log an unexpected error; the response has the request id and nothing about the error."""
    logger.error("Request %s failed", request_id, exc_info=error)
    internal = jsonrpc.RpcError(types.INTERNAL_ERROR, "Internal error", data={"requestId": request_id})
    return HttpResponse(500, internal.body(rpc_id))


async def _send(send: Send, answer: HttpResponse, request_id: str) -> None:
    body = b"" if answer.body is None else _encoded(answer.body)
    headers = [
        (b"content-length", str(len(body)).encode()),
        (b"x-request-id", request_id.encode()),
        *plain_headers(),
        *answer.headers,
    ]
    if answer.body is not None:
        headers.append((b"content-type", b"application/json"))
    await send({"type": "http.response.start", "status": answer.status, "headers": headers})
    await send({"type": "http.response.body", "body": body})


def _encoded(body: dict[str, Any] | list[Any]) -> bytes:
    try:
        return orjson.dumps(body)
    except TypeError:
        # A JSON-RPC id or an upstream number may exceed 64 bits.
        return json.dumps(body, separators=(",", ":")).encode()
