"""Clients of the terminal at work, with a stand-in for the model behind them, which asks for given tool calls."""

import json
import subprocess
import threading
import traceback
from abc import ABC, abstractmethod
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass, field
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from pathlib import Path
from typing import Any, ClassVar

from tests.interop.node import Node
from tests.interop.walk import Memory, Step

PROMPT, LAST_WORD = "Do the day's work.", "Done."


@dataclass(frozen=True, slots=True)
class Answer:
    """What a client shows its model of a tool call."""

    text: str
    is_error: bool

    @property
    def payload(self) -> Any:
        """Return the JSON of a call that succeeded."""
        return json.loads(self.text)


class Dialect(ABC):
    """The API of one vendor's models, as far as tool calls need it; events are those of a streamed reply."""

    @abstractmethod
    def tools(self, request: dict[str, Any]) -> set[str]:
        """Return the names of the server's tools that `request` offers, as the server spells them."""

    @abstractmethod
    def answer(self, request: dict[str, Any]) -> Answer | None:
        """Return the answer to a tool call that `request` ends with."""

    @abstractmethod
    def call(self, tool: str, arguments: dict[str, Any], number: int) -> list[dict[str, Any]]:
        """Return the events that ask for one tool call."""

    @abstractmethod
    def say(self, text: str) -> list[dict[str, Any]]:
        """Return the events that say `text` and end the turn."""


@dataclass
class Model:
    """Asks for the calls of `steps` in turn, then says that it is done."""

    dialect: Dialect
    steps: tuple[Step, ...] = ()
    tools: set[str] = field(default_factory=set)
    answers: list[Answer] = field(default_factory=list)
    # The addresses beyond this machine that the client tried to reach.
    outside: list[str] = field(default_factory=list)
    memory: Memory = field(default_factory=Memory)

    def reply(self, request: dict[str, Any]) -> list[dict[str, Any]]:
        """Take in the tools and the answer to the last call, and return the events that come next."""
        self.tools = self.dialect.tools(request)
        answer = self.dialect.answer(request)
        if answer is not None:
            self.answers.append(answer)
            if not answer.is_error:
                self.memory.keep(self.steps[len(self.answers) - 1][0], answer.payload)
        number = len(self.answers)
        if number == len(self.steps):
            return self.dialect.say(LAST_WORD)
        tool, arguments = self.steps[number]
        return self.dialect.call(tool, self.memory.fill(arguments), number)


def _event(data: dict[str, Any]) -> str:
    """Return `data` as a server-sent event, which has a name where the data have a type."""
    name = f"event: {data['type']}\n" if "type" in data else ""
    return f"{name}data: {json.dumps(data)}\r\n\r\n"


@contextmanager
def _served(model: Model) -> Iterator[str]:
    """The address at which `model` answers. As a proxy it leads nowhere."""

    class Handler(BaseHTTPRequestHandler):
        def do_POST(self) -> None:
            request = json.loads(self.rfile.read(int(self.headers["Content-Length"])))
            try:
                text = "".join(_event(one) for one in model.reply(request))
            except Exception:
                # Clients repeat a request that ends in silence for minutes, but not this answer.
                self._send(400, "text/plain", traceback.format_exc())
            else:
                self._send(200, "text/event-stream", text)

        def do_CONNECT(self) -> None:
            model.outside.append(self.path)
            self._send(403, "text/plain", "There is no way out of this machine.")

        do_GET = do_HEAD = do_CONNECT

        def _send(self, status: int, kind: str, text: str) -> None:
            body = text.encode()
            self.send_response(status)
            self.send_header("Content-Type", kind)
            self.send_header("Content-Length", str(len(body)))
            self.end_headers()
            self.wfile.write(body)

        def log_message(self, *_: Any) -> None:
            """Say nothing."""

    with ThreadingHTTPServer(("127.0.0.1", 0), Handler) as server:
        threading.Thread(target=server.serve_forever, daemon=True).start()
        try:
            yield f"http://127.0.0.1:{server.server_port}"
        finally:
            server.shutdown()


@dataclass
class Terminal(ABC):
    """The client of one user, whose home is `home`; `configuration` is what stands in its file."""

    # Its key in the catalogue, and what it calls itself.
    key: ClassVar[str]
    name: ClassVar[str]
    script: ClassVar[Path]
    # Below the user's home.
    file: ClassVar[str]
    dialect: ClassVar[Dialect]
    # What lets it work on the prompt that follows, and asks nobody.
    working: ClassVar[tuple[str, ...]]

    node: Node
    home: Path
    token: str
    configuration: str = ""

    @abstractmethod
    def environment(self, url: str) -> dict[str, str]:
        """Return the variables of a client whose model is at `url`."""

    def options(self, url: str) -> list[str]:
        """Return the options, before all others, of a client whose model is at `url`."""
        return []

    def prepare(self) -> None:  # noqa: B027 - most ask nothing.
        """Write what the user would have answered before."""

    @property
    def path(self) -> Path:
        return self.home / self.file

    def run(self, *arguments: str, model: Model | None = None) -> subprocess.CompletedProcess[str]:
        """Run it to its end, and see that it stays on this machine."""
        model = model or Model(self.dialect)
        self.path.parent.mkdir(exist_ok=True)
        if self.configuration:
            self.path.write_text(self.configuration, encoding="utf-8")
        self.prepare()
        with _served(model) as url:
            environment = {
                "HOURSMITH_API_TOKEN": self.token,
                "HTTPS_PROXY": url,
                "HTTP_PROXY": url,
                "NO_PROXY": "127.0.0.1",
                **self.environment(url),
            }
            done = self.node.run(self.script, *self.options(url), *arguments, home=self.home, **environment)
        assert model.outside == []
        return done

    def work(self, *steps: Step) -> Model:
        """Let its model ask for the calls of `steps`, and return what the model saw."""
        model = Model(self.dialect, steps)
        done = self.run(*self.working, PROMPT, model=model)
        assert (done.returncode, done.stdout.strip()) == (0, LAST_WORD), done.stdout + done.stderr
        return model
