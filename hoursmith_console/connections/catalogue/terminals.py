"""Terminal assistants, LM Studio and Goose."""

from hoursmith_console.connections.catalogue.config_files import own_file, project_file
from hoursmith_console.connections.catalogue.mcp_client import (
    SERVER,
    SLOT,
    VARIABLE,
    Config,
    Family,
    Link,
    McpClient,
    Secret,
    Target,
    bearer,
)
from hoursmith_console.connections.catalogue.rendering import base64_in_query

_BRACED = f"${{{VARIABLE}}}"
_UNSET_PROBLEM = f"Start it from a terminal where {VARIABLE} is set: open a new one after setting it."


def _codex(target: Target) -> Config:
    return {"mcp_servers": {SERVER: {"url": target.address, "bearer_token_env_var": VARIABLE}}}


def _codex_command(target: Target) -> list[str]:
    return ["codex", "mcp", "add", SERVER, "--url", target.address, "--bearer-token-env-var", VARIABLE]


def _gemini(target: Target) -> Config:
    return {"mcpServers": {SERVER: {"httpUrl": target.address, "headers": bearer(f"${VARIABLE}")}}}


def _goose(target: Target) -> Config:
    entry = {
        "enabled": True,
        "type": "streamable_http",
        "name": SERVER,
        "uri": target.address,
        "env_keys": [VARIABLE],
        "headers": bearer(_BRACED),
        "timeout": 300,
    }
    return {"extensions": {SERVER: entry}}


def _opencode(target: Target) -> Config:
    entry = {
        "type": "remote",
        "url": target.address,
        "enabled": True,
        "oauth": False,
        "headers": bearer(f"{{env:{VARIABLE}}}"),
    }
    return {"mcp": {SERVER: entry}}


def _copilot_with(target: Target, secret: str) -> Config:
    return {"mcpServers": {SERVER: {"type": "http", "url": target.address, "headers": bearer(secret)}}}


def _copilot(target: Target) -> Config:
    return _copilot_with(target, _BRACED)


def _copilot_command(target: Target) -> list[str]:
    header = f"Authorization: Bearer {_BRACED}"
    return ["copilot", "mcp", "add", "--transport", "http", SERVER, target.address, "--header", header]


def _copilot_literal(target: Target) -> Config:
    return _copilot_with(target, SLOT)


def _lm_studio_entry(target: Target) -> Config:
    return {"url": target.address, "headers": bearer(SLOT)}


def _lm_studio(target: Target) -> Config:
    return {"mcpServers": {SERVER: _lm_studio_entry(target)}}


def _lm_studio_link(target: Target) -> Link:
    address = f"lmstudio://add_mcp?name={SERVER}&config={base64_in_query(_lm_studio_entry(target))}"
    return Link("Add to LM Studio", address, "The link adds a placeholder: replace it with the token in mcp.json.")


CODEX_CLI = McpClient(
    key="codex",
    title="Codex CLI",
    family=Family.TERMINAL,
    secret=Secret.VARIABLE,
    language="toml",
    config_files=(own_file("~/.codex/config.toml"),),
    reference=VARIABLE,
    config=_codex,
    command=_codex_command,
    restart="Restart Codex.",
    problems=(_UNSET_PROBLEM, "bearer_token_env_var takes the variable’s name, without $ and without Bearer."),
    notes=('Disable tools with disabled_tools = ["delete_client"].',),
    aliases=("codex-mcp-client", "codex"),
)

GEMINI_CLI = McpClient(
    key="gemini-cli",
    title="Gemini CLI",
    family=Family.TERMINAL,
    secret=Secret.VARIABLE,
    config_files=(own_file("~/.gemini/settings.json"), project_file(".gemini/settings.json")),
    reference=f"${VARIABLE}",
    config=_gemini,
    restart="Restart Gemini CLI.",
    problems=(
        "In an untrusted folder, gemini mcp list shows Disabled: run gemini trust there.",
        _UNSET_PROBLEM,
    ),
    notes=(
        'httpUrl works in every version. From 0.61, url together with "type": "http" does too.',
        f"It also reads ~/.gemini/.env: you can set {VARIABLE}=… there.",
        "Disable tools with excludeTools.",
    ),
    aliases=("gemini-cli-mcp-client", "gemini-cli"),
)

GOOSE = McpClient(
    key="goose",
    title="Goose",
    family=Family.TERMINAL,
    secret=Secret.VARIABLE,
    language="yaml",
    config_files=(own_file("~/.config/goose/config.yaml", windows=r"%APPDATA%\Block\goose\config\config.yaml"),),
    reference=_BRACED,
    config=_goose,
    restart="Start a new session.",
    problems=("An older token in Goose’s keyring may override the variable: replace it there.",),
    notes=("env_keys lists what Goose reads from its keyring, then from the environment.",),
    aliases=("goose",),
)

OPENCODE = McpClient(
    key="opencode",
    title="OpenCode",
    family=Family.TERMINAL,
    secret=Secret.VARIABLE,
    config_files=(own_file("~/.config/opencode/opencode.json"), project_file("opencode.json")),
    reference=f"{{env:{VARIABLE}}}",
    config=_opencode,
    restart="Restart OpenCode.",
    problems=("There is no $ before the brace.", _UNSET_PROBLEM),
    notes=('"oauth": false stops it from looking for an OAuth sign-in page.',),
    aliases=("opencode",),
)

COPILOT_CLI = McpClient(
    key="copilot-cli",
    title="Copilot CLI",
    family=Family.TERMINAL,
    secret=Secret.VARIABLE,
    config_files=(own_file("~/.copilot/mcp-config.json"),),
    reference=_BRACED,
    config=_copilot,
    literal_config=_copilot_literal,
    command=_copilot_command,
    restart="Restart Copilot CLI.",
    problems=(
        f"Before 1.0.102 it does not expand {_BRACED}: update it, or use the configuration with the token.",
        _UNSET_PROBLEM,
    ),
    aliases=("github-copilot-developer", "github-copilot-cli", "copilot-cli", "github-copilot"),
)

LM_STUDIO = McpClient(
    key="lm-studio",
    title="LM Studio",
    family=Family.APP,
    secret=Secret.LITERAL,
    config_files=(own_file("~/.lmstudio/mcp.json"),),
    config=_lm_studio,
    link=_lm_studio_link,
    restart="Turn hoursmith off and on in LM Studio’s list of MCP servers.",
    notes=("It can’t reference variables, as far as known: the token is stored in the file.",),
    aliases=("lmstudio-mcp-bridge", "lm-studio", "lmstudio"),
    is_desktop=True,
)

MCP_CLIENTS = (LM_STUDIO, CODEX_CLI, GEMINI_CLI, GOOSE, OPENCODE, COPILOT_CLI)
