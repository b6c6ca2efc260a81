"""Dispatch one JSON-RPC request to the SDK's server and return its result, for every protocol version.

The SDK's own HTTP handler for the `initialize`-based versions starts a transport, three tasks and several streams for
every request. Since no state is kept between requests here, one await does the same. The version comes from the
`MCP-Protocol-Version` header, as in the SDK.
"""

import logging
import re
from collections.abc import Callable, Mapping
from dataclasses import dataclass, field
from functools import lru_cache
from typing import Any

import anyio
import mcp_types as types
from mcp.server import Server
from mcp.server.connection import Connection
from mcp.server.runner import serve_one
from mcp.shared.dispatcher import CallOptions
from mcp.shared.exceptions import MCPError, NoBackChannelError
from mcp.shared.inbound import (
    InboundLadderRejection,
    InboundModernRoute,
    classify_inbound_request,
    unsupported_protocol_version_rejection,
    validate_mcp_param_headers,
)
from mcp.shared.message import ServerMessageMetadata
from mcp.shared.transport_context import TransportContext
from mcp_types.version import HANDSHAKE_PROTOCOL_VERSIONS, KNOWN_PROTOCOL_VERSIONS, MODERN_PROTOCOL_VERSIONS
from pydantic import ValidationError

from mcpbridge.core.types import Caller, ElicitationState
from mcpbridge.protocol.client_info import UNKNOWN, client_from_info
from mcpbridge.protocol.jsonrpc import Request, RpcError
from mcpbridge.protocol.server import McpServer, McpToolResult, RequestContext

logger = logging.getLogger(__name__)

_VERSION = re.compile(r"[0-9A-Za-z.-]{0,20}", re.ASCII)
ASSUMED_VERSION = types.DEFAULT_NEGOTIATED_VERSION
# The revisions whose tool results have structured content.
_STRUCTURED = frozenset({"2025-06-18", "2025-11-25", *MODERN_PROTOCOL_VERSIONS})
# Trace context is text under these names (MCP 2026-07-28, basic, OpenTelemetry trace context).
_TRACE_META = frozenset({"traceparent", "tracestate", "baggage"})
_EVERYDAY_META = _TRACE_META | {
    types.PROTOCOL_VERSION_META_KEY,
    types.CLIENT_CAPABILITIES_META_KEY,
    types.CLIENT_INFO_META_KEY,
}

_SERVED = list(KNOWN_PROTOCOL_VERSIONS)
_CAN_ASK = ElicitationState(can_ask=True)


# The one revision with batches (MCP 2025-03-26, basic), and how many messages one may hold here.
BATCHING_VERSION = "2025-03-26"
MAX_BATCH_SIZE = 20


def is_stateless(version: str | None) -> bool:
    """Return whether this `MCP-Protocol-Version` header names a stateless version (2026-07-28 or later)."""
    return version is not None and version not in HANDSHAKE_PROTOCOL_VERSIONS


def apply_client_info(caller: Caller, request: Request, version: str | None) -> None:
    """Set the client name and version that the request states (2026-07-28, or `initialize` before it)."""
    params = request.params or {}
    client = UNKNOWN
    if is_stateless(version):
        meta = params.get("_meta")
        client = client_from_info(meta.get(types.CLIENT_INFO_META_KEY) if isinstance(meta, dict) else None)
    elif request.method == "initialize":
        client = client_from_info(params.get("clientInfo"))
    if client.name:
        caller.client_name, caller.client_version = client.name, client.version


def allows_batches(version: str | None) -> bool:
    """Return whether the protocol version allows batches: only 2025-03-26, which had no version header."""
    return version in (None, BATCHING_VERSION)


@dataclass
class _Exchange:
    """The SDK's `DispatchContext` for a request that is answered with one JSON body and has no back channel."""

    transport: TransportContext
    request_id: str | int
    message_metadata: ServerMessageMetadata
    cancel_requested: anyio.Event = field(default_factory=anyio.Event)
    can_send_request: bool = False

    async def send_raw_request(
        self, method: str, params: Mapping[str, Any] | None, opts: CallOptions | None = None
    ) -> dict[str, Any]:
        raise NoBackChannelError(method)

    async def notify(self, method: str, params: Mapping[str, Any] | None, opts: CallOptions | None = None) -> None:
        """Drop the notification: a JSON response cannot carry it."""

    async def progress(self, progress: float, total: float | None = None, message: str | None = None) -> None:
        """Drop the progress report likewise."""


def check_notification_version(version: str | None) -> None:
    """Raise RpcError if a notification names an unsupported protocol version."""
    if version is not None and is_stateless(version):
        _raise(unsupported_protocol_version_rejection(version))


