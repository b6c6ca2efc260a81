"""Build the MCP server: what it lists, and how a tool call becomes a result. Both transports use it.

MCP facts: specification 2025-11-25 and 2026-07-28, server/tools and server/prompts.
"""

import logging
from collections.abc import Callable
from dataclasses import dataclass
from typing import Any, NamedTuple, Protocol

import mcp_types as types
import orjson
from mcp.server import Server
from mcp.server.caching import CacheHint
from mcp.server.context import ServerRequestContext
from mcp.shared.exceptions import MCPError
from mcp_types.version import MODERN_PROTOCOL_VERSIONS

from mcpbridge import __version__
from mcpbridge.auth.rate_limit import TooManyAttemptsError
from mcpbridge.auth.restrictions.store import Notice
from mcpbridge.calls import errors
from mcpbridge.calls.service import NO_ELICITATION, ToolCallService, ToolResult
from mcpbridge.core.credential import Credential, CredentialError
from mcpbridge.core.types import Caller, ElicitationState
from mcpbridge.models import CallKind, Result
from mcpbridge.tools import TOOLS, Tool
from mcpbridge.tools.prompts import Prompt, prompts_for
from mcpbridge.tools.schema_compat import to_portable_schema

logger = logging.getLogger(__name__)

NAME = "hoursmith"
TITLE = "Hoursmith"
INSTRUCTIONS = (
    "Time tracking, projects, expenses and invoices of one Hoursmith workspace. You act with the permissions of "
    "the token's member. Start with get_me to see role and plan. Lists are paged: pass pagination.nextCursor as "
    "cursor. Money is a decimal string, dates are YYYY-MM-DD. delete_client, archive_project, archive_task, "
    "delete_time_entry and delete_expense are destructive and audited: confirm with the user first."
)
# The key of a notice to the user in a result's `_meta` (MCP: keys carry the prefix of their owner).
NOTICE_META_KEY = "app.hoursmith/notice"
# The catalogue changes only with a release; a client may cache it for a while, but not across tokens.
LISTING_TTL_MS = 5 * 60 * 1000


class RequestContext(NamedTuple):
    """One request that passed the checks of its transport."""

    credential: Credential
    caller: Caller
    read_only: bool = False
    notice: Notice | None = None
    elicitation: ElicitationState = NO_ELICITATION


# A `CallToolResult` as JSON, or an `InputRequiredResult`, which has that `resultType`.
McpToolResult = dict[str, Any]


class Catalogue(Protocol):
    """The tools and prompts of a server."""

    def listing(self, *, read_only: bool) -> types.ListToolsResult: ...

    def input_schema(self, name: str) -> dict[str, Any] | None: ...

    async def call(self, name: str, arguments: dict[str, Any], context: RequestContext) -> McpToolResult: ...

    def prompts(self, *, read_only: bool) -> types.ListPromptsResult: ...

    def prompt(self, name: str, arguments: dict[str, str], *, read_only: bool) -> types.GetPromptResult: ...


@dataclass(frozen=True, slots=True)
class McpServer:
    """The SDK's server, and its catalogue for calls that do not need the SDK."""

    sdk: Server[Any]
    catalogue: Catalogue
    # The `_meta` of every result in the stateless protocol version (MCP 2026-07-28).
    stamp: dict[str, Any]


class HoursmithTools:
    """The 31 tools, each one REST call, and the prompts."""

    def __init__(self, calls: ToolCallService) -> None:
        self._calls = calls
        tools = [_described(tool) for tool in TOOLS.values()]
        self._all = types.ListToolsResult(tools=tools)
        self._read = types.ListToolsResult(tools=[tool for tool in tools if TOOLS[tool.name].kind is CallKind.READ])

    def listing(self, *, read_only: bool) -> types.ListToolsResult:
        return self._read if read_only else self._all

    def input_schema(self, name: str) -> dict[str, Any] | None:
        tool = TOOLS.get(name)
        return tool.input_schema if tool else None

    async def call(self, name: str, arguments: dict[str, Any], context: RequestContext) -> McpToolResult:
        tool = TOOLS.get(name)
        if tool is None:
            # The name is not repeated: it could hold a secret.
            raise MCPError(code=types.INVALID_PARAMS, message="Unknown tool. Call tools/list for the available tools.")
        try:
            answer = await self._calls.run(
                tool,
                arguments,
                credential=context.credential,
                caller=context.caller,
                read_only=context.read_only,
                elicitation=context.elicitation,
            )
        except (CredentialError, TooManyAttemptsError):
            raise
        except Exception:
            logger.exception("A call of %s failed, request %s", tool.name, context.caller.request_id)
            answer = ToolResult.of(
                errors.tool_error("bridge_fault", 500, Result.FAILED, requestId=context.caller.request_id)
            )
        # The notice is for the holder of the token, not for a caller who only knows its prefix.
        return result_of(answer, context.notice if context.caller.is_accepted else None)

    def prompts(self, *, read_only: bool) -> types.ListPromptsResult:
        return types.ListPromptsResult(prompts=[_offered(prompt) for prompt in prompts_for(read_only=read_only)])

    def prompt(self, name: str, arguments: dict[str, str], *, read_only: bool) -> types.GetPromptResult:
        found = next((prompt for prompt in prompts_for(read_only=read_only) if prompt.name == name), None)
        if found is None:
            raise MCPError(
                code=types.INVALID_PARAMS, message="Unknown prompt. Call prompts/list for the available prompts."
            )
        if faults := found.faults(arguments):
            raise MCPError(code=types.INVALID_PARAMS, message=" ".join(faults))
        text = types.TextContent(type="text", text=found.filled(arguments))
        message = types.PromptMessage(role="user", content=text)
        return types.GetPromptResult(description=found.description, messages=[message])


