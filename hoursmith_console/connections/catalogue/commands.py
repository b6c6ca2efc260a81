"""Clients that only start commands: through mcp-remote, through this console's own command, or the vendor's server."""

from typing import Any

from hoursmith_console.connections.catalogue.mcp_client import (
    SERVER,
    SLOT,
    VARIABLE,
    Client,
    Config,
    Family,
    Secret,
    Target,
)

NODE_FACT = "Needs Node.js, version 18 or newer, for npx."
REMOTE_TROUBLES = (
    "There must be no space after the colon of Authorization:${AUTH_HEADER}: some clients split arguments at spaces.",
    "mcp-remote refuses an http:// address of another machine: serve the console over https.",
)


def remote_command(target: Target, *, secret: str = SLOT) -> dict[str, Any]:
    """How a client that only starts commands reaches the bridge; the token stays out of the process list."""
    options = ["--transport", "http-only", "--header", "Authorization:${AUTH_HEADER}"]
    return {
        "command": "npx",
        "args": ["-y", "mcp-remote", target.address, *options],
        "env": {"AUTH_HEADER": f"Bearer {secret}"},
    }


def _remote(target: Target) -> Config:
    return {"mcpServers": {SERVER: remote_command(target)}}


def _stdio(target: Target) -> Config:
    folder = target.folder.rstrip("/")
    arguments = [f"{folder}/manage.py", "mcp_stdio"]
    arguments += ["--readonly"] if target.is_readonly else []
    arguments += ["--connection", target.connection] if target.connection else []
    entry = {"command": f"{folder}/.venv/bin/python", "args": arguments, "env": {VARIABLE: SLOT}}
    return {"mcpServers": {SERVER: entry}}


def _vendor(target: Target) -> Config:
    entry = {"command": "npx", "args": ["-y", "@hoursmith/mcp-server"], "env": {VARIABLE: SLOT}}
    return {"mcpServers": {SERVER: entry}}


_OWN_PLACE = "Where the configuration lies, the client's own documentation says; most use this shape."

MCP_REMOTE = Client(
    key="mcp-remote",
    title="Any client that starts a command (mcp-remote)",
    family=Family.COMMAND,
    secret=Secret.LITERAL,
    config=_remote,
    restart="Restart the client.",
    troubles=REMOTE_TROUBLES,
    facts=(_OWN_PLACE, "Where your client expands variables in env, name the variable there instead.", NODE_FACT),
    aliases=("mcp-remote",),
    needs_node=True,
)

MCP_STDIO = Client(
    key="mcp-stdio",
    title="Any client on the console’s own machine (mcp_stdio)",
    family=Family.COMMAND,
    secret=Secret.LITERAL,
    config=_stdio,
    restart="Restart the client.",
    troubles=(
        "On Windows the interpreter is .venv\\Scripts\\python.exe.",
        "The command reads the console’s .env and var/ and so must run as somebody who may.",
    ),
    facts=(_OWN_PLACE, "No network and no Node.js: the command speaks to the same records as the served console."),
)

VENDOR = Client(
    key="vendor",
    title="Hoursmith’s own server, without this console",
    family=Family.COMMAND,
    secret=Secret.LITERAL,
    config=_vendor,
    restart="Restart the client.",
    troubles=("Nothing that is done this way is seen, recorded or can be blocked by this console.",),
    facts=(
        _OWN_PLACE,
        "It has no read-only mode: give it a token that may only read.",
        NODE_FACT,
    ),
    needs_node=True,
    has_readonly=False,
)

CLIENTS = (MCP_REMOTE, MCP_STDIO, VENDOR)
