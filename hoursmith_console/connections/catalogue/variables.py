"""How HOURSMITH_API_TOKEN is set, for each operating system."""

from types import MappingProxyType

from hoursmith_console.connections.catalogue.mcp_client import SLOT, VARIABLE, Client, Place, Secret, Snippet, System

_LINE = f"export {VARIABLE}='{SLOT}'\n"


def _file(system: System, path: str) -> tuple[Place, ...]:
    return (Place("Your own", MappingProxyType({system: path})),)


_SHELLS = (
    Snippet(
        "Add this line with an editor, then open a new terminal",
        "sh",
        _LINE,
        (System.MACOS,),
        _file(System.MACOS, "~/.zshrc"),
        "Typed as a command it would be forgotten with the window, and stay in the history.",
    ),
    Snippet(
        "Add this line with an editor, then open a new terminal",
        "sh",
        _LINE,
        (System.LINUX,),
        _file(System.LINUX, "~/.bashrc"),
        "Typed as a command it would be forgotten with the window, and stay in the history.",
    ),
    Snippet(
        "Run this once",
        "powershell",
        f'setx {VARIABLE} "{SLOT}"',
        (System.WINDOWS,),
        note="Windows that are open do not see it: open a new terminal, and quit and start apps again.",
    ),
)
_DESKTOPS = (
    Snippet(
        "For apps in the Dock: run this in a new terminal, again after each restart of the Mac",
        "sh",
        f'launchctl setenv {VARIABLE} "${VARIABLE}"',
        (System.MACOS,),
        note="Then quit the app fully and start it again.",
    ),
    Snippet(
        "For apps in the menu: write this into a file, then sign out and in",
        "sh",
        f'{VARIABLE}="{SLOT}"\n',
        (System.LINUX,),
        _file(System.LINUX, "~/.config/environment.d/hoursmith.conf"),
        "Read by desktops that systemd starts, which most are.",
    ),
)


def variable_snippets(client: Client) -> list[Snippet]:
    """What sets the variable for `client`; empty where it reads none."""
    if client.secret is not Secret.VARIABLE and client.project_config is None:
        return []
    return [*_SHELLS, *(_DESKTOPS if client.is_desktop else ())]
