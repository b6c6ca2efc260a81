"""Secrets that must leave no trace: the many ways to push one in, and the search for what is left of it."""

import http.client
import json
import os
import re
import tempfile
from base64 import b64encode
from collections.abc import Iterator, Sequence
from contextlib import suppress
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any
from urllib.parse import quote, unquote_to_bytes, urlsplit

import psycopg
from django.core.management import get_commands, load_command_class
from django.core.management.base import BaseCommand

from tests.faults.mcp import LEGACY, MODERN, call_tool, post
from tests.faults.upstream import new_token
from tests.servers import Served
from tests.subprocesses import module_start
from tests.wrapped_tokens import wrapped

PIECE = 8
# They read from standard input until it ends; `push_by_stdio` is for them.
_SERVES = ("mcp_stdio",)
NO_ID = "00000000-0000-4000-8000-000000000000"
DOORS = ("/mcp", "/mcp/readonly", "/mcp/c/ana-laptop", "/mcp/c/ana-laptop/readonly")
# What a text may be split by and still be read.
_NOTHING = re.compile(rb"[\s\x00]|\xe2\x80\x8b|\xc2\xad|\xe2\x81\xa0|\xef\xbb\xbf|<wbr>")
_RUN = re.compile(rb"[0-9a-z+/]{%d,}" % PIECE)

# P is an environment and prefix, S a secret, C its first twenty characters.
MALFORMED = {
    "cut short": "hsk_{P}_{C}",
    "too long": "hsk_{P}_{S}{S}",
    "a dash for an underscore": "hsk_{P}-{S}",
    "a comma in it": "hsk_{P}_,{S}",
    "a space in it": "hsk_{P}_ {S}",
    "without hsk": "{P}_{S}",
    "the secret alone": "{S}",
    "in quotes": '"hsk_{P}_{S}"',
    "bearer twice": "Bearer hsk_{P}_{S}",
    "in upper case": "HSK_{P}_{S}",
    "of another kind": "sk-proj-{S}",
    "unexpanded beside it": "${{TOKEN:-hsk_{P}_{S}}}",
}


