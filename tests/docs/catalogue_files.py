"""The files at the root that are made of the catalogue of AI clients; `make catalogue` writes them.

`server.json` describes the server to MCP registries (schema 2025-12-11); `llms-install.md` tells an agent how to
install it. The README's install links, between two markers, are kept up to date as well.
"""

import re
import sys
from collections.abc import Iterator
from pathlib import Path
from typing import Any
from urllib.parse import quote

from hoursmith_console.connections.catalogue import MCP_CLIENTS, Family, McpClient
from hoursmith_console.connections.catalogue.config_files import System
from hoursmith_console.connections.catalogue.mcp_client import SERVER, VARIABLE, Method, bearer
from hoursmith_console.connections.catalogue.rendering import as_json
from mcpbridge import __version__
from mcpbridge.tools import READ_TOOLS, TOOLS
from tests.paths import ROOT

SCHEMA = "https://static.modelcontextprotocol.io/schemas/2025-12-11/server.schema.json"
EXAMPLE = "https://console.example.com"
# What `make run` serves.
LOCAL = "http://127.0.0.1:8000"
_LINKS = re.compile(r"(?<=<!-- install links: make catalogue -->\n).*?(?=<!-- end of install links -->)", re.DOTALL)
# Hoursmith's own server is not this one, and mcp_stdio needs the console's machine.
_OTHERS = ("vendor", "mcp-stdio")


def files() -> dict[Path, str]:
    """Return the files and what they should hold."""
    readme = ROOT / "README.md"
    return {
        ROOT / "server.json": as_json(server_json()),
        ROOT / "llms-install.md": "\n".join(_install_lines()),
        readme: _LINKS.sub(lambda _: install_links(), readme.read_text(encoding="utf-8")),
    }


def server_json() -> dict[str, Any]:
    """Return the server's description for MCP registries."""
    return {
        "$schema": SCHEMA,
        "name": "app.hoursmith/console",
        "title": "Hoursmith",
        "description": "Clients, projects, tasks, time and invoices in Hoursmith, with an audit log of every deletion.",
        "version": __version__,
        "websiteUrl": "https://hoursmith.app",
        "remotes": [_remote("/mcp"), _remote("/mcp/readonly")],
    }


def _remote(path: str) -> dict[str, Any]:
    ((name, value),) = bearer("<your Hoursmith token>").items()
    return {
        "type": "streamable-http",
        "url": f"https://{{console}}{path}",
        "variables": {
            "console": {
                "description": "Host name of your company’s Hoursmith console",
                "isRequired": True,
                "placeholder": EXAMPLE.partition("//")[2],
            }
        },
        "headers": [
            {
                "name": name,
                "description": "The word Bearer, a space, and your Hoursmith token. Leave it empty to sign in instead.",
                "placeholder": value,
                "isRequired": False,
                "isSecret": True,
            }
        ],
    }


def install_links() -> str:
    """Return the README's links that add the console of `make run` to an editor, which then signs in."""
    cursor, vscode = (_sign_in_link(key) for key in ("cursor", "vscode"))
    # Web addresses, since READMEs drop links of other schemes. Both vendors' pages open the editor.
    links = [
        f"[Add to Cursor](https://cursor.com/en/install-mcp?{cursor.partition('?')[2]})",
        f"[Add to VS Code](https://insiders.vscode.dev/redirect?url={quote(vscode, safe='')})",
    ]
    return " · ".join(links) + "\n"


def _sign_in_link(key: str) -> str:
    methods = MCP_CLIENTS[key].methods_for(url=f"{LOCAL}/mcp")
    (found,) = (step.link.address for method in methods if method.signs_in for step in method.steps if step.link)
    return found


def _install_lines() -> Iterator[str]:
    yield from (
        "# Install Hoursmith in an AI assistant",
        "",
        "For an agent that sets up this MCP server in the client it runs in. Made by `make catalogue` of the console’s "
        "catalogue of clients; do not edit.",
        "",
        "## What you need",
        "",
        f"1. **The address of a Hoursmith console**, such as `{EXAMPLE}`. Ask the user for it. To try without one: "
        f"`make run` in this repository (Python 3.11 or newer) serves `{LOCAL}` and prints a token.",
        "2. **A Hoursmith token**, which the user creates in Hoursmith under Settings → API. Never ask for it in the "
        "chat, and never write it into a file of a project: let the user enter it where the steps say so.",
        "",
        f"MCP is at `/mcp` ({len(TOOLS)} tools) and at `/mcp/readonly` (the {len(READ_TOOLS)} tools that read). Offer "
        "the second unless the user wants the assistant to change records. Nothing has to be installed but the entry.",
        "",
        "## Steps",
        "",
        f"1. Find the client below, and replace `{EXAMPLE}` by the console’s address.",
        "2. Add the entry to the client’s file. Keep what the file already holds, other servers above all.",
        f"3. If the entry names `{VARIABLE}`, let the user set this environment variable to the token. If it has a "
        "placeholder, let the user replace it by the token.",
        "4. Reload the client as described.",
        f"5. Call the tool `get_me` of the server `{SERVER}`. It returns the user’s name and role.",
        "",
        "A request that is rejected says what is wrong and what to do; see "
        "[troubleshooting](docs/help/troubleshooting.md). The console’s page “Connect an assistant” gives the same "
        "instructions with an address for one assistant, and shows its first call.",
        "",
    )
    for family in Family:
        clients = [each for each in MCP_CLIENTS.values() if each.family is family and each.key not in _OTHERS]
        yield from (f"## {family.label}", "")
        for client in clients:
            yield from _client_lines(client)


def _client_lines(client: McpClient) -> Iterator[str]:
    url = f"{EXAMPLE}/mcp"
    yield from (f"### {client.title}", "")
    snippets = client.snippets(url=url)
    if snippets:
        made = snippets[0]
        for file in made.config_files:
            paths = dict.fromkeys(file.paths[system] for system in System)
            yield f"- {file.title}: {', '.join(f'`{path}`' for path in paths)}"
        yield from ("", *_fenced(made.language, made.text))
        if command := client.command_line(url=url):
            yield from ("", "Or run:", "", *_fenced("sh", command))
        yield from ("", f"Reload: {client.restart}", "")
    for method in client.methods_for(url=url):
        yield from _method_lines(method)
    if not snippets:
        yield from (client.restart, "")
    if client.problems:
        yield from (*(f"- {problem}" for problem in client.problems), "")


def _method_lines(method: Method) -> Iterator[str]:
    yield from (f"{method.title}:", "")
    for number, step in enumerate(method.steps, 1):
        yield f"{number}. {step.text}"
        entered = [snippet for snippet in step.snippets if snippet.language == "text"]
        yield from (f"   - {snippet.title}: `{snippet.text}`" for snippet in entered)
        if step.link and step.link.address.startswith("https:"):
            yield f"   - {step.link.title}: <{step.link.address}>"
        for snippet in step.snippets:
            if snippet.language != "text":
                yield from ("", *(f"   {line}".rstrip() for line in _fenced(snippet.language, snippet.text)), "")
    yield ""


def _fenced(language: str, text: str) -> Iterator[str]:
    yield from (f"```{language}", *text.rstrip("\n").split("\n"), "```")


def main() -> None:
    for path, text in files().items():
        path.write_text(text, encoding="utf-8")
        sys.stdout.write(f"{path.relative_to(ROOT)}\n")
