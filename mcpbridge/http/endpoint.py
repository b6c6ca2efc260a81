"""The HTTP door of the bridge: one POST, one JSON answer, nothing kept.

A request passes, in this order: address, Host and Origin, method, restrictions, credential, blocks, media types, size,
JSON, JSON-RPC. Each refusal is one JSON-RPC error that says what to do. Only then somebody is asked anything.
"""

import json
import logging
import re
from collections.abc import Awaitable, Callable, Mapping
from dataclasses import dataclass, replace
from typing import Any

import mcp_types as types
import orjson

from mcpbridge.activity.connections import ID_PATTERN, Greeting
from mcpbridge.activity.recorder import ActivityRecorder
from mcpbridge.activity.rejections import Rejection
from mcpbridge.auth.credentials import credential_from_headers
from mcpbridge.auth.identity import Identities, IdentityUnavailableError
from mcpbridge.auth.rate_limit import TooManyAttemptsError
from mcpbridge.auth.restrictions.store import OrderBook, Orders, RestrictionsUnknownError
from mcpbridge.core.credential import CredentialFaultError, Fault
from mcpbridge.core.ids import new_text_id
from mcpbridge.core.types import Caller
from mcpbridge.http.addresses import Audience
from mcpbridge.http.headers import plain_headers
from mcpbridge.http.request import (
    Body,
    Receive,
    Refusal,
    check_media_types,
    folded,
    is_read_only,
    parse_body,
    read_body,
)
from mcpbridge.observability import logs, metrics
from mcpbridge.observability.telemetry import spans
from mcpbridge.protocol import jsonrpc
from mcpbridge.protocol.client_info import (
    UNKNOWN,
    client_from_info,
    client_from_session_id,
    client_from_user_agent,
    session_id,
)
from mcpbridge.protocol.server import McpServer, Visit
from mcpbridge.upstream import UpstreamError

logger = logging.getLogger(__name__)

Scope = Mapping[str, Any]
Send = Callable[[Mapping[str, Any]], Awaitable[None]]

UNAUTHENTICATED = -32040
TOO_MANY_ATTEMPTS = -32041
_UNKNOWN_WAIT_S = 5

_PATH = re.compile(rf"/mcp(?:/c/(?P<connection>{ID_PATTERN}))?(?P<readonly>/readonly)?/?", re.ASCII)


@dataclass(frozen=True, slots=True)
class Answer:
    """An HTTP answer; no body where `body` is None."""

    status: int
    body: dict[str, Any] | list[Any] | None
    headers: tuple[tuple[bytes, bytes], ...] = ()


def serves(path: str) -> bool:
    """Whether `path` is the bridge's to answer."""
    return path == "/mcp" or path.startswith("/mcp/")


