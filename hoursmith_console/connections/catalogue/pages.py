"""Template context of setup instructions.

`templates/connections/_snippets.html` and `_merge.html` take the result of `client_setup` as `setup`.
"""

from dataclasses import dataclass
from ipaddress import ip_address
from typing import Any
from urllib.parse import urlsplit

from django.conf import settings

from hoursmith_console.connections.catalogue import MCP_CLIENTS
from hoursmith_console.connections.catalogue.config_files import System
from hoursmith_console.connections.catalogue.mcp_client import (
    FOLDER,
    SLOT,
    Access,
    Family,
    Link,
    McpClient,
    Method,
    Secret,
    Snippet,
    Target,
)
from hoursmith_console.connections.catalogue.merging import merge_contract
from hoursmith_console.connections.catalogue.variables import variable_snippets
from hoursmith_console.env import is_loopback
from mcpbridge.tools.prompts import Prompt, prompts_for

_TITLES = {
    Secret.VARIABLE: "With the token in an environment variable",
    Secret.PROMPT: "With the token in a header",
    Secret.LITERAL: "With the token in the file",
}


@dataclass(frozen=True, slots=True)
class ShownFile:
    """A file path, and the systems that use it."""

    path: str
    systems: tuple[System, ...]
    title: str
    is_shared: bool


@dataclass(frozen=True, slots=True)
class ShownSnippet:
    """A snippet as shown, with the token if the page has one."""

    title: str
    language: str
    text: str
    note: str
    systems: tuple[System, ...]
    files: tuple[ShownFile, ...]
    holds_token: bool

    @property
    def is_for_some(self) -> bool:
        """Whether it is for some operating systems only."""
        return len(self.systems) < len(System)

    @property
    def is_filled(self) -> bool:
        """Whether it contains the token."""
        return self.holds_token and SLOT not in self.text


@dataclass(frozen=True, slots=True)
class ShownStep:
    """A step as shown, with the token if the page has one."""

    text: str
    snippets: tuple[ShownSnippet, ...]
    link: Link | None


@dataclass(frozen=True, slots=True)
class ShownMethod:
    """A way to connect without a file, as shown. `is_off`: this console does not offer it."""

    title: str
    steps: tuple[ShownStep, ...]
    note: str
    is_off: bool


@dataclass(frozen=True, slots=True)
class ClientSetup:
    """The setup instructions of one client."""

    client: McpClient
    systems: tuple[System, ...]
    variables: tuple[ShownSnippet, ...]
    configurations: tuple[ShownSnippet, ...]
    commands: tuple[ShownSnippet, ...]
    link: Link | None
    methods: tuple[ShownMethod, ...]
    # The console's address, if the client's vendor cannot reach it from the internet.
    unreachable: str
    # None if the browser cannot merge the client's file.
    merge: dict[str, Any] | None
    # Files that are usually committed to version control.
    shared_files: tuple[str, ...]

    @property
    def merge_id(self) -> str:
        """The id of the element that holds `merge`."""
        return f"merge-{self.client.key}"

    @property
    def is_variable_for_projects(self) -> bool:
        """Whether only the project's file needs the variable."""
        return bool(self.variables) and self.client.secret is Secret.LITERAL

    @property
    def has_placeholder(self) -> bool:
        """Whether the configuration has a placeholder instead of the token."""
        return bool(self.configurations) and SLOT in self.configurations[0].text

    @property
    def names_systems(self) -> bool:
        """Whether anything is different on other operating systems."""
        shown = [*self.variables, *self.configurations, *self.commands]
        shown += [snippet for method in self.methods for step in method.steps for snippet in step.snippets]
        return any(each.is_for_some or each.files for each in shown)

    @property
    def has_choice(self) -> bool:
        """Whether there is more than one way to connect."""
        return len(self.methods) + bool(self.configurations) > 1

    @property
    def title_of_file(self) -> str:
        """What the way with a file is called, if there are others beside it."""
        if not self.configurations or not self.methods:
            return ""
        return _TITLES[self.client.secret]


def client_setup(
    client: McpClient,
    *,
    url: str,
    prefix: str | None = None,
    access: Access = "full",
    token: str | None = None,
    folder: str = FOLDER,
) -> ClientSetup:
    """Build the setup instructions of `client`. Pass `token` only for the one response that shows it."""
    snippets = client.snippets(url=url, prefix=prefix, access=access, folder=folder)
    methods = client.methods_for(url=url, access=access)
    shown = [_shown(snippet, token) for snippet in snippets]
    return ClientSetup(
        client=client,
        systems=tuple(System),
        variables=tuple(_shown(snippet, token) for snippet in variable_snippets(client)),
        configurations=tuple(snippet for snippet in shown if snippet.language == client.language),
        commands=tuple(snippet for snippet in shown if snippet.language != client.language),
        link=client.install_link(url=url, prefix=prefix, access=access),
        methods=tuple(_shown_method(method, token) for method in methods),
        unreachable=Target(url).origin if client.family is Family.HOSTED and not _is_public(url) else "",
        merge=merge_contract(client, url=url, prefix=prefix, access=access, folder=folder, token=token),
        shared_files=tuple(file.paths[System.LINUX] for file in client.config_files if file.is_shared),
    )


def catalogue_families() -> list[tuple[Family, list[McpClient]]]:
    """Return the clients by family, in the catalogue's order."""
    return [(family, [client for client in MCP_CLIENTS.values() if client.family is family]) for family in Family]


def example_prompts(*, is_readonly: bool = False) -> tuple[Prompt, ...]:
    """Return example prompts, for `templates/connections/_ask.html` as `prompts`."""
    return prompts_for(read_only=is_readonly)


def _is_public(url: str) -> bool:
    """Return whether `url` may be reachable from the internet, as far as the text of the address tells."""
    parts = urlsplit(url)
    if parts.scheme != "https" or is_loopback(parts.hostname):
        return False
    try:
        return ip_address(parts.hostname or "").is_global
    except ValueError:
        return "." in (parts.hostname or "")


def _shown_method(method: Method, token: str | None) -> ShownMethod:
    steps = tuple(
        ShownStep(step.text, tuple(_shown(snippet, token) for snippet in step.snippets), step.link)
        for step in method.steps
    )
    is_off = method.signs_in and not settings.OAUTH
    return ShownMethod(method.title, steps, method.note, is_off)


def _shown(snippet: Snippet, token: str | None) -> ShownSnippet:
    return ShownSnippet(
        title=snippet.title,
        language=snippet.language,
        text=snippet.render(token),
        note=snippet.note,
        systems=snippet.systems,
        files=_files(snippet),
        holds_token=snippet.holds_token,
    )


def _files(snippet: Snippet) -> tuple[ShownFile, ...]:
    found = []
    for file in snippet.config_files:
        paths = dict.fromkeys(file.paths.values())
        for path in paths:
            systems = tuple(system for system, there in file.paths.items() if there == path)
            found.append(ShownFile(path, systems, file.title, file.is_shared))
    return tuple(found)
