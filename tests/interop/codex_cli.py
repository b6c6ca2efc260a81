"""The Codex CLI, with a stand-in for the Responses API."""

import json
from typing import Any

from tests.interop.node import MODULES
from tests.interop.terminal import Answer, Dialect, Terminal

_NAMESPACE = "mcp__hoursmith"


class Responses(Dialect):
    """OpenAI's Responses API, streamed."""

    def tools(self, request: dict[str, Any]) -> set[str]:
        return {tool["name"] for each in request["tools"] if each.get("name") == _NAMESPACE for tool in each["tools"]}

    def answer(self, request: dict[str, Any]) -> Answer | None:
        last = request["input"][-1]
        if last["type"] != "function_call_output":
            return None
        output = last["output"]
        text = output if isinstance(output, str) else "\n".join(part["text"] for part in output)
        # Before it stands how long the call took. The API has no mark for an error.
        text = text.partition("\nOutput:\n")[2]
        return Answer(text, "error" in json.loads(text))

    def call(self, tool: str, arguments: dict[str, Any], number: int) -> list[dict[str, Any]]:
        item = {"type": "function_call", "id": f"fc_{number}", "call_id": f"call_{number}", "namespace": _NAMESPACE}
        return self._response({**item, "name": tool, "arguments": json.dumps(arguments)})

    def say(self, text: str) -> list[dict[str, Any]]:
        content = [{"type": "output_text", "text": text}]
        return self._response({"type": "message", "id": "msg", "role": "assistant", "content": content})

    def _response(self, item: dict[str, Any]) -> list[dict[str, Any]]:
        usage = {"input_tokens": 1, "output_tokens": 1, "total_tokens": 2}
        return [
            {"type": "response.created", "response": {"id": "resp"}},
            {"type": "response.output_item.done", "output_index": 0, "item": item},
            {"type": "response.completed", "response": {"id": "resp", "usage": usage}},
        ]


class CodexCli(Terminal):
    key = "codex"
    name = "codex-mcp-client"
    script = MODULES / "@openai/codex/bin/codex.js"
    file = ".codex/config.toml"
    dialect = Responses()
    # It asks its user before a tool that destroys, as its hints say, and refuses one where there is no user.
    _unasked = ("--config", 'mcp_servers.hoursmith.default_tools_approval_mode="approve"')
    working = ("exec", "--skip-git-repo-check", *_unasked)

    def options(self, url: str) -> list[str]:
        provider = f'{{name = "Stand-in", base_url = "{url}", wire_api = "responses", request_max_retries = 0}}'
        settings = {
            "model": '"stand-in"',
            "model_provider": '"stand_in"',
            "model_providers.stand_in": provider,
            "analytics.enabled": "false",
            "check_for_update_on_startup": "false",
            "features.apps": "false",
            "features.plugins": "false",
        }
        return [part for name, value in settings.items() for part in ("--config", f"{name}={value}")]

    def environment(self, url: str) -> dict[str, str]:
        return {}
