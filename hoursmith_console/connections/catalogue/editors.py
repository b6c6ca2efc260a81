"""Editors, and assistants inside VS Code."""

from hoursmith_console.connections.catalogue.commands import remote_command
from hoursmith_console.connections.catalogue.config_files import own_file, project_file
from hoursmith_console.connections.catalogue.mcp_client import (
    BY_SIGN_IN,
    PASTE_AND_ALLOW,
    SERVER,
    SLOT,
    VARIABLE,
    Config,
    Family,
    Link,
    McpClient,
    Method,
    Secret,
    Snippet,
    Step,
    Target,
    bearer,
)
from hoursmith_console.connections.catalogue.rendering import as_json, base64_in_query, json_in_query

_IN_ENVIRONMENT = f"${{env:{VARIABLE}}}"
_DOCK_PROBLEM = f"If started from the dock or start menu, it may not see your shell’s {VARIABLE}."
_STORAGE = "Code/User/globalStorage"
_CURSOR_FILES = (own_file("~/.cursor/mcp.json"), project_file(".cursor/mcp.json"))
_VSCODE_FILES = (
    own_file(
        "~/.config/Code/User/mcp.json",
        macos="~/Library/Application Support/Code/User/mcp.json",
        windows=r"%APPDATA%\Code\User\mcp.json",
    ),
    project_file(".vscode/mcp.json"),
)


def _cursor_entry(target: Target) -> Config:
    return {"url": target.address, "headers": bearer(_IN_ENVIRONMENT)}


def _cursor(target: Target) -> Config:
    return {"mcpServers": {SERVER: _cursor_entry(target)}}


def _cursor_link(target: Target) -> Link:
    config = base64_in_query(_cursor_entry(target))
    return Link("Add to Cursor", f"cursor://anysphere.cursor-deeplink/mcp/install?name={SERVER}&config={config}")


def _cursor_sign_in(target: Target) -> tuple[Method, ...]:
    entry = {"url": target.address}
    address = f"cursor://anysphere.cursor-deeplink/mcp/install?name={SERVER}&config={base64_in_query(entry)}"
    config = Snippet(
        "Or add this configuration", "json", as_json({"mcpServers": {SERVER: entry}}), config_files=_CURSOR_FILES
    )
    steps = (
        Step("Add the server.", (config,), Link("Add to Cursor without a token", address)),
        Step("In Cursor’s settings, under MCP, select Connect beside hoursmith."),
        PASTE_AND_ALLOW,
    )
    return (Method(BY_SIGN_IN, steps, signs_in=True),)


def _vscode_inputs(target: Target) -> list[Config]:
    asked = {"type": "promptString", "id": target.input_id, "description": "Hoursmith token", "password": True}
    return [asked]


def _vscode_entry(target: Target) -> Config:
    return {"type": "http", "url": target.address, "headers": bearer(f"${{input:{target.input_id}}}")}


def _vscode(target: Target) -> Config:
    return {"inputs": _vscode_inputs(target), "servers": {SERVER: _vscode_entry(target)}}


def _vscode_link(target: Target) -> Link:
    config = {"name": SERVER, **_vscode_entry(target), "inputs": _vscode_inputs(target)}
    return Link("Add to VS Code", f"vscode:mcp/install?{json_in_query(config)}", "VS Code asks for the token.")


def _vscode_sign_in(target: Target) -> tuple[Method, ...]:
    entry = {"type": "http", "url": target.address}
    address = f"vscode:mcp/install?{json_in_query({'name': SERVER, **entry})}"
    config = Snippet(
        "Or add this configuration", "json", as_json({"servers": {SERVER: entry}}), config_files=_VSCODE_FILES
    )
    steps = (
        Step("Add the server.", (config,), Link("Add to VS Code without a token", address)),
        Step("Start hoursmith, and allow VS Code to open this console’s page."),
        PASTE_AND_ALLOW,
    )
    return (Method(BY_SIGN_IN, steps, signs_in=True),)


def _windsurf(target: Target) -> Config:
    return {"mcpServers": {SERVER: {"serverUrl": target.address, "headers": bearer(_IN_ENVIRONMENT)}}}


def _windsurf_literal(target: Target) -> Config:
    return {"mcpServers": {SERVER: {"serverUrl": target.address, "headers": bearer(SLOT)}}}


def _zed(target: Target) -> Config:
    return {"context_servers": {SERVER: {"url": target.address, "headers": bearer(SLOT)}}}


def _cline(target: Target) -> Config:
    entry = {"type": "streamableHttp", "url": target.address, "headers": bearer(SLOT), "disabled": False}
    return {"mcpServers": {SERVER: entry}}


def _roo(target: Target) -> Config:
    entry = {"type": "streamable-http", "url": target.address, "headers": bearer(SLOT), "disabled": False}
    return {"mcpServers": {SERVER: entry}}


def _roo_project(target: Target) -> Config:
    entry = remote_command(target)
    entry["args"][-1] = f"Authorization:Bearer {_IN_ENVIRONMENT}"
    del entry["env"]
    return {"mcpServers": {SERVER: entry}}


