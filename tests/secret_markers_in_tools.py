"""Secrets pushed into every argument of every tool, found by its schema, and into every member of the envelope."""

import json
from collections.abc import Iterator
from typing import Any

from tests.faults.mcp import LEGACY, MODERN, call_tool, post
from tests.secret_markers import Canaries
from tests.servers import Served

HEADERS = [
    "User-Agent", "Mcp-Session-Id", "Mcp-Method", "Mcp-Name", "MCP-Protocol-Version", "Traceparent", "Tracestate",
    "Baggage", "Last-Event-Id", "X-Request-Id", "X-Forwarded-For", "X-Forwarded-Host", "X-Forwarded-Proto", "Forwarded",
    "Via", "Origin", "Referer", "X-MCP-Readonly",
]  # fmt: skip
METHODS = ["tools/call", "initialize", "tools/list", "prompts/get", "resources/read", "ping", "logging/setLevel"]


def tools_of(served: Served, token: str) -> list[dict[str, Any]]:
    """The tools as a client is told of them."""
    body = {"jsonrpc": "2.0", "id": 1, "method": "tools/list", "params": {}}
    headers = {"Authorization": f"Bearer {token}", "MCP-Protocol-Version": LEGACY}
    found: list[dict[str, Any]] = post(served, body, headers=headers).result["tools"]
    return found


def places(schema: dict[str, Any], path: tuple[str, ...] = ()) -> Iterator[tuple[str, ...]]:
    """Every property of the schema, nested ones too, as a path; `*` stands for an item of a list."""
    for name, inner in schema.get("properties", {}).items():
        yield (*path, name)
        yield from places(inner, (*path, name))
    for alternative in (*schema.get("anyOf", ()), *schema.get("oneOf", ()), *schema.get("allOf", ())):
        yield from places(alternative, path)
    if isinstance(schema.get("items"), dict):
        yield (*path, "*")
        yield from places(schema["items"], (*path, "*"))


def value_at(path: tuple[str, ...], text: str) -> Any:
    """`text` at `path` of a value that is otherwise empty."""
    if not path:
        return text
    inner = value_at(path[1:], text)
    return [inner] if path[0] == "*" else {path[0]: inner}


def push_into_tools(served: Served, good: str, canaries: Canaries) -> dict[str, int]:
    """How many arguments of each tool were filled with a secret, each alone, then all together."""
    filled = {}
    for tool in tools_of(served, good):
        name, found = tool["name"], list(places(tool["inputSchema"]))
        for path in found:
            label = f"tool {name} {'.'.join(path)}"
            for text in (canaries.token(label), canaries.wrapped(label)):
                call_tool(served, good, name, value_at(path, f"x {text} y"))
        every = {path[0]: canaries.token(f"tool {name}") for path in found if path[0] != "idempotencyKey"}
        call_tool(served, good, name, every, version=LEGACY)
        call_tool(served, good, name, {canaries.token(f"tool {name} key"): 1})
        filled[name] = len(found)
    return filled


def push_into_envelopes(served: Served, good: str, canaries: Canaries) -> int:
    """Into every member of a JSON-RPC request and every header that belongs to it; how many there were."""
    about = "io.modelcontextprotocol"
    whole = {
        "jsonrpc": "2.0",
        "id": "1",
        "method": "tools/call",
        "params": {
            "name": "get_me",
            "arguments": {},
            "_meta": {
                f"{about}/protocolVersion": MODERN,
                f"{about}/clientCapabilities": {"sampling": {"x": "y"}},
                f"{about}/clientInfo": {
                    "name": "canary",
                    "title": "t",
                    "version": "1",
                    "websiteUrl": "https://x.example",
                },
                "progressToken": "p",
                "traceparent": "00-1-1-01",
                "tracestate": "a=b",
                "baggage": "a=b",
            },
            "cursor": "c",
            "uri": "u",
            "protocolVersion": LEGACY,
            "capabilities": {},
            "clientInfo": {"name": "canary", "version": "1"},
        },
    }
    members = list(_members(whole))
    for path in members:
        for method in METHODS:
            token = canaries.token(f"member {'.'.join(path)}")
            body = json.loads(json.dumps({**whole, "method": method}))
            _put(body, path, token)
            version = MODERN if method == "tools/call" else LEGACY
            post(served, body, headers={"Authorization": f"Bearer {good}", "MCP-Protocol-Version": version})
    for header in HEADERS:
        for text in (canaries.token(f"header {header}"), canaries.wrapped(f"header {header}")):
            value = " ".join(text.encode("ascii", "ignore").decode().replace("\x00", "").split())
            post(served, whole, headers={"Authorization": f"Bearer {good}", header: value})
    for address in ("/mcp/c/{}", "/mcp/c/{}/readonly", "/mcp/{}", "/mcp?token={}"):
        post(
            served,
            whole,
            path=address.format(canaries.token(f"path {address}")),
            headers={"Authorization": f"Bearer {good}"},
        )
    return len(members) + len(HEADERS)


def _members(value: Any, path: tuple[str, ...] = ()) -> Iterator[tuple[str, ...]]:
    for name, inner in value.items():
        yield (*path, name)
        if isinstance(inner, dict):
            yield from _members(inner, (*path, name))


def _put(body: Any, path: tuple[str, ...], text: str) -> None:
    for name in path[:-1]:
        body = body[name]
    body[path[-1]] = text