async def dispatch_request(
    server: McpServer, request: Request, *, headers: Mapping[str, str], context: RequestContext
) -> dict[str, Any]:
    """Return the result of `request`; raise RpcError, or an error of the credential checks.

    `headers` are by lower-case name. A tool call in the usual form goes straight to the catalogue, which costs a third
    less; everything else goes through the SDK, with `context` as its `context.request`.
    """
    version = headers.get("mcp-protocol-version", ASSUMED_VERSION)
    modern = is_stateless(version)
    try:
        route = _modern_route(server.sdk, request, headers) if modern else None
        if request.method == "tools/call":
            _check_arguments(request.params or {}, modern=modern)
        if request.method == "tools/call" and version in _STRUCTURED and (call := _plain_call(request.params or {})):
            if modern and _asks_in_forms(request.params or {}):
                context = context._replace(elicitation=_CAN_ASK)
            result = await server.catalogue.call(*call, context)
            return _complete(result, server) if modern else result
        client = (route.client_info, route.client_capabilities) if route is not None else (None, None)
        exchange = _Exchange(
            TransportContext(kind="streamable-http", can_send_request=False, headers=headers),
            request.id,
            ServerMessageMetadata(request_context=context),
        )
        result = await serve_one(
            server.sdk,
            exchange,
            request.method,
            request.params,
            connection=Connection.from_envelope(version, *client),
            lifespan_state=None,
        )
        if request.method == "server/discover":
            # As in a version error: the SDK lists only the stateless versions, but all of them are supported here.
            result["supportedVersions"] = _SERVED
        return result
    except MCPError as error:
        # The SDK repeats the name of an unknown method.
        data = None if error.error.code == types.METHOD_NOT_FOUND else error.error.data
        status = None if modern else 200
        raise RpcError(error.error.code, error.error.message, data=data, http_status=status) from None
    except ValidationError:
        # Pydantic's text repeats the input, so it is not passed on.
        status = 400 if modern else 200
        raise RpcError(types.INVALID_PARAMS, "Invalid request parameters", http_status=status) from None


def _check_arguments(params: dict[str, Any], *, modern: bool) -> None:
    if not isinstance(params.get("arguments"), dict | None):
        message = 'The member "arguments" must be an object, such as {"limit": 10}.'
        raise RpcError(types.INVALID_PARAMS, message, http_status=400 if modern else 200)


def _complete(result: McpToolResult, server: McpServer) -> dict[str, Any]:
    """Return `result` as the stateless versions have it: marked complete, unless it is a question, with server info."""
    return {"resultType": "complete", **result, "_meta": {**result.get("_meta", {}), **server.stamp}}


def _plain_call(params: dict[str, Any]) -> tuple[str, dict[str, Any]] | None:
    """Return name and arguments of a tool call in its usual form; None for any other."""
    name, arguments, meta = params.get("name"), params.get("arguments"), params.get("_meta")
    is_plain = (
        isinstance(name, str)
        and isinstance(arguments, dict | None)
        and params.keys() <= {"name", "arguments", "_meta"}
        and (meta is None or (isinstance(meta, dict) and _is_plain_meta(meta)))
    )
    return (str(name), arguments or {}) if is_plain else None


def _is_plain_meta(meta: dict[str, Any]) -> bool:
    client = meta.get(types.CLIENT_INFO_META_KEY, {})
    capabilities = meta.get(types.CLIENT_CAPABILITIES_META_KEY, {})
    return (
        meta.keys() <= _EVERYDAY_META
        and isinstance(client, dict)
        and all(isinstance(value, str) for value in client.values())
        and (not client or {"name", "version"} <= client.keys() <= {"name", "version", "title"})
        and isinstance(capabilities, dict)
        and all(isinstance(value, dict) for value in capabilities.values())
        and all(isinstance(meta[name], str) for name in _TRACE_META & meta.keys())
    )


def _asks_in_forms(params: dict[str, Any]) -> bool:
    """Return whether the client can show its user a form; an empty capability means that (MCP 2026-07-28)."""
    capabilities = (params.get("_meta") or {}).get(types.CLIENT_CAPABILITIES_META_KEY) or {}
    asks = capabilities.get("elicitation")
    return asks is not None and ("form" in asks or "url" not in asks)


def _modern_route(server: Server[Any], request: Request, headers: Mapping[str, str]) -> InboundModernRoute:
    version = headers["mcp-protocol-version"]
    if version not in MODERN_PROTOCOL_VERSIONS and "_meta" not in (request.params or {}):
        _raise(unsupported_protocol_version_rejection(version))
    route = classify_inbound_request(request.body, headers=headers)
    if isinstance(route, InboundLadderRejection):
        raise _error(route)
    if request.method == "tools/call":
        _check_mirrored_arguments(server, request.params or {}, headers)
    return route


def _check_mirrored_arguments(server: Server[Any], params: dict[str, Any], headers: Mapping[str, str]) -> None:
    """Raise RpcError if arguments differ from their mirrors in `Mcp-Param-*` headers (MCP 2026-07-28)."""
    name, arguments, lookup = params.get("name"), params.get("arguments") or {}, server.get_tool_input_schema
    if lookup is None or not isinstance(name, str) or not isinstance(arguments, dict):
        return
    if _declares_mirrors(lookup, name) or "\nmcp-param-" in "\n".join(("", *headers)):
        schema = lookup(name)
        if schema is not None:
            _raise(validate_mcp_param_headers(schema, arguments, headers))


@lru_cache(maxsize=256)
def _declares_mirrors(lookup: Callable[[str], Any], name: str) -> bool:
    """Return whether the tool's schema mirrors any argument. Cached: walking the schema costs more than the call."""
    return "x-mcp-header" in repr(lookup(name))


def _raise(rejection: InboundLadderRejection | None) -> None:
    if rejection is not None:
        raise _error(rejection)


def _error(rejection: InboundLadderRejection) -> RpcError:
    """Convert `rejection` to RpcError; repeat the requested version only if it looks like one."""
    data = rejection.data
    if isinstance(data, dict) and "supported" in data:
        # The SDK lists only one kind of versions; a client may use any that is supported here.
        data = {**data, "supported": _SERVED}
    if isinstance(data, dict) and not _VERSION.fullmatch(str(data.get("requested", ""))):
        # The header could hold a token in the wrong place.
        data = {**data, "requested": "(unreadable)"} if "requested" in data else data
    return RpcError(rejection.code, rejection.message, data=data)
