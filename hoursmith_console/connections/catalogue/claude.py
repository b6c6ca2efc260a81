"""Claude Desktop and Claude Code."""

from hoursmith_console.connections.catalogue.commands import NODE_FACT, REMOTE_TROUBLES, remote_command
from hoursmith_console.connections.catalogue.mcp_client import (
    SERVER,
    VARIABLE,
    Client,
    Config,
    Family,
    Secret,
    Target,
    bearer,
    own_file,
    project_file,
)

_REFERENCE = f"${{{VARIABLE}}}"


def _desktop(target: Target) -> Config:
    return {"mcpServers": {SERVER: remote_command(target)}}


def _code(target: Target) -> Config:
    return {"mcpServers": {SERVER: {"type": "http", "url": target.address, "headers": bearer(_REFERENCE)}}}


def _code_command(target: Target) -> list[str]:
    header = f"Authorization: Bearer {_REFERENCE}"
    return ["claude", "mcp", "add", "--transport", "http", SERVER, target.address, "--header", header]


CLAUDE_DESKTOP = Client(
    key="claude-desktop",
    title="Claude Desktop",
    family=Family.APP,
    secret=Secret.LITERAL,
    places=(
        own_file(
            "~/.config/Claude/claude_desktop_config.json",
            macos="~/Library/Application Support/Claude/claude_desktop_config.json",
            windows=r"%APPDATA%\Claude\claude_desktop_config.json",
        ),
    ),
    config=_desktop,
    restart="Quit Claude Desktop fully (on Windows from the tray, on macOS with ⌘Q) and start it again.",
    troubles=(
        "Closing the window is not enough: the app goes on with the configuration it started with.",
        *REMOTE_TROUBLES,
    ),
    facts=(
        "Its file only knows commands, so mcp-remote stands between it and this address.",
        "It has no references: the token stands in the file. Keep the file to yourself.",
        NODE_FACT,
    ),
    aliases=("claude-ai", "claude-desktop", "claude"),
    needs_node=True,
    is_desktop=True,
)

CLAUDE_CODE = Client(
    key="claude-code",
    title="Claude Code",
    family=Family.TERMINAL,
    secret=Secret.VARIABLE,
    places=(own_file("~/.claude.json"), project_file(".mcp.json")),
    reference=_REFERENCE,
    config=_code,
    command=_code_command,
    restart="Start Claude Code again, or type /mcp in it and reconnect.",
    troubles=(
        f"If {VARIABLE} is not set where Claude Code was started, {_REFERENCE} itself is sent as the token.",
        "The single quotes in the command matter: without them the shell puts the token itself into ~/.claude.json.",
        f"${VARIABLE} without braces is not expanded.",
        "An entry of the same name must be removed first: claude mcp remove hoursmith",
        "A project’s .mcp.json waits for approval: Claude Code asks when it starts there, and /mcp says what waits.",
    ),
    facts=(
        "The command writes for the folder you are in; add --scope user for all of them.",
        f"${{{VARIABLE}:-default}} gives a default.",
        "headersHelper runs a command that prints the headers, for instance one that asks the keychain.",
    ),
    aliases=("claude-code",),
)

CLIENTS = (CLAUDE_DESKTOP, CLAUDE_CODE)
