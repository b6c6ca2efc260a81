"""Hoursmith's tools, which fail with the problem that their arguments name: `MCP_CATALOGUE` of `problem_settings`."""

from typing import Any

from mcpbridge.calls.errors import tool_error
from mcpbridge.calls.service import ToolResult
from mcpbridge.models import Result
from mcpbridge.protocol.server import HoursmithTools, McpToolResult, RequestContext, result_of

PROBLEM = "problem"


class ProblemTools(HoursmithTools):
    """The product's catalogue, but that a call with the argument `problem` gets the problem of that code."""

    async def call(self, name: str, arguments: dict[str, Any], context: RequestContext) -> McpToolResult:
        if PROBLEM in arguments:
            return result_of(ToolResult.of(tool_error(arguments[PROBLEM], 400, Result.REFUSED, retryAfter=7)))
        return await super().call(name, arguments, context)