CURSOR = McpClient(
    key="cursor",
    title="Cursor",
    family=Family.EDITOR,
    secret=Secret.VARIABLE,
    config_files=_CURSOR_FILES,
    reference=_IN_ENVIRONMENT,
    config=_cursor,
    methods=_cursor_sign_in,
    link=_cursor_link,
    restart="Reload Cursor’s window. After changing the variable, quit Cursor completely and restart it.",
    problems=(_DOCK_PROBLEM,),
    aliases=("cursor-vscode", "cursor"),
    is_desktop=True,
)

VS_CODE = McpClient(
    key="vscode",
    title="VS Code",
    family=Family.EDITOR,
    secret=Secret.PROMPT,
    config_files=_VSCODE_FILES,
    reference="${input:hoursmith-token}",
    config=_vscode,
    methods=_vscode_sign_in,
    link=_vscode_link,
    restart="Run “MCP: List Servers” and restart hoursmith; VS Code then asks for the token.",
    problems=(
        "VS Code keeps the old token until it is cleared. The input’s id therefore ends with the token prefix: VS Code "
        "asks again for a new id.",
    ),
    notes=("VS Code asks for the token once and keeps it in the system’s secure storage, not in a file.",),
    aliases=("visual-studio-code", "vscode"),
    is_desktop=True,
)

WINDSURF = McpClient(
    key="windsurf",
    title="Windsurf",
    family=Family.EDITOR,
    secret=Secret.VARIABLE,
    config_files=(own_file("~/.codeium/windsurf/mcp_config.json"),),
    reference=_IN_ENVIRONMENT,
    config=_windsurf,
    literal_config=_windsurf_literal,
    restart="Select Refresh in Cascade’s list of MCP servers.",
    problems=(
        f"Sources disagree on whether it expands {_IN_ENVIRONMENT} in headers. If this console reports an "
        "unexpanded variable, use the configuration with the token.",
        "The key is serverUrl; an entry with url, as in Cursor’s file, does not connect.",
        _DOCK_PROBLEM,
    ),
    aliases=("windsurf", "codeium"),
    is_desktop=True,
)

ZED = McpClient(
    key="zed",
    title="Zed",
    family=Family.EDITOR,
    secret=Secret.LITERAL,
    config_files=(own_file("~/.config/zed/settings.json", windows=r"%APPDATA%\Zed\settings.json"),),
    config=_zed,
    restart="Not needed: Zed applies settings when they are saved.",
    problems=("The key is context_servers, not mcpServers.",),
    notes=(
        "It can’t reference variables in headers: the token is stored in the file. Don’t add it to shared dotfiles.",
    ),
    aliases=("zed",),
    is_desktop=True,
)

CLINE = McpClient(
    key="cline",
    title="Cline",
    family=Family.EDITOR,
    secret=Secret.LITERAL,
    config_files=(
        own_file(
            f"~/.config/{_STORAGE}/saoudrizwan.claude-dev/settings/cline_mcp_settings.json",
            macos=f"~/Library/Application Support/{_STORAGE}/saoudrizwan.claude-dev/settings/cline_mcp_settings.json",
            windows=r"%APPDATA%\Code\User\globalStorage\saoudrizwan.claude-dev\settings\cline_mcp_settings.json",
        ),
        own_file("~/.cline/data/settings/cline_mcp_settings.json", title="For Cline’s CLI"),
    ),
    config=_cline,
    restart="Not needed: Cline reconnects when the file is saved.",
    problems=("The type is streamableHttp, in one word; without it, Cline uses SSE.",),
    notes=(
        "MCP Servers → Configure opens the file.",
        "Cline’s CLI has its own file, with the same entry.",
        "Neither can reference variables: the token is stored in the file.",
    ),
    # Its parts report their package's name: @cline/core.
    aliases=("cline", "@cline"),
    is_desktop=True,
)

ROO_CODE = McpClient(
    key="roo-code",
    title="Roo Code",
    family=Family.EDITOR,
    secret=Secret.LITERAL,
    config_files=(
        own_file(
            f"~/.config/{_STORAGE}/rooveterinaryinc.roo-cline/settings/mcp_settings.json",
            macos=f"~/Library/Application Support/{_STORAGE}/rooveterinaryinc.roo-cline/settings/mcp_settings.json",
            windows=r"%APPDATA%\Code\User\globalStorage\rooveterinaryinc.roo-cline\settings\mcp_settings.json",
        ),
        project_file(".roo/mcp.json"),
    ),
    config=_roo,
    project_config=_roo_project,
    project_note=(
        f"Roo Code expands {_IN_ENVIRONMENT} in command arguments only, so this uses mcp-remote (needs Node.js). "
        "While it runs, other users of the machine can see the token."
    ),
    restart="Not needed: Roo Code reconnects when the file is saved.",
    problems=("The type is streamable-http, with a hyphen, unlike Cline’s.",),
    notes=("Edit Global MCP opens the file.", "A project’s file overrides the user file."),
    aliases=("roo-code", "roo"),
    is_desktop=True,
)

MCP_CLIENTS = (CURSOR, VS_CODE, WINDSURF, ZED, CLINE, ROO_CODE)
