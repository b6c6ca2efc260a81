"""Claude Code, with a stand-in for the Messages API."""

import json
from typing import Any

from tests.interop.node import MODULES
from tests.interop.terminal import Answer, Dialect, Terminal

_PREFIX = "mcp__hoursmith__"
_USAGE = {"input_tokens": 1, "output_tokens": 1}


class Messages(Dialect):
    """Anthropic's Messages API, streamed."""

    def tools(self, request: dict[str, Any]) -> set[str]:
        names = [tool["name"] for tool in request["tools"]]
        return {name.removeprefix(_PREFIX) for name in names if name.startswith(_PREFIX)}

    def answer(self, request: dict[str, Any]) -> Answer | None:
        # The client's own reminders may follow it.
        said = [one["content"] for one in request["messages"] if one["role"] == "user"][-1]
        for block in said if isinstance(said, list) else ():
            if block["type"] == "tool_result":
                content = block["content"]
                text = content if isinstance(content, str) else "".join(part["text"] for part in content)
                return Answer(text, block.get("is_error", False))
        return None

    def call(self, tool: str, arguments: dict[str, Any], number: int) -> list[dict[str, Any]]:
        block = {"type": "tool_use", "id": f"toolu_{number}", "name": _PREFIX + tool, "input": {}}
        delta = {"type": "input_json_delta", "partial_json": json.dumps(arguments)}
        return self._message(f"msg_{number}", block, delta, "tool_use")

    def say(self, text: str) -> list[dict[str, Any]]:
        delta = {"type": "text_delta", "text": text}
        return self._message("msg_last", {"type": "text", "text": ""}, delta, "end_turn")

    def _message(self, name: str, block: dict[str, Any], delta: dict[str, Any], reason: str) -> list[dict[str, Any]]:
        # The client takes what has one id for one message.
        message = {"id": name, "type": "message", "role": "assistant", "model": "stand-in", "content": []}
        end = {"stop_reason": reason, "stop_sequence": None}
        return [
            {"type": "message_start", "message": {**message, "stop_reason": None, "usage": _USAGE}},
            {"type": "content_block_start", "index": 0, "content_block": block},
            {"type": "content_block_delta", "index": 0, "delta": delta},
            {"type": "content_block_stop", "index": 0},
            {"type": "message_delta", "delta": end, "usage": _USAGE},
            {"type": "message_stop"},
        ]


class ClaudeCode(Terminal):
    key = "claude-code"
    name = "claude-code"
    script = MODULES / "@anthropic-ai/claude-code/cli-wrapper.cjs"
    file = ".claude.json"
    dialect = Messages()
    working = ("--allowedTools", "mcp__hoursmith", "--print")

    def environment(self, url: str) -> dict[str, str]:
        return {
            "ANTHROPIC_BASE_URL": url,
            "ANTHROPIC_API_KEY": "none",
            # All tools at once, and no turn before the server has answered.
            "ENABLE_TOOL_SEARCH": "false",
            "MCP_CONNECTION_NONBLOCKING": "false",
            "CLAUDE_CODE_MAX_RETRIES": "0",
            "CLAUDE_CODE_DISABLE_NONESSENTIAL_TRAFFIC": "1",
            "DISABLE_AUTOUPDATER": "1",
            "DISABLE_TELEMETRY": "1",
        }
