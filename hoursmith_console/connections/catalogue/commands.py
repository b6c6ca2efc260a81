"""Clients that start commands: mcp-remote, this console's mcp_stdio, or the vendor's server."""

from typing import Any

from hoursmith_console.connections.catalogue.mcp_client import (
    SERVER,
    SLOT,
    VARIABLE,
    Config,
    Family,
    McpClient,
    Secret,
    Target,
)

NODE_FACT = "Requires Node.js 18 or later."
REMOTE_PROBLEMS = (
    "Don’t add a space after the colon in Authorization:${AUTH_HEADER}: some clients split arguments at spaces.",
    "mcp-remote rejects http:// addresses of other machines: serve the console over https.",
)


def remote_command(target: Target, *, secret: str = SLOT) -> dict[str, Any]:
    """Return the mcp-remote entry of a client that starts commands; the token stays out of the process list."""
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


_FILE_NOTE = "See the client’s documentation for the location of the file. Most use this format."

MCP_REMOTE = McpClient(
    key="mcp-remote",
    title="Any client that starts a command (mcp-remote)",
    family=Family.COMMAND,
    secret=Secret.LITERAL,
    config=_remote,
    restart="Restart the client.",
    problems=REMOTE_PROBLEMS,
    notes=(_FILE_NOTE, "If your client expands variables in env, reference the variable there.", NODE_FACT),
    aliases=("mcp-remote",),
    needs_node=True,
)

MCP_STDIO = McpClient(
    key="mcp-stdio",
    title="Any client on the console’s own machine (mcp_stdio)",
    family=Family.COMMAND,
    secret=Secret.LITERAL,
    config=_stdio,
    restart="Restart the client.",
    problems=(
        "On Windows, use .venv\\Scripts\\python.exe.",
        "The command reads the console’s .env and var/, so its user needs access to them.",
    ),
    notes=(_FILE_NOTE, "Needs no network and no Node.js: the command uses the console’s database directly."),
)

VENDOR = McpClient(
    key="vendor",
    title="Hoursmith’s own server, without this console",
    family=Family.COMMAND,
    secret=Secret.LITERAL,
    config=_vendor,
    restart="Restart the client.",
    problems=("This console can’t see, log or block calls made this way.",),
    notes=(
        _FILE_NOTE,
        "It has no read-only mode: use a read-only token.",
        NODE_FACT,
    ),
    needs_node=True,
    has_readonly=False,
)

MCP_CLIENTS = (MCP_REMOTE, MCP_STDIO, VENDOR)
