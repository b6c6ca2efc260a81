"""Claude Desktop and Claude Code."""

from hoursmith_console.connections.catalogue.config_files import own_file, project_file
from hoursmith_console.connections.catalogue.mcp_client import (
    BUNDLE,
    SERVER,
    SLOT,
    VARIABLE,
    Config,
    Family,
    Link,
    McpClient,
    Method,
    Secret,
    Step,
    Target,
    bearer,
    value_to_enter,
)

_REFERENCE = f"${{{VARIABLE}}}"


def _desktop(target: Target) -> tuple[Method, ...]:
    download = Link(f"Download {BUNDLE}", target.bundle_address)
    return (
        Method(
            "Install the extension",
            (
                Step("Download the extension. It holds the address of this connection, and no token.", link=download),
                Step(
                    "Open the file. If nothing opens: in Claude Desktop, select Settings → Extensions → Advanced "
                    "settings → Install extension, and choose it."
                ),
                Step("Select Install, and paste the token.", (value_to_enter("Token", SLOT),)),
            ),
        ),
    )


def _code(target: Target) -> Config:
    return {"mcpServers": {SERVER: {"type": "http", "url": target.address, "headers": bearer(_REFERENCE)}}}


def _code_command(target: Target) -> list[str]:
    header = f"Authorization: Bearer {_REFERENCE}"
    return ["claude", "mcp", "add", "--transport", "http", SERVER, target.address, "--header", header]


CLAUDE_DESKTOP = McpClient(
    key="claude-desktop",
    title="Claude Desktop",
    family=Family.APP,
    secret=Secret.PROMPT,
    methods=_desktop,
    restart="Turn the extension on. Paste a new token under Settings → Extensions → Hoursmith → Configure.",
    problems=(
        "If hoursmith is also in claude_desktop_config.json, remove it there, or every tool is there twice.",
        "In a Team or Enterprise plan, an owner may have to allow the extension.",
        "It rejects http:// addresses of other machines: serve the console over https.",
    ),
    notes=(
        "Claude Desktop keeps the token in the operating system’s keychain, not in a file.",
        "The extension is two readable files, which send messages to this console and to nothing else. It is not "
        "signed, so Claude Desktop warns before it installs it.",
        "It runs on this computer, so the console may be on your own network. Connectors of your Claude account do "
        "not: see Claude (claude.ai).",
    ),
    aliases=("claude-ai", "claude-desktop", "claude"),
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