class HttpEntry:
    """The ASGI application behind `/mcp`."""

    def __init__(
        self,
        *,
        server: McpServer,
        identities: Identities,
        orders: OrderBook,
        activity: ActivityRecorder,
        audience: Audience,
    ) -> None:
        self._server = server
        self._identities = identities
        self._orders = orders
        self._activity = activity
        self._audience = audience

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        request_id = new_text_id()
        logs.request_id.set(request_id)
        body = Body(receive)
        with spans.bridge_request(scope["headers"], request_id) as span:
            try:
                answer = await self._answer(scope, body, request_id, span)
            except Refusal as refusal:
                # The rest of an unread body would be taken for the next request, so the server closes the connection.
                ending = () if await body.is_drained() else ((b"connection", b"close"),)
                answer = Answer(refusal.status, refusal.body, (*refusal.headers, *ending))
            except Exception as error:
                answer = _failed(error, request_id, None)
            span.replies(answer.body if isinstance(answer.body, dict) else {}, answer.status)
            await _send(send, answer, request_id)

    async def _answer(self, scope: Scope, receive: Receive, request_id: str, span: spans.BridgeSpan) -> Answer:
        headers = folded(scope["headers"])
        path = _PATH.fullmatch(scope["path"])
        if path is None:
            raise Refusal(404, "MCP is served at /mcp, /mcp/readonly and /mcp/c/<connection>.")
        self._check_audience(headers)
        if scope["method"] != "POST":
            raise Refusal(405, "Send a POST: this server keeps no stream.", headers=[(b"allow", b"POST")])
        orders = self._restrictions()
        caller = self._caller(scope, headers, path["connection"] or "", request_id)
        credential_lines = [value for name, value in scope["headers"] if name == b"authorization"]
        try:
            credential = credential_from_headers(credential_lines)
            caller.env, caller.prefix, caller.digests = credential.env, credential.prefix, credential.digests
            if orders.holds(credential.env, credential.prefix):
                raise CredentialFaultError(Fault.BLOCKED, env=credential.env, prefix=credential.prefix)
            check_media_types(headers)
            body = parse_body(await read_body(receive, headers))
            read_only = bool(path["readonly"]) or is_read_only(headers)
            visit = Visit(credential, caller, read_only, orders.notice(credential.env, credential.prefix))
            if isinstance(body, list) and jsonrpc.allows_batches(headers.get("mcp-protocol-version")):
                return await self._answer_batch(body, headers, visit)
            return await self._exchange(body, headers, visit, span)
        except CredentialFaultError as fault:
            caller.env, caller.prefix = fault.env, fault.prefix
            caller.digests = caller.digests or fault.digests
            self._activity.rejected(Rejection.of(caller, fault.fault))
            raise _unauthorized(fault) from None
        except TooManyAttemptsError as error:
            self._activity.rejected(Rejection.of(caller, "too_many_attempts"))
            raise Refusal(
                429,
                f"Too many unknown tokens were tried. Wait {error.retry_after} seconds.",
                code=TOO_MANY_ATTEMPTS,
                headers=[(b"retry-after", str(error.retry_after).encode())],
                retryAfter=error.retry_after,
            ) from None

    async def _answer_batch(self, messages: list[Any], headers: dict[str, str], visit: Visit) -> Answer:
        """Answer the messages of a batch one after the other; nothing is said where all of them are notifications."""
        if not 0 < len(messages) <= jsonrpc.MOST_IN_A_BATCH:
            error = jsonrpc.RpcError(types.INVALID_REQUEST, f"A batch holds 1 to {jsonrpc.MOST_IN_A_BATCH} messages.")
            return Answer(error.http_status, error.body(None))
        bodies = []
        for message in messages:
            if isinstance(message, dict) and message.get("method") == "initialize":
                error = jsonrpc.RpcError(types.INVALID_REQUEST, "initialize cannot be part of a batch: send it alone.")
                answer = Answer(error.http_status, error.body(jsonrpc.id_in(message)))
            else:
                own = replace(visit, caller=replace(visit.caller))
                answer = await self._exchange(message, headers, own, spans.NOTHING)
            if answer.body is not None:
                bodies.append(answer.body)
        return Answer(200, bodies) if bodies else Answer(202, None)

    async def _exchange(self, body: Any, headers: dict[str, str], visit: Visit, span: spans.BridgeSpan) -> Answer:
        version = headers.get("mcp-protocol-version")
        try:
            request = jsonrpc.read_request(body)
            if request is None:
                jsonrpc.check_notification_version(version)
                return Answer(202, None)
        except jsonrpc.RpcError as error:
            return Answer(error.http_status, error.body(jsonrpc.id_in(body)))
        try:
            _introduce(visit.caller, request, version)
            span.asks(request.method, request.params, visit.caller)
            if request.method not in ("tools/call", "ping"):
                await self._check_in(visit, request.method)
            result = await jsonrpc.answer(self._server, request, headers=headers, visit=visit)
        except jsonrpc.RpcError as error:
            return Answer(error.http_status, error.body(request.id))
        except (CredentialFaultError, TooManyAttemptsError):
            raise
        except Exception as error:
            return _failed(error, visit.caller.request_id, request.id)
        more: tuple[tuple[bytes, bytes], ...] = ()
        if request.method == "initialize" and not jsonrpc.is_modern(version):
            client = client_from_info((request.params or {}).get("clientInfo"))
            more = ((b"mcp-session-id", session_id(client).encode()),)
        return Answer(200, {"jsonrpc": "2.0", "id": request.id, "result": result}, more)

    async def _check_in(self, visit: Visit, method: str) -> None:
        """Ask Hoursmith about the token now, so that a revoked one is not even told what tools there are."""
        caller = visit.caller
        try:
            identity = await self._identities.of(visit.credential, address=caller.address, fresh=True)
        except (IdentityUnavailableError, UpstreamError) as error:
            # The list is no secret and needs no data; the calls will say what is wrong.
            logger.info("The token %s could not be looked up: %s", visit.credential.prefix, type(error).__name__)
            return
        if caller.connection:
            self._activity.greeted(Greeting.of(caller, identity, method=method))

    def _restrictions(self) -> Orders:
        try:
            return self._orders.now()
        except RestrictionsUnknownError as error:
            metrics.restrictions_unknown.inc()
            wait = [(b"retry-after", str(_UNKNOWN_WAIT_S).encode())]
            raise Refusal(
                503, str(error), headers=wait, fault="restrictions_unknown", retryAfter=_UNKNOWN_WAIT_S
            ) from None

    def _check_audience(self, headers: dict[str, str]) -> None:
        if not self._audience.is_our_host(headers.get("host", "")):
            raise Refusal(421, "This address is not one of ours. An operator can add it to ALLOWED_HOSTS.")
        origin = headers.get("origin")
        if origin is not None and not self._audience.is_our_origin(origin):
            raise Refusal(403, "Requests from this web page's origin are not allowed.")

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
            protocol=headers.get("mcp-protocol-version", jsonrpc.ASSUMED_VERSION)[:16],
            address=peer[0] if peer else "",
            request_id=request_id,
        )


def _failed(error: Exception, request_id: str, rpc_id: str | int | None) -> Answer:
    """Log a fault of ours; the answer names the request, and nothing of the fault."""
    logger.error("Request %s failed", request_id, exc_info=error)
    told = jsonrpc.RpcError(types.INTERNAL_ERROR, "Internal error", data={"requestId": request_id})
    return Answer(500, told.body(rpc_id))


def _introduce(caller: Caller, request: jsonrpc.Request, version: str | None) -> None:
    """Give `caller` the name that the request itself gives (2026-07-28, or `initialize` before it)."""
    params = request.params or {}
    client = UNKNOWN
    if jsonrpc.is_modern(version):
        meta = params.get("_meta")
        client = client_from_info(meta.get(types.CLIENT_INFO_META_KEY) if isinstance(meta, dict) else None)
    elif request.method == "initialize":
        client = client_from_info(params.get("clientInfo"))
    if client.name:
        caller.client_name, caller.client_version = client.name, client.version


def _unauthorized(fault: CredentialFaultError) -> Refusal:
    """HTTP 401 with the challenge of RFC 6750 section 3; without an error code where no credential was sent."""
    challenge = 'Bearer realm="hoursmith"'
    if fault.fault is not Fault.MISSING:
        challenge += f', error="invalid_token", error_description="{fault.fault.value}"'
    return Refusal(
        401,
        fault.explanation,
        code=UNAUTHENTICATED,
        headers=[(b"www-authenticate", challenge.encode())],
        fault=fault.fault.value,
    )


async def _send(send: Send, answer: Answer, request_id: str) -> None:
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