def _offered(prompt: Prompt) -> types.Prompt:
    arguments = [
        types.PromptArgument(
            name=argument.name,
            title=argument.label,
            description=argument.description,
            required=argument.is_required,
        )
        for argument in prompt.arguments
    ]
    return types.Prompt(name=prompt.name, title=prompt.title, description=prompt.description, arguments=arguments)


def _described(tool: Tool) -> types.Tool:
    hints = tool.annotations
    return types.Tool(
        name=tool.name,
        title=tool.title,
        description=tool.description,
        input_schema=to_portable_schema(tool.input_schema),
        output_schema=to_portable_schema(tool.output_schema),
        annotations=types.ToolAnnotations(
            title=tool.title,
            read_only_hint=hints.read_only,
            destructive_hint=hints.destructive,
            idempotent_hint=hints.idempotent,
            open_world_hint=hints.open_world,
        ),
    )


def result_of(answer: ToolResult, notice: Notice | None = None) -> McpToolResult:
    """Return the tool result for `answer`: one text block with its payload as compact JSON, then `notice`, if any.

    A success also has the payload as `structuredContent`. An error does not, since it does not fit the tool's output
    schema, which some clients validate (TypeScript SDK 1.x). If the user must be asked, the question is the result.
    """
    if answer.question is not None:
        return dict(answer.question)
    content = [{"type": "text", "text": orjson.dumps(answer.payload).decode()}]
    result = {"content": content, "isError": answer.is_error}
    if not answer.is_error:
        result["structuredContent"] = answer.payload
    if notice is not None:
        result["_meta"] = {NOTICE_META_KEY: notice.text}
        if notice.is_in_text:
            content.append({"type": "text", "text": f"Notice from the Hoursmith console: {notice.text}"})
    return result


def context_from(sdk_context: ServerRequestContext[Any, Any]) -> RequestContext:
    """Return the request context that the HTTP endpoint passed to `dispatch_request`."""
    context = sdk_context.request
    assert isinstance(context, RequestContext)  # noqa: S101 – only the HTTP endpoint calls this server
    return context


def build_server(
    catalogue: Catalogue, context_from: Callable[[ServerRequestContext[Any, Any]], RequestContext]
) -> McpServer:
    """Build an MCP server over `catalogue`; `context_from` returns our request context for the SDK's."""

    async def list_tools(
        sdk_context: ServerRequestContext[Any, Any], params: types.PaginatedRequestParams | None
    ) -> types.ListToolsResult:
        _check_cursor(params)
        return catalogue.listing(read_only=context_from(sdk_context).read_only)

    async def call_tool(
        sdk_context: ServerRequestContext[Any, Any], params: types.CallToolRequestParams
    ) -> types.CallToolResult | types.InputRequiredResult:
        context = context_from(sdk_context)._replace(elicitation=_elicitation_state(sdk_context, params))
        result = await catalogue.call(params.name, params.arguments or {}, context)
        if result.get("resultType") == "input_required":
            return types.InputRequiredResult.model_validate(result)
        return types.CallToolResult.model_validate(result)

    async def list_prompts(
        sdk_context: ServerRequestContext[Any, Any], params: types.PaginatedRequestParams | None
    ) -> types.ListPromptsResult:
        _check_cursor(params)
        return catalogue.prompts(read_only=context_from(sdk_context).read_only)

    async def get_prompt(
        sdk_context: ServerRequestContext[Any, Any], params: types.GetPromptRequestParams
    ) -> types.GetPromptResult:
        return catalogue.prompt(params.name, params.arguments or {}, read_only=context_from(sdk_context).read_only)

    hint = CacheHint(ttl_ms=LISTING_TTL_MS, scope="private")
    server: Server[Any] = Server(
        NAME,
        version=__version__,
        title=TITLE,
        instructions=INSTRUCTIONS,
        on_list_tools=list_tools,
        on_call_tool=call_tool,
        on_list_prompts=list_prompts,
        on_get_prompt=get_prompt,
        get_tool_input_schema=catalogue.input_schema,
        cache_hints={"tools/list": hint, "prompts/list": hint, "server/discover": hint},
    )
    # The default middleware traces every request through OpenTelemetry's no-op, which is not used here.
    server.middleware.clear()
    return McpServer(server, catalogue, {types.SERVER_INFO_META_KEY: server.server_info_stamp})


def _elicitation_state(
    sdk_context: ServerRequestContext[Any, Any], params: types.CallToolRequestParams
) -> ElicitationState:
    """Return whether the client can ask its user, and what it answered. Only the stateless protocol version can."""
    capabilities = sdk_context.session.client_capabilities
    asks = capabilities.elicitation if capabilities is not None else None
    can_ask = sdk_context.protocol_version in MODERN_PROTOCOL_VERSIONS and asks is not None
    answers = {
        key: answer.model_dump(mode="json", by_alias=True) for key, answer in (params.input_responses or {}).items()
    }
    return ElicitationState(can_ask and _asks_in_forms(asks), params.request_state or "", answers)


def _asks_in_forms(asks: types.ElicitationCapability | None) -> bool:
    """Return whether the client shows forms; an empty capability means that (MCP 2026-07-28, elicitation)."""
    return asks is not None and (asks.form is not None or asks.url is None)


def _check_cursor(params: types.PaginatedRequestParams | None) -> None:
    if params is not None and params.cursor is not None:
        raise MCPError(code=types.INVALID_PARAMS, message="The list has one page: there is no such cursor.")
