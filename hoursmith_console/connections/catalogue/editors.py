"""Editors, and the assistants that live inside VS Code."""

from hoursmith_console.connections.catalogue.commands import remote_command
from hoursmith_console.connections.catalogue.mcp_client import (
    SERVER,
    SLOT,
    VARIABLE,
    Client,
    Config,
    Family,
    Link,
    Secret,
    Target,
    bearer,
    own_file,
    project_file,
)
from hoursmith_console.connections.catalogue.rendering import base64_in_query, json_in_query

_IN_ENVIRONMENT = f"${{env:{VARIABLE}}}"
_DOCK_TROUBLE = f"Started from the dock or the start menu it may not see {VARIABLE} of your shell."
_STORAGE = "Code/User/globalStorage"


def _cursor_entry(target: Target) -> Config:
    return {"url": target.address, "headers": bearer(_IN_ENVIRONMENT)}


def _cursor(target: Target) -> Config:
    return {"mcpServers": {SERVER: _cursor_entry(target)}}


def _cursor_link(target: Target) -> Link:
    config = base64_in_query(_cursor_entry(target))
    return Link("Add to Cursor", f"cursor://anysphere.cursor-deeplink/mcp/install?name={SERVER}&config={config}")


def _vscode_inputs(target: Target) -> list[Config]:
    asked = {"type": "promptString", "id": target.input_id, "description": "Hoursmith token", "password": True}
    return [asked]


def _vscode_entry(target: Target) -> Config:
    return {"type": "http", "url": target.address, "headers": bearer(f"${{input:{target.input_id}}}")}


def _vscode(target: Target) -> Config:
    return {"inputs": _vscode_inputs(target), "servers": {SERVER: _vscode_entry(target)}}


def _vscode_link(target: Target) -> Link:
    config = {"name": SERVER, **_vscode_entry(target), "inputs": _vscode_inputs(target)}
    return Link("Add to VS Code", f"vscode:mcp/install?{json_in_query(config)}", "VS Code asks for the token itself.")


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


CURSOR = Client(
    key="cursor",
    title="Cursor",
    family=Family.EDITOR,
    secret=Secret.VARIABLE,
    places=(own_file("~/.cursor/mcp.json"), project_file(".cursor/mcp.json")),
    reference=_IN_ENVIRONMENT,
    config=_cursor,
    link=_cursor_link,
    restart="Reload Cursor’s window; after a change of the variable quit it fully and start it again.",
    troubles=(_DOCK_TROUBLE,),
    aliases=("cursor-vscode", "cursor"),
    is_desktop=True,
)

VS_CODE = Client(
    key="vscode",
    title="VS Code",
    family=Family.EDITOR,
    secret=Secret.PROMPT,
    places=(
        own_file(
            "~/.config/Code/User/mcp.json",
            macos="~/Library/Application Support/Code/User/mcp.json",
            windows=r"%APPDATA%\Code\User\mcp.json",
        ),
        project_file(".vscode/mcp.json"),
    ),
    reference="${input:hoursmith-token}",
    config=_vscode,
    link=_vscode_link,
    restart="Run “MCP: List Servers” and restart hoursmith; VS Code then asks for the token.",
    troubles=(
        "After a rotation the old answer stays until it is cleared. That is why the input’s id ends with the public "
        "prefix of the token: a new id is asked for anew.",
    ),
    facts=("VS Code asks for the token once and keeps it in the system’s secure storage; it stands in no file.",),
    aliases=("visual-studio-code", "vscode"),
    is_desktop=True,
)

WINDSURF = Client(
    key="windsurf",
    title="Windsurf",
    family=Family.EDITOR,
    secret=Secret.VARIABLE,
    places=(own_file("~/.codeium/windsurf/mcp_config.json"),),
    reference=_IN_ENVIRONMENT,
    config=_windsurf,
    literal_config=_windsurf_literal,
    restart="Press Refresh in Cascade’s list of MCP servers.",
    troubles=(
        f"Sources disagree on whether it expands {_IN_ENVIRONMENT} in headers. If the bridge reports an unexpanded "
        "reference, use the form with the token itself.",
        "The key is serverUrl; an entry with url, as in Cursor’s file, does not connect.",
        _DOCK_TROUBLE,
    ),
    aliases=("windsurf", "codeium"),
    is_desktop=True,
)

ZED = Client(
    key="zed",
    title="Zed",
    family=Family.EDITOR,
    secret=Secret.LITERAL,
    places=(own_file("~/.config/zed/settings.json", windows=r"%APPDATA%\Zed\settings.json"),),
    config=_zed,
    restart="Nothing: Zed takes its settings over as soon as they are saved.",
    troubles=("The key is context_servers, not mcpServers.",),
    facts=("It has no references in headers: the token stands in the file. Do not put it into shared dotfiles.",),
    aliases=("zed",),
    is_desktop=True,
)

CLINE = Client(
    key="cline",
    title="Cline",
    family=Family.EDITOR,
    secret=Secret.LITERAL,
    places=(
        own_file(
            f"~/.config/{_STORAGE}/saoudrizwan.claude-dev/settings/cline_mcp_settings.json",
            macos=f"~/Library/Application Support/{_STORAGE}/saoudrizwan.claude-dev/settings/cline_mcp_settings.json",
            windows=r"%APPDATA%\Code\User\globalStorage\saoudrizwan.claude-dev\settings\cline_mcp_settings.json",
        ),
        own_file("~/.cline/data/settings/cline_mcp_settings.json", title="For Cline’s command line"),
    ),
    config=_cline,
    restart="Nothing, as far as is known: Cline connects again when the file is saved.",
    troubles=("The type is streamableHttp in one word; without it Cline expects SSE.",),
    facts=(
        "MCP Servers → Configure opens the file.",
        "Cline’s command line has a file of its own, with the same entry.",
        "Neither expands a reference: the token stands in the file.",
    ),
    # Its parts name themselves after their package: @cline/core.
    aliases=("cline", "@cline"),
    is_desktop=True,
)

ROO_CODE = Client(
    key="roo-code",
    title="Roo Code",
    family=Family.EDITOR,
    secret=Secret.LITERAL,
    places=(
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
        f"Roo Code expands {_IN_ENVIRONMENT} in the arguments of a command alone, so here mcp-remote stands between "
        "(it needs Node.js). While it runs, people with an account on the same machine can see the token."
    ),
    restart="Nothing: Roo Code connects again when the file is saved.",
    troubles=("The type is streamable-http with a hyphen, unlike Cline’s.",),
    facts=("Edit Global MCP opens the file.", "A project’s file wins over your own."),
    aliases=("roo-code", "roo"),
    is_desktop=True,
)

CLIENTS = (CURSOR, VS_CODE, WINDSURF, ZED, CLINE, ROO_CODE)
