"""More assistants: Qwen Code, Continue, Droid, Auggie, Amp and Crush.

Sources, read in November 2026: Qwen Code’s docs/users/features/mcp.md; Continue’s docs/customize/deep-dives/mcp.mdx
and its config-yaml schemas; Crush’s README and internal/config; docs.factory.ai/harness/mcp; docs.augmentcode.com/cli;
ampcode.com/docs/customize/mcp. Where sources disagree, the entry says so.
"""

from hoursmith_console.connections.catalogue.config_files import own_file, project_file
from hoursmith_console.connections.catalogue.mcp_client import (
    SERVER,
    SLOT,
    VARIABLE,
    Config,
    Family,
    McpClient,
    Secret,
    Target,
    bearer,
)

_BRACED = f"${{{VARIABLE}}}"
_CONTINUE_SECRET = f"${{{{ secrets.{VARIABLE} }}}}"
_UNSET_PROBLEM = f"Start it from a terminal where {VARIABLE} is set: open a new one after setting it."


def _qwen(target: Target) -> Config:
    return {"mcpServers": {SERVER: {"httpUrl": target.address, "headers": bearer(_BRACED)}}}


def _qwen_command(target: Target) -> list[str]:
    header = f"Authorization: Bearer {_BRACED}"
    options = ["--scope", "user", "--transport", "http"]
    return ["qwen", "mcp", "add", *options, SERVER, target.address, "--header", header]


def _continue(target: Target) -> Config:
    server = {
        "name": SERVER,
        "type": "streamable-http",
        "url": target.address,
        "requestOptions": {"headers": bearer(_CONTINUE_SECRET)},
    }
    return {"name": "Hoursmith", "version": "1.0.0", "schema": "v1", "mcpServers": [server]}


def _http_with(target: Target, secret: str) -> Config:
    return {"mcpServers": {SERVER: {"type": "http", "url": target.address, "headers": bearer(secret)}}}


def _droid(target: Target) -> Config:
    return _http_with(target, _BRACED)


def _droid_literal(target: Target) -> Config:
    return _http_with(target, SLOT)


def _droid_command(target: Target) -> list[str]:
    header = f"Authorization: Bearer {_BRACED}"
    return ["droid", "mcp", "add", SERVER, target.address, "--type", "http", "--header", header]


def _auggie(target: Target) -> Config:
    return _http_with(target, SLOT)


def _amp(target: Target) -> Config:
    return {"amp.mcpServers": {SERVER: {"url": target.address, "headers": bearer(_BRACED)}}}


def _crush(target: Target) -> Config:
    return {"mcp": {SERVER: {"type": "http", "url": target.address, "headers": bearer(f"${VARIABLE}")}}}


QWEN_CODE = McpClient(
    key="qwen-code",
    title="Qwen Code",
    family=Family.TERMINAL,
    secret=Secret.VARIABLE,
    config_files=(own_file("~/.qwen/settings.json"), project_file(".qwen/settings.json")),
    reference=_BRACED,
    config=_qwen,
    command=_qwen_command,
    restart="Restart Qwen Code in the same project; /mcp lists the server.",
    problems=("The key is httpUrl: url means SSE, which this console doesn’t support.", _UNSET_PROBLEM),
    notes=(
        "Disable tools with excludeTools.",
        "Its documentation is inconsistent about the default of --scope, so the command sets it.",
    ),
    aliases=("qwen-cli-mcp-client", "qwen-code", "qwen"),
)

CONTINUE = McpClient(
    key="continue",
    title="Continue",
    family=Family.EDITOR,
    secret=Secret.VARIABLE,
    language="yaml",
    config_files=(own_file("~/.continue/config.yaml"), project_file(".continue/mcpServers/hoursmith.yaml")),
    reference=_CONTINUE_SECRET,
    config=_continue,
    restart="Reload the window, or restart the CLI. Tools work in agent mode only.",
    problems=(
        "Put headers in requestOptions; headers next to url are ignored in YAML.",
        f"In an editor it doesn’t see your shell’s variables: add {VARIABLE}=… to ~/.continue/.env.",
    ),
    notes=(
        "A project’s file needs all lines. In config.yaml, which has the first three, add only the mcpServers item.",
        "Its CLI (cn) also reads the environment, after .env, .continue/.env and ~/.continue/.env.",
    ),
    aliases=("continue-cli-client", "continue-client", "continue"),
)

DROID = McpClient(
    key="droid",
    title="Droid",
    family=Family.TERMINAL,
    secret=Secret.VARIABLE,
    config_files=(own_file("~/.factory/mcp.json"), project_file(".factory/mcp.json")),
    reference=_BRACED,
    config=_droid,
    literal_config=_droid_literal,
    command=_droid_command,
    restart="Type /mcp in Droid to see the server.",
    problems=(
        f"Not all sources say that it expands {_BRACED} in headers. If this console reports an unexpanded variable, "
        "use the configuration with the token.",
        _UNSET_PROBLEM,
    ),
    notes=("docs.factory.ai gives http as the type for Streamable HTTP; sse is the older transport.",),
    aliases=("droid", "factory-droid", "factory-cli"),
)

AUGGIE = McpClient(
    key="auggie",
    title="Auggie",
    family=Family.TERMINAL,
    secret=Secret.LITERAL,
    config_files=(own_file("~/.augment/settings.json"),),
    config=_auggie,
    restart="Restart Auggie; /mcp lists the server.",
    problems=("auggie mcp add exposes the token on the command line to other users of the machine.",),
    notes=(
        "It can’t reference variables in headers, as far as known: the token is stored in the file.",
        "Sources disagree on whether it reads a project’s .augment/settings.json, so only the user file is listed.",
    ),
    aliases=("auggie", "augment"),
)

AMP = McpClient(
    key="amp",
    title="Amp",
    family=Family.TERMINAL,
    secret=Secret.VARIABLE,
    config_files=(own_file("~/.config/amp/settings.json"), project_file(".amp/settings.json")),
    reference=_BRACED,
    config=_amp,
    restart="Restart Amp.",
    problems=(
        "The key is amp.mcpServers, including the dot.",
        "An entry in a project’s file needs approval: amp mcp approve hoursmith",
        _UNSET_PROBLEM,
    ),
    notes=("amp config edit opens the file; it may also be called settings.jsonc.",),
    aliases=("amp",),
)

CRUSH = McpClient(
    key="crush",
    title="Crush",
    family=Family.TERMINAL,
    secret=Secret.VARIABLE,
    config_files=(own_file("~/.config/crush/crush.json"), project_file("crush.json")),
    reference=f"${VARIABLE}",
    config=_crush,
    restart="Restart Crush.",
    problems=("If the variable is not set, it sends “Bearer” without a token.", _UNSET_PROBLEM),
    notes=(
        "Crush now prefers crushrc and still reads crush.json. In crushrc: mcp add hoursmith --type http --url … "
        f'--header Authorization "Bearer ${VARIABLE}"',
        "Disable tools with disabled_tools.",
    ),
    aliases=("crush",),
)

MCP_CLIENTS = (CONTINUE, QWEN_CODE, DROID, AUGGIE, AMP, CRUSH)