@dataclass
class Canaries:
    """Every secret that was pushed in, by what it was pushed in as."""

    pieces: dict[bytes, str] = field(default_factory=dict)
    literals: dict[bytes, str] = field(default_factory=dict)
    _wrapping: int = 0

    def watch(self, label: str, text: str) -> None:
        """Look out for any eight characters in a row of `text`, in any case."""
        lowered = text.lower().encode()
        for start in range(len(lowered) - PIECE + 1):
            self.pieces[lowered[start : start + PIECE]] = label

    def token(self, label: str, token: str = "") -> str:
        """`token`, or a well-formed one that nobody minted, watched from now on."""
        token = token or new_token()
        self.watch(label, token.rsplit("_", 1)[1])
        return token

    def wrapped(self, label: str) -> str:
        """A token that nobody minted, watched from now on, in the next of all wrappings."""
        token = self.token(label)
        wrappings = wrapped(token)
        self._wrapping = (self._wrapping + 1) % len(wrappings)
        name, text = list(wrappings.items())[self._wrapping]
        if not self.traces(text.encode()):
            self.literals[text[len(text) // 2 :].encode()] = f"{label} {name}"
        return text

    def malformed(self) -> dict[str, str]:
        """A faulty credential of every kind, watched from now on."""
        made = {}
        for label, pattern in MALFORMED.items():
            _, env, prefix, secret = new_token().split("_")
            self.watch(label, secret)
            made[label] = pattern.format(P=f"{env}_{prefix}", S=secret, C=secret[:20])
        return made

    def traces(self, content: bytes) -> set[str]:
        """What the secrets were of which a piece stands in `content`."""
        found = {label for literal, label in self.literals.items() if literal in content}
        # Most of what can be read in one way reads the same in the others.
        readings = {content, _NOTHING.sub(b"", content), unquote_to_bytes(content)}
        for run in {run for reading in readings for run in _RUN.findall(reading.lower())}:
            for start in range(len(run) - PIECE + 1):
                if label := self.pieces.get(run[start : start + PIECE]):
                    found.add(label)
        return found


def raw(served: Served, method: str, target: str, headers: list[tuple[str, str]], body: bytes = b"") -> int:
    """The status that any request gets, however odd it is; 0 where the line was closed instead."""
    parts = urlsplit(served.url)
    connection = http.client.HTTPConnection(parts.hostname or "", parts.port, timeout=20)
    try:
        connection.putrequest(method, target, skip_host=True, skip_accept_encoding=True)
        named = {name.lower() for name, _ in headers}
        usual = [("Host", parts.netloc), ("Content-Type", "application/json"), ("Content-Length", str(len(body)))]
        for name, value in [*headers, *((name, value) for name, value in usual if name.lower() not in named)]:
            connection.putheader(name, value.encode("latin-1"))
        connection.endheaders(body)
        answer = connection.getresponse()
        answer.read()
        return answer.status
    except (OSError, http.client.HTTPException):
        return 0
    finally:
        connection.close()


def push_as_credential(served: Served, credential: str, doors: Sequence[str] = DOORS) -> None:
    """Through `doors` of the bridge, in both eras, and into the REST API."""
    for path in doors:
        for version in (MODERN, LEGACY):
            call_tool(served, credential, "list_clients", path=path, version=version)
            call_tool(served, credential, "delete_client", {"id": NO_ID}, path=path, version=version)
    hello = {"protocolVersion": LEGACY, "capabilities": {}, "clientInfo": {"name": "canary", "version": "1"}}
    authorization = {"Authorization": f"Bearer {credential}", "X-MCP-Readonly": "true"}
    post(served, {"jsonrpc": "2.0", "id": 1, "method": "initialize", "params": hello}, headers=authorization)
    for path in ("me", "clients", f"clients/{NO_ID}"):
        raw(served, "GET", f"/sandbox/api/v1/{path}", [("Authorization", f"Bearer {credential}")])
    raw(served, "DELETE", f"/sandbox/api/v1/clients/{NO_ID}", [("Authorization", f"Bearer {credential}")])


def push_by_other_schemes(served: Served, token: str) -> None:
    """In the Authorization header, but not as it should be."""
    basic = b64encode(f"ana:{token}".encode()).decode()
    for value in (token, f"Token {token}", f"Basic {basic}", f"bearer  {token} ", f"Bearer {token}, Bearer {token}"):
        for target in ("/mcp", "/sandbox/api/v1/me", "/"):
            raw(served, "POST", target, [("Authorization", value)])
    raw(served, "POST", "/mcp", [("Authorization", f"Bearer {token}"), ("Authorization", f"Bearer {token}")])


def push_into_headers(served: Served, good: str, token: str) -> None:
    """Into every other header that somebody reads."""
    body = json.dumps({"jsonrpc": "2.0", "id": 1, "method": "tools/call", "params": {"name": "get_me"}}).encode()
    names = "X-Api-Key Cookie Mcp-Session-Id MCP-Protocol-Version Mcp-Method Mcp-Name User-Agent X-Forwarded-For"
    names += " Forwarded Referer Host Accept Content-Type Content-Length X-Request-Id Traceparent X-MCP-Readonly"
    for name in names.split():
        value = f"token={token}" if name in ("Cookie", "Forwarded") else token
        raw(served, "POST", "/mcp", [("Authorization", f"Bearer {good}"), (name, value)], body)
        raw(served, "GET", "/", [(name, value)])
    raw(served, "POST", "/mcp", [("Authorization", f"Bearer {good}"), ("Origin", f"https://{token}")], body)


def push_into_addresses(served: Served, good: str, token: str) -> None:
    """Into paths and query strings, plain and percent-encoded."""
    encoded = "".join(f"%{ord(character):02X}" for character in token)
    for text in (quote(token), encoded):
        for target in (
            *(f"{path}?token={text}" for path in ("/mcp", "/", "/tokens/", "/healthz", "/readyz")),
            *(f"/{path}{text}" for path in ("", "mcp/", "mcp/c/", "tokens/", "audit/", "activity/", "static/")),
            *(f"/accounts/{path}{text}" for path in ("", "login/?next=/", "login/?email=")),
            *(f"/sandbox/api/v1/{path}{text}" for path in ("", "clients/", "clients?search=", "clients?cursor=")),
        ):
            raw(served, "POST" if target.startswith("/mcp") else "GET", target, [("Authorization", f"Bearer {good}")])


def push_into_bodies(served: Served, good: str, token: str) -> None:
    """Into every member of a request that somebody reads."""
    arguments: dict[str, list[dict[str, Any]]] = {
        "list_clients": [{"search": token}, {"cursor": token}, {"sort": token}, {"limit": token}, {token: 1}],
        "get_client": [{"id": token}, {"id": [token]}, {"id": {token: token}}],
        "delete_client": [{"id": token}, {"id": NO_ID, token: token}],
        "create_client": [{"name": [token]}, {"name": token * 90}],
        "create_time_entry": [{"projectId": NO_ID, "entryDate": token}, {"note": f"pasted {token}\n{token}"}],
        token: [{}, {"id": token}],
    }
    for tool, tries in arguments.items():
        for given in tries:
            for version in (MODERN, LEGACY):
                call_tool(served, good, tool, given, client=f"Client {token}", version=version)
    authorization = {"Authorization": f"Bearer {good}", "MCP-Protocol-Version": LEGACY}
    request = {"jsonrpc": "2.0", "id": 1, "method": "tools/call", "params": {"name": "get_me", "arguments": {}}}
    hello = {"protocolVersion": token, "capabilities": {token: {}}, "clientInfo": {"name": token, "version": token}}
    for body in (
        {**request, "id": token},
        {**request, "method": token},
        {**request, "jsonrpc": token},
        {**request, "params": {"name": "get_me", "arguments": token, "_meta": {token: token}}},
        {**request, "method": "initialize", "params": hello},
        [request, token],
        token,
        f'{{"jsonrpc": "{token}'.encode(),
        f'"{token}"'.encode("utf-16"),
    ):
        post(served, body, headers=authorization)
    # Refused for its size before it is read, so that the line may be closed while it is still being sent.
    raw(served, "POST", "/mcp", list(authorization.items()), json.dumps([token] * 30_000).encode())


def push_into_a_record(served: Served, good: str, token: str) -> None:
    """Into a record, as somebody does who pastes the wrong thing; then read, change and delete that record."""
    made = call_tool(served, good, "create_client", {"name": f"Globex {token}", "idempotencyKey": f"key-{token}"})
    record_id = made.result["structuredContent"]["data"]["id"]
    call_tool(served, good, "update_client", {"id": record_id, "notes": f"Use this:\n{token}\nBearer {token}"})
    call_tool(served, good, "list_clients", {"search": token})
    call_tool(served, good, "get_client", {"id": record_id})
    assert not call_tool(served, good, "delete_client", {"id": record_id}).result["isError"]


def push_by_stdio(served: Served, credential: str, pasted: str) -> bytes:
    """Through the command, as its token and inside its input; all that it wrote."""
    hello = {"protocolVersion": LEGACY, "capabilities": {}, "clientInfo": {"name": f"stdio {pasted}", "version": "1"}}
    call = {"name": "list_clients", "arguments": {"search": pasted}}
    lines = [
        {"jsonrpc": "2.0", "id": 1, "method": "initialize", "params": hello},
        {"jsonrpc": "2.0", "method": "notifications/initialized"},
        {"jsonrpc": "2.0", "id": 2, "method": "tools/call", "params": call},
        {
            "jsonrpc": "2.0",
            "id": 3,
            "method": "tools/call",
            "params": {"name": "delete_client", "arguments": {"id": pasted}},
        },
    ]
    text = "".join(json.dumps(line) + "\n" for line in lines) + f"not JSON {pasted}\n"
    read, write = os.pipe()
    with open(read, "rb") as given, tempfile.TemporaryFile() as printed:
        process = module_start(
            *("manage", "mcp_stdio"),
            environment={**served.environment, "HOURSMITH_API_TOKEN": credential},
            stdin=given.fileno(),
            stdout=printed.fileno(),
            stderr=printed.fileno(),
        )
        with open(write, "wb") as file:
            file.write(text.encode())
        process.wait(60)
        printed.seek(0)
        return printed.read()


def push_by_commands(served: Served, canaries: Canaries) -> int:
    """Into every option and argument of every command of ours that takes a text; how many there were."""
    count = 0
    for name, app in get_commands().items():
        if not isinstance(app, str) or not app.startswith(("mcpbridge", "hoursmith_console")) or name in _SERVES:
            continue
        parser = load_command_class(app, name).create_parser("manage.py", name)
        known = {action.dest for action in BaseCommand().create_parser("manage.py", name)._actions}
        given: list[str] = []
        for action in parser._actions:
            if action.dest in known or action.nargs == 0 or action.choices:
                continue
            count += 1
            token = canaries.token(f"command {name} {action.dest}")
            given += [action.option_strings[-1], token] if action.option_strings else [token]
        if given:
            served.manage(name, *given, check=False)
    return count


def files_of(served: Served) -> Iterator[tuple[str, bytes]]:
    """Whatever lies in the console's folder: databases with their logs, secrets, what the server printed."""
    for path in sorted(served.var.rglob("*")):
        if path.is_file() and served.var / "static" not in path.parents:
            yield str(path.relative_to(served.var)), path.read_bytes()


def tables_of(served: Served) -> Iterator[tuple[str, bytes]]:
    """Every row of every table, as PostgreSQL prints it; SQLite's are among the files."""
    url = served.environment["DATABASE_URL"]
    if url.startswith("sqlite"):
        return
    with psycopg.connect(url) as connection:
        tables = connection.execute("SELECT tablename FROM pg_tables WHERE schemaname = 'public'").fetchall()
        for (table,) in tables:
            rows = connection.execute(f'SELECT t::text FROM "{table}" t').fetchall()
            yield f"table {table}", "\n".join(row for (row,) in rows).encode()


def processes_of(served: Served) -> Iterator[tuple[str, bytes]]:
    """What the process list shows of the console."""
    for pid in [served.pid, *served.worker_pids()]:
        for name in ("cmdline", "environ"):
            with suppress(OSError):
                yield f"{name} of {pid}", Path(f"/proc/{pid}/{name}").read_bytes()
