"""The Gemini CLI, with a stand-in for the Gemini API."""

import json
from typing import Any

from tests.interop.node import MODULES
from tests.interop.terminal import Answer, Dialect, Terminal

_PREFIX = "mcp_hoursmith_"
_OPENING, _CLOSING = "<untrusted_context>\n", "\n</untrusted_context>"


class GenerateContent(Dialect):
    """Google's `streamGenerateContent`."""

    def tools(self, request: dict[str, Any]) -> set[str]:
        names = [one["name"] for each in request.get("tools", ()) for one in each["functionDeclarations"]]
        return {name.removeprefix(_PREFIX) for name in names if name.startswith(_PREFIX)}

    def answer(self, request: dict[str, Any]) -> Answer | None:
        last = request["contents"][-1]["parts"][-1]
        if "functionResponse" not in last:
            return None
        answer = last["functionResponse"]["response"]
        if "output" in answer:
            return Answer(answer["output"].removeprefix(_OPENING).removesuffix(_CLOSING), False)
        return Answer(answer["error"], True)

    def call(self, tool: str, arguments: dict[str, Any], number: int) -> list[dict[str, Any]]:
        return self._content({"functionCall": {"name": _PREFIX + tool, "args": arguments}})

    def say(self, text: str) -> list[dict[str, Any]]:
        return self._content({"text": text})

    def _content(self, part: dict[str, Any]) -> list[dict[str, Any]]:
        content = {"role": "model", "parts": [part]}
        return [{"candidates": [{"content": content, "finishReason": "STOP", "index": 0}]}]


class GeminiCli(Terminal):
    key = "gemini-cli"
    name = "gemini-cli-mcp-client"
    script = MODULES / "@google/gemini-cli/bundle/gemini.js"
    file = ".gemini/settings.json"
    dialect = GenerateContent()
    working = ("--approval-mode", "yolo", "--prompt")

    def prepare(self) -> None:
        """Trust the folder, and choose the kind of account, which the file that the page shows says nothing of."""
        written = json.loads(self.path.read_text(encoding="utf-8")) if self.path.exists() else {}
        own = {"security": {"auth": {"selectedType": "gemini-api-key"}}, "privacy": {"usageStatisticsEnabled": False}}
        self.path.write_text(json.dumps({**written, **own}), encoding="utf-8")
        trusted = json.dumps({str(self.home): "TRUST_FOLDER"})
        (self.path.parent / "trustedFolders.json").write_text(trusted, encoding="utf-8")

    def environment(self, url: str) -> dict[str, str]:
        return {"GEMINI_API_KEY": "none", "GOOGLE_GEMINI_BASE_URL": url}
