"""Snippets that set HOURSMITH_API_TOKEN, by operating system."""

from types import MappingProxyType

from hoursmith_console.connections.catalogue.config_files import ConfigFile, System
from hoursmith_console.connections.catalogue.mcp_client import SLOT, VARIABLE, McpClient, Secret, Snippet

_LINE = f"export {VARIABLE}='{SLOT}'\n"


def _file(system: System, path: str) -> tuple[ConfigFile, ...]:
    return (ConfigFile("User", MappingProxyType({system: path})),)


_SHELLS = (
    Snippet(
        "Add this line in an editor, then open a new terminal",
        "sh",
        _LINE,
        (System.MACOS,),
        _file(System.MACOS, "~/.zshrc"),
        "Running it in the shell lasts only for that session and saves the token to your history.",
    ),
    Snippet(
        "Add this line in an editor, then open a new terminal",
        "sh",
        _LINE,
        (System.LINUX,),
        _file(System.LINUX, "~/.bashrc"),
        "Running it in the shell lasts only for that session and saves the token to your history.",
    ),
    Snippet(
        "Run this once",
        "powershell",
        f'setx {VARIABLE} "{SLOT}"',
        (System.WINDOWS,),
        note="Open a new terminal and restart apps: open windows don’t see it.",
    ),
)
_DESKTOPS = (
    Snippet(
        "For apps in the Dock: run this in a new terminal, and again after each restart of the Mac",
        "sh",
        f'launchctl setenv {VARIABLE} "${VARIABLE}"',
        (System.MACOS,),
        note="Then quit the app completely and restart it.",
    ),
    Snippet(
        "For desktop apps: save this to a file, then sign out and in again",
        "sh",
        f'{VARIABLE}="{SLOT}"\n',
        (System.LINUX,),
        _file(System.LINUX, "~/.config/environment.d/hoursmith.conf"),
        "Read by desktops started by systemd (most are).",
    ),
)


def variable_snippets(client: McpClient) -> list[Snippet]:
    """Return the snippets that set the variable for `client`; empty if it reads none."""
    if client.secret is not Secret.VARIABLE and client.project_config is None:
        return []
    return [*_SHELLS, *(_DESKTOPS if client.is_desktop else ())]
