"""Serve MCP over standard input and output, for clients that start a command."""

import asyncio
from typing import Any, cast
from uuid import uuid4

import anyio
import mcp_types as types
from mcp.server.context import CallNext, HandlerResult, ServerRequestContext
from mcp.server.stdio import stdio_server
from mcp.shared.message import SessionMessage

from mcpbridge.activity.rejections import Rejection
from mcpbridge.app import Bridge
from mcpbridge.auth.rate_limit import TooManyAttemptsError
from mcpbridge.auth.restrictions.store import Notice, RestrictionsUnknownError
from mcpbridge.calls import errors
from mcpbridge.calls.service import ToolResult
from mcpbridge.core.credential import Credential, CredentialError, CredentialErrorCode
from mcpbridge.core.types import Caller
from mcpbridge.models import Result
from mcpbridge.observability import metrics
from mcpbridge.observability.telemetry import spans
from mcpbridge.protocol.client_info import client_from_info
from mcpbridge.protocol.server import McpToolResult, RequestContext, build_server, result_of
from mcpbridge.stdio.lines import AnswerStream, MessageLines, UnansweredRequests, take_standard_input

# How long requests are still answered after the client closed its side. Clients send SIGTERM 2 s after closing.
LAST_ANSWERS_S = 1.5


class StdioTools:
    """The bridge's catalogue for one token. Without HTTP statuses, a rejected token is reported as a tool result.

    Calls wait for `started`; everything else is answered while the bridge starts.
    """

    def __init__(self, bridge: Bridge, started: asyncio.Event) -> None:
        self._bridge = bridge
        self._started = started

    def listing(self, *, read_only: bool) -> types.ListToolsResult:
        return self._bridge.catalogue.listing(read_only=read_only)

    def input_schema(self, name: str) -> dict[str, Any] | None:
        return self._bridge.catalogue.input_schema(name)

    async def call(self, name: str, arguments: dict[str, Any], context: RequestContext) -> McpToolResult:
        if not self._started.is_set():
            await self._started.wait()
            context = context._replace(notice=_notice(self._bridge, context.credential))
        try:
            if self._bridge.restrictions.now().is_blocked(context.credential.token_ref):
                raise CredentialError(
                    CredentialErrorCode.BLOCKED,
                    token=context.credential.token_ref,
                )
            return await self._bridge.catalogue.call(name, arguments, context)
        except RestrictionsUnknownError:
            metrics.restrictions_unknown.inc()
            return result_of(ToolResult.of(errors.tool_error("restrictions_unknown", 503, Result.REFUSED)))
        except CredentialError as error:
            self._bridge.activity.rejected(Rejection.of(context.caller, error.code))
            return result_of(ToolResult.of(errors.unauthenticated(error.explanation)))
        except TooManyAttemptsError as error:
            self._bridge.activity.rejected(Rejection.of(context.caller, "too_many_attempts"))
            made = errors.tool_error("rate_limited", 429, Result.REFUSED, retryAfter=error.retry_after)
            return result_of(ToolResult.of(made))

    def prompts(self, *, read_only: bool) -> types.ListPromptsResult:
        return self._bridge.catalogue.prompts(read_only=read_only)

    def prompt(self, name: str, arguments: dict[str, str], *, read_only: bool) -> types.GetPromptResult:
        return self._bridge.catalogue.prompt(name, arguments, read_only=read_only)


def _notice(bridge: Bridge, credential: Credential) -> Notice | None:
    try:
        return bridge.restrictions.now().notice(credential.token_ref)
    except RestrictionsUnknownError:
        # A call is refused in that case; the list of tools is not secret.
        return None


async def serve(bridge: Bridge, credential: Credential, *, read_only: bool = False, connection: str = "") -> None:
    """Serve MCP over stdio until the client closes it, with `credential`, as the connection with that id.

    The client is answered at once, since some time out on a slow start; only calls wait for the bridge, which may have
    to wait for its database. Requests sent before the client closed its side are still answered, within LAST_ANSWERS_S.
    """
    digests = credential.digests

    def context_from(sdk_context: ServerRequestContext[Any, Any]) -> RequestContext:
        params = sdk_context.session.client_params
        info = params.client_info.model_dump(mode="json") if params is not None and params.client_info else None
        client = client_from_info(info)
        caller = Caller(
            env=credential.env,
            prefix=credential.prefix,
            client_name=client.name,
            client_version=client.version,
            connection=connection,
            protocol=str(sdk_context.protocol_version)[:16],
            transport="stdio",
            request_id=uuid4().hex,
            digests=digests,
        )
        return RequestContext(credential, caller, read_only, _notice(bridge, credential))

    async def traced(ctx: ServerRequestContext[Any, Any], call_next: CallNext) -> HandlerResult:
        if ctx.request_id is None:
            return await call_next(ctx)
        with spans.stdio_request() as span:
            asking = Caller(credential.env, credential.prefix, protocol=str(ctx.protocol_version))
            span.asks(ctx.method, ctx.params, asking)
            result = await call_next(ctx)
            span.replies({"result": result})
            return result

    started = asyncio.Event()
    server = build_server(StdioTools(bridge, started), context_from).sdk
    server.middleware.append(traced)

    async def start() -> None:
        await bridge.start()
        started.set()

    try:
        unanswered = UnansweredRequests()
        lines = MessageLines(take_standard_input(), unanswered, last_answers_s=LAST_ANSWERS_S)
        async with (
            asyncio.TaskGroup() as tasks,
            stdio_server(stdin=cast(anyio.AsyncFile[str], lines)) as (reading, writing),
        ):
            tasks.create_task(start())
            lines.refuse = lambda error: writing.send(SessionMessage(error))
            await server.run(reading, AnswerStream(writing, unanswered), server.create_initialization_options())
    finally:
        await bridge.stop()
