"""Who is measured, and how each is started and ended."""

import os
import shutil
import socket
import subprocess
import sys
import tempfile
import time
from collections.abc import Callable, Iterator
from contextlib import AbstractContextManager, ExitStack, contextmanager
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from bench.mcp_messages import LEGACY, MODERN
from bench.node import installed_node
from bench.paths import PYTHON, RESULTS, ROOT, cores, running_on
from tests.servers import Served, free_port, served_console

_START_TIMEOUT_S = 30.0


@dataclass(frozen=True, slots=True)
class Running:
    """A contender that answers on `port`. `database` is the URL of where it records, if it does.

    `sign_in` returns for each token the access token that an assistant has which signed in with it.
    """

    pid: int
    port: int
    database: str | None = None
    sign_in: Callable[[list[str]], list[str]] | None = None


Start = Callable[[int], AbstractContextManager[Running]]


@dataclass(frozen=True, slots=True)
class Row:
    """One line of the table: a contender and what it is asked. `plain` and `priced` name rows to compare with."""

    name: str
    contender: str
    kind: str = "get_client"
    version: str = MODERN
    plain: str = "fastmcp"
    # The dearer row that does the same and more: what it costs over this one is the price of that.
    priced: str = ""
    # The callers are assistants that signed in, instead of having the token in their configuration.
    is_signed_in: bool = False

    @property
    def audit_rows(self) -> int:
        """How many audit entries a call must leave."""
        return 2 if self.kind == "delete_time_entry" and not self.priced else 0


ROWS = (
    Row("direct", "upstream", kind="rest", version=""),
    Row("floor", "floor"),
    Row("bridge", "bridge", priced="bridge-signed-in"),
    Row("bridge-signed-in", "bridge", is_signed_in=True),
    Row("bridge-2025", "bridge", version=LEGACY, plain="fastmcp-2025"),
    Row("bridge-delete", "bridge", kind="delete_time_entry"),
    Row("bridge-pg", "bridge-pg"),
    Row("bridge-pg-2025", "bridge-pg", version=LEGACY, plain="fastmcp-2025"),
    Row("bridge-pg-delete", "bridge-pg", kind="delete_time_entry"),
    Row("delete-norecord", "unrecorded", kind="delete_time_entry", priced="bridge-delete"),
    Row("delete-bare", "unrecorded-bare", kind="delete_time_entry", priced="bridge-delete"),
    Row("bridge-traced", "traced"),
    Row("bridge-traced-1%", "traced-1%"),
    Row("sdk", "sdk"),
    Row("sdk-2025", "sdk", version=LEGACY, plain="fastmcp-2025"),
    Row("sdk-ts", "sdk-ts"),
    Row("sdk-ts-2025", "sdk-ts", version=LEGACY, plain="fastmcp-2025"),
    Row("django-mcpz", "django-mcpz"),
    Row("django-mcpz-2025", "django-mcpz", version=LEGACY, plain="fastmcp-2025"),
    Row("fastmcp", "fastmcp"),
    Row("fastmcp-2025", "fastmcp", version=LEGACY, plain="fastmcp-2025"),
)


@contextmanager
def _process(command: list[str], port: int, upstream: int) -> Iterator[Running]:
    """A process that listens on `port`, from here to the end of the block."""
    environment = {
        **os.environ,
        "PYTHONPATH": str(ROOT),
        "BENCH_UPSTREAM_URL": f"http://127.0.0.1:{upstream}/api/v1",
    }
    process = subprocess.Popen(command, env=environment, cwd=ROOT)
    try:
        _wait_for(port, process)
        yield Running(process.pid, port)
    finally:
        process.terminate()
        try:
            process.wait(timeout=15)
        except subprocess.TimeoutExpired:
            process.kill()
            process.wait()


def _wait_for(port: int, process: subprocess.Popen[bytes]) -> None:
    until = time.monotonic() + _START_TIMEOUT_S
    while time.monotonic() < until:
        if process.poll() is not None:
            raise RuntimeError(f"{process.args!r} ended with {process.returncode}.")
        try:
            socket.create_connection(("127.0.0.1", port), timeout=1).close()
            return
        except OSError:
            time.sleep(0.05)
    raise RuntimeError(f"{process.args!r} was not up after {_START_TIMEOUT_S:.0f} s.")


def _module(name: str, *options: str) -> list[str]:
    """The command that runs the module `name` in the bench's environment."""
    return [str(PYTHON), "-m", name, *options]


def start_upstream() -> AbstractContextManager[Running]:
    """The REST API that all of them forward to."""
    port = free_port()
    return _process(_module("bench.upstream", "--port", str(port)), port, port)


def _under_uvicorn(module: str) -> Start:
    def start(upstream: int) -> AbstractContextManager[Running]:
        port = free_port()
        options = ["--host=127.0.0.1", f"--port={port}", "--loop=uvloop", "--http=httptools"]
        quiet = ["--no-access-log", "--log-level=warning"]
        return _process(_module("uvicorn", f"bench.contenders.{module}:app", *options, *quiet), port, upstream)

    return start


def _under_granian(module: str) -> Start:
    """Start a synchronous application: a thread for each of 64 calls at once, in one process."""

    def start(upstream: int) -> AbstractContextManager[Running]:
        port = free_port()
        options = ["--interface=wsgi", "--host=127.0.0.1", f"--port={port}", "--blocking-threads=64"]
        quiet = ["--no-ws", "--no-access-log", "--log-level=error"]
        return _process(_module("granian", *options, *quiet, f"bench.contenders.{module}:app"), port, upstream)

    return start


