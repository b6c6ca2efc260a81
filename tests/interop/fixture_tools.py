"""The tools and prompts that the conformance suite calls by fixed names, in place of Hoursmith's.

Their names, texts and schemas are the suite's (its `server` scenarios say what each must return). Fixtures for
things that the bridge does not do – resources, progress, questions to the client – are left out on purpose:
`expected_failures.yaml` says why, line by line.
"""

import base64
from collections.abc import Callable
from typing import Any

import mcp_types as types
from mcp.shared.exceptions import MCPError

from mcpbridge.calls.service import ToolCallService
from mcpbridge.protocol.server import McpToolResult, RequestContext

# A PNG of one red pixel, and a WAV file of no samples.
PIXEL = "iVBORw0KGgoAAAANSUhEUgAAAAEAAAABCAIAAACQd1PeAAAADElEQVR4nGP4z8AAAAMBAQDJ/pLvAAAAAElFTkSuQmCC"
SILENCE = base64.b64encode(
    b"RIFF$\0\0\0WAVEfmt \x10\0\0\0\x01\0\x01\0\x40\x1f\0\0\x40\x1f\0\0\x01\0\x08\0data\0\0\0\0"
).decode()

NO_ARGUMENTS: dict[str, Any] = {"type": "object", "properties": {}}
MIRRORED_ARGUMENT: dict[str, Any] = {
    "type": "object",
    "properties": {"region": {"type": "string", "x-mcp-header": "Region"}},
    "required": ["region"],
}
FULL_DIALECT: dict[str, Any] = {
    "$schema": "https://json-schema.org/draft/2020-12/schema",
    "type": "object",
    "$defs": {
        "address": {
            "$anchor": "addressDef",
            "type": "object",
            "properties": {"street": {"type": "string"}, "city": {"type": "string"}},
        }
    },
    "properties": {
        "name": {"type": "string"},
        "address": {"$ref": "#/$defs/address"},
        "contactMethod": {"type": "string", "enum": ["phone", "email"]},
        "phone": {"type": "string"},
        "email": {"type": "string"},
    },
    "allOf": [{"anyOf": [{"required": ["phone"]}, {"required": ["email"]}]}],
    "if": {"properties": {"contactMethod": {"const": "phone"}}, "required": ["contactMethod"]},
    "then": {"required": ["phone"]},
    "else": {"required": ["email"]},
    "additionalProperties": False,
}


def _text(text: str) -> types.TextContent:
    return types.TextContent(type="text", text=text)


def _image() -> types.ImageContent:
    return types.ImageContent(type="image", data=PIXEL, mime_type="image/png")


def _resource(uri: str, mime_type: str, text: str) -> types.EmbeddedResource:
    contents = types.TextResourceContents(uri=uri, mime_type=mime_type, text=text)
    return types.EmbeddedResource(type="resource", resource=contents)


def _result(*content: types.ContentBlock, is_error: bool = False) -> types.CallToolResult:
    return types.CallToolResult(content=list(content), is_error=is_error)


# The first one stands first in the list, where the header scenarios take the tool that they call.
FIXTURES: dict[str, tuple[dict[str, Any], types.CallToolResult]] = {
    "test_simple_text": (NO_ARGUMENTS, _result(_text("This is a simple text response for testing."))),
    "test_image_content": (NO_ARGUMENTS, _result(_image())),
    "test_audio_content": (
        NO_ARGUMENTS,
        _result(types.AudioContent(type="audio", data=SILENCE, mime_type="audio/wav")),
    ),
    "test_embedded_resource": (
        NO_ARGUMENTS,
        _result(_resource("test://embedded-resource", "text/plain", "This is an embedded resource content.")),
    ),
    "test_multiple_content_types": (
        NO_ARGUMENTS,
        _result(
            _text("Multiple content types test:"),
            _image(),
            _resource("test://mixed-content-resource", "application/json", '{"test":"data","value":123}'),
        ),
    ),
    "test_error_handling": (
        NO_ARGUMENTS,
        _result(_text("This tool intentionally returns an error for testing"), is_error=True),
    ),
    "test_streaming_elicitation": (NO_ARGUMENTS, _result(_text("Nothing was asked."))),
    "test_logging_tool": (NO_ARGUMENTS, _result(_text("Nothing was logged."))),
    "test_custom_headers": (MIRRORED_ARGUMENT, _result(_text("The header and the argument agree."))),
    "json_schema_2020_12_tool": (FULL_DIALECT, _result(_text("The schema is what counts."))),
}


def _asked(*content: types.ContentBlock) -> types.GetPromptResult:
    return types.GetPromptResult(messages=[types.PromptMessage(role="user", content=each) for each in content])


PROMPTS: dict[str, tuple[tuple[str, ...], Callable[[dict[str, str]], types.GetPromptResult]]] = {
    "test_simple_prompt": ((), lambda given: _asked(_text("This is a simple prompt for testing."))),
    "test_prompt_with_arguments": (
        ("arg1", "arg2"),
        lambda given: _asked(_text(f"Prompt with arguments: arg1='{given['arg1']}', arg2='{given['arg2']}'")),
    ),
    "test_prompt_with_embedded_resource": (
        ("resourceUri",),
        lambda given: _asked(
            _resource(given["resourceUri"], "text/plain", "Embedded resource content for testing."),
            _text("Please process the embedded resource above."),
        ),
    ),
    "test_prompt_with_image": ((), lambda given: _asked(_image(), _text("Please analyze the image above."))),
}
NEEDS_SAMPLING = "test_missing_capability"


class FixtureTools:
    """The suite's tools and prompts as a catalogue: `MCP_CATALOGUE` of `conformance_settings`."""

    def __init__(self, calls: ToolCallService) -> None:
        """`calls` would carry out a REST call; the fixtures make none."""

    def listing(self, *, read_only: bool) -> types.ListToolsResult:
        schemas = {name: schema for name, (schema, _) in FIXTURES.items()} | {NEEDS_SAMPLING: NO_ARGUMENTS}
        return types.ListToolsResult(
            tools=[
                types.Tool(name=name, description=f"The suite's {name}.", input_schema=schema)
                for name, schema in schemas.items()
            ]
        )

    def input_schema(self, name: str) -> dict[str, Any] | None:
        fixture = FIXTURES.get(name)
        return fixture[0] if fixture else None

    async def call(self, name: str, arguments: dict[str, Any], context: RequestContext) -> McpToolResult:
        if name == NEEDS_SAMPLING:
            # The suite calls this one only without declaring the capability.
            raise MCPError(
                code=types.MISSING_REQUIRED_CLIENT_CAPABILITY,
                message="Missing required client capability",
                data={"requiredCapabilities": {"sampling": {}}},
            )
        fixture = FIXTURES.get(name)
        if fixture is None:
            raise MCPError(code=types.INVALID_PARAMS, message="Unknown tool")
        return fixture[1].model_dump(mode="json", by_alias=True, exclude_none=True)

    def prompts(self, *, read_only: bool) -> types.ListPromptsResult:
        return types.ListPromptsResult(
            prompts=[
                types.Prompt(
                    name=name,
                    description=f"The suite's {name}.",
                    arguments=[types.PromptArgument(name=argument, required=True) for argument in arguments],
                )
                for name, (arguments, _) in PROMPTS.items()
            ]
        )

    def prompt(self, name: str, arguments: dict[str, str], *, read_only: bool) -> types.GetPromptResult:
        fixture = PROMPTS.get(name)
        if fixture is None:
            raise MCPError(code=types.INVALID_PARAMS, message="Unknown prompt")
        return fixture[1](arguments)
