"""Claude Desktop and Claude Code."""

from hoursmith_console.connections.catalogue.commands import NODE_FACT, REMOTE_PROBLEMS, remote_command
from hoursmith_console.connections.catalogue.mcp_client import (
    SERVER,
    VARIABLE,
    Config,
    Family,
    McpClient,
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


CLAUDE_DESKTOP = McpClient(
    key="claude-desktop",
    title="Claude Desktop",
    family=Family.APP,
    secret=Secret.LITERAL,
    config_files=(
        own_file(
            "~/.config/Claude/claude_desktop_config.json",
            macos="~/Library/Application Support/Claude/claude_desktop_config.json",
            windows=r"%APPDATA%\Claude\claude_desktop_config.json",
        ),
    ),
    config=_desktop,
    restart="Quit Claude Desktop completely (Windows: from the tray; macOS: ⌘Q) and restart it.",
    problems=(
        "Closing the window is not enough: the app reads its configuration at start.",
        *REMOTE_PROBLEMS,
    ),
    notes=(
        "Its file supports commands only, so it connects through mcp-remote.",
        "It can’t reference variables: the token is stored in the file. Don’t share the file.",
        NODE_FACT,
    ),
    aliases=("claude-ai", "claude-desktop", "claude"),
    needs_node=True,
    is_desktop=True,
)

CLAUDE_CODE = McpClient(
    key="claude-code",
    title="Claude Code",
    family=Family.TERMINAL,
    secret=Secret.VARIABLE,
    config_files=(own_file("~/.claude.json"), project_file(".mcp.json")),
    reference=_REFERENCE,
    config=_code,
    command=_code_command,
    restart="Restart Claude Code, or type /mcp and reconnect.",
    problems=(
        f"If {VARIABLE} is not set where Claude Code was started, {_REFERENCE} itself is sent as the token.",
        "Keep the single quotes: without them, the shell writes the token itself into ~/.claude.json.",
        f"${VARIABLE} without braces is not expanded.",
        "Remove an existing entry of the same name first: claude mcp remove hoursmith",
        "A project’s .mcp.json needs approval: Claude Code asks at start, and /mcp lists pending servers.",
    ),
    notes=(
        "The command applies to the current folder; add --scope user for all folders.",
        f"${{{VARIABLE}:-default}} sets a default.",
        "headersHelper runs a command that prints the headers, such as one that reads the keychain.",
    ),
    aliases=("claude-code",),
)

MCP_CLIENTS = (CLAUDE_DESKTOP, CLAUDE_CODE)