def _under_node(script: str) -> Start:
    def start(upstream: int) -> AbstractContextManager[Running]:
        port = free_port()
        node = installed_node()
        assert node is not None
        return _process([node, str(ROOT / "bench" / "contenders" / script), str(port)], port, upstream)

    return start


def _bridge(*, filled: Path | None = None, **environment: str) -> Start:
    """Start the product as `make run` does, with one worker, in hosted mode, with its own database on this disk.

    `filled` is a database to copy; without it, the database is empty.
    """

    @contextmanager
    def start(upstream: int) -> Iterator[Running]:
        RESULTS.mkdir(parents=True, exist_ok=True)
        with tempfile.TemporaryDirectory(dir=RESULTS, prefix="bridge-") as folder:
            database = Path(folder) / "console.sqlite3"
            with _console(folder, upstream, environment, start=filled is None) as served:
                if filled is not None:
                    shutil.copy(filled, database)
                    served.start()
                yield Running(served.pid, served.port, f"sqlite:///{database}", _sign_in_once(served))

    return start


_SIGN_IN = """
import json, time
from mcpbridge.auth.credentials import credential_from_text
from mcpbridge.grants.envelopes import Envelope, Kind, new_grant_id, seal
print(json.dumps([seal(Envelope(
    kind=Kind.ACCESS, credential=credential_from_text(token), expires_at=int(time.time()) + 36000,
    grant=new_grant_id(), generation=1,
)).reveal() for token in {tokens!r}]))
"""


def _sign_in_once(served: Served) -> Callable[[list[str]], list[str]]:
    """What signs in each list of tokens once, so that no reading begins with a command beside it."""
    known: dict[tuple[str, ...], list[str]] = {}

    def sign_in(tokens: list[str]) -> list[str]:
        if tuple(tokens) not in known:
            known[tuple(tokens)] = served.shell(_SIGN_IN.format(tokens=tokens))
            served.dismiss_manager()
        return known[tuple(tokens)]

    return sign_in


def _console(folder: str, upstream: int, environment: dict[str, str], **more: Any) -> AbstractContextManager[Served]:
    env = {"HOURSMITH_API_URL": f"http://127.0.0.1:{upstream}/api/v1", "LOG_LEVEL": "WARNING", **environment}
    # Forked, it would share its memory with what forks it, and run on its cores.
    return served_console(Path(folder), env=env, workers=1, seed=False, may_fork=False, **more)


@contextmanager
def _bridge_on_postgresql(upstream: int) -> Iterator[Running]:
    """The same on a PostgreSQL of its own, which gets out of the way of the core that is measured."""
    from tests.postgres import shared_cluster

    RESULTS.mkdir(parents=True, exist_ok=True)
    with running_on(cores(pinned=True).load):
        url = shared_cluster(_needs).create_database("bench")
    with (
        tempfile.TemporaryDirectory(dir=RESULTS, prefix="bridge-") as folder,
        _console(folder, upstream, {}, database_url=url) as served,
    ):
        yield Running(served.pid, served.port, url)


def _needs(is_there: bool, why: str) -> None:
    if not is_there:
        sys.exit(f"{why} Leave its rows out with --only.")


def grown_bridge(filled: Path) -> Start:
    """The product over a copy of the database `filled`."""
    return _bridge(filled=filled)


def _traced(ratio: float) -> Start:
    """The product with traces on their way to a collector, of every call or of some."""

    @contextmanager
    def start(upstream: int) -> Iterator[Running]:
        port = free_port()
        options = ["--host=127.0.0.1", f"--port={port}", "--no-access-log", "--log-level=warning"]
        # It is not what is measured, so it gets out of the way of the core that is.
        with ExitStack() as stack:
            with running_on(set(range(os.cpu_count() or 1))):
                stack.enter_context(_process(_module("uvicorn", "bench.collector:app", *options), port, upstream))
            sampled = {"OTEL_TRACES_SAMPLER": "traceidratio", "OTEL_TRACES_SAMPLER_ARG": str(ratio)}
            bridge = _bridge(OTEL_EXPORTER_OTLP_ENDPOINT=f"http://127.0.0.1:{port}", **sampled)
            yield stack.enter_context(bridge(upstream))

    return start


_UNRECORDED = {"DJANGO_SETTINGS_MODULE": "bench.without_audit_settings"}
CONTENDERS: dict[str, Start] = {
    "floor": _under_uvicorn("floor"),
    "bridge": _bridge(),
    "bridge-pg": _bridge_on_postgresql,
    "traced": _traced(1.0),
    "traced-1%": _traced(0.01),
    "unrecorded": _bridge(**_UNRECORDED),
    "unrecorded-bare": _bridge(**_UNRECORDED, AUDIT_SNAPSHOTS="off"),
    "sdk": _under_uvicorn("sdk_server"),
    "sdk-ts": _under_node("typescript_sdk.mjs"),
    "django-mcpz": _under_granian("django_mcpz_server"),
    "fastmcp": _under_uvicorn("fastmcp_openapi"),
}
# What Node.js runs: their rows are left out on a machine without it.
IN_NODE = frozenset({"sdk-ts"})
