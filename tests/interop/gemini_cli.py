"""The Gemini CLI at work, with a stand-in for its model, which asks for the tool calls that it is told to."""

import json
import subprocess
import threading
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass, field
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from pathlib import Path
from typing import Any

from tests.interop.node import MODULES, Node
from tests.interop.walk import Memory, Step

GEMINI = MODULES / "@google/gemini-cli/bundle/gemini.js"
# How it names a tool of the server `hoursmith` to its model.
PREFIX = "mcp_hoursmith_"
_OPENING, _CLOSING = "<untrusted_context>\n", "\n</untrusted_context>"


@dataclass
class Model:
    """Speaks Gemini's `generateContent`: asks for the calls of `steps` in turn, then says that it is done."""

    steps: tuple[Step, ...]
    tools: set[str] = field(default_factory=set)
    answers: list[dict[str, Any]] = field(default_factory=list)
    memory: Memory = field(default_factory=Memory)

    def reply(self, request: dict[str, Any]) -> dict[str, Any]:
        """Take in what the CLI says, the tools and the answer to the last call among it, and return what comes next."""
        declared = [one["name"] for each in request.get("tools", ()) for one in each["functionDeclarations"]]
        self.tools = {name.removeprefix(PREFIX) for name in declared if name.startswith(PREFIX)}
        last = request["contents"][-1]["parts"][-1]
        if "functionResponse" in last:
            answer = last["functionResponse"]["response"]
            self.answers.append(answer)
            if "output" in answer:
                self.memory.keep(self.steps[len(self.answers) - 1][0], payload_of(answer))
        if len(self.answers) == len(self.steps):
            return {"text": "Done."}
        tool, arguments = self.steps[len(self.answers)]
        return {"functionCall": {"name": PREFIX + tool, "args": self.memory.fill(arguments)}}


def payload_of(answer: dict[str, Any]) -> Any:
    """Return the JSON that the model is shown of a call that succeeded."""
    return json.loads(answer["output"].removeprefix(_OPENING).removesuffix(_CLOSING))


@contextmanager
def _served(model: Model) -> Iterator[str]:
    """The address at which `model` answers."""

    class Handler(BaseHTTPRequestHandler):
        def do_POST(self) -> None:
            request = json.loads(self.rfile.read(int(self.headers["Content-Length"])))
            content = {"role": "model", "parts": [model.reply(request)]}
            said = {"candidates": [{"content": content, "finishReason": "STOP", "index": 0}]}
            event = b"data: " + json.dumps(said).encode() + b"\r\n\r\n"
            self.send_response(200)
            self.send_header("Content-Type", "text/event-stream")
            self.send_header("Content-Length", str(len(event)))
            self.end_headers()
            self.wfile.write(event)

        def log_message(self, *_: Any) -> None:
            """Say nothing."""

    with ThreadingHTTPServer(("127.0.0.1", 0), Handler) as server:
        threading.Thread(target=server.serve_forever, daemon=True).start()
        try:
            yield f"http://127.0.0.1:{server.server_port}"
        finally:
            server.shutdown()


@dataclass(frozen=True, slots=True)
class GeminiCli:
    """The CLI of one user, whose home is `home`; `settings` are what stands in their settings.json."""

    node: Node
    home: Path
    settings: dict[str, Any]
    environment: dict[str, str]

    def run(self, *arguments: str, **more: str) -> subprocess.CompletedProcess[str]:
        """Run `gemini` in a folder that its user trusts."""
        folder = self.home / ".gemini"
        folder.mkdir(exist_ok=True)
        own = {"security": {"auth": {"selectedType": "gemini-api-key"}}, "privacy": {"usageStatisticsEnabled": False}}
        (folder / "settings.json").write_text(json.dumps({**self.settings, **own}), encoding="utf-8")
        (folder / "trustedFolders.json").write_text(json.dumps({str(self.home): "TRUST_FOLDER"}), encoding="utf-8")
        return self.node.run(GEMINI, *arguments, home=self.home, **self.environment, **more)

    def work(self, *steps: Step) -> Model:
        """Let its model ask for the calls of `steps`, and return what the model saw."""
        model = Model(steps)
        with _served(model) as url:
            more = {"GEMINI_API_KEY": "none", "GOOGLE_GEMINI_BASE_URL": url}
            done = self.run("--approval-mode", "yolo", "--prompt", "Do the day's work.", **more)
        assert (done.returncode, done.stdout.strip()) == (0, "Done."), done.stderr
        return model
