"""What the templates of the catalogue need, for whatever page shows them.

`templates/connections/_snippets.html` and `_merge.html` take the context that `client_setup` makes, as `setup`.
"""

from dataclasses import dataclass
from typing import Any

from hoursmith_console.connections.catalogue import CLIENTS
from hoursmith_console.connections.catalogue.mcp_client import (
    FOLDER,
    SLOT,
    Access,
    Client,
    Family,
    Link,
    Secret,
    Snippet,
    System,
)
from hoursmith_console.connections.catalogue.merging import merge_contract
from hoursmith_console.connections.catalogue.variables import variable_snippets
from mcpbridge.tools.prompts import Prompt, prompts_for


@dataclass(frozen=True, slots=True)
class ShownFile:
    """A file, and the systems on which it lies there."""

    path: str
    systems: tuple[System, ...]
    title: str
    is_shared: bool


@dataclass(frozen=True, slots=True)
class ShownSnippet:
    """A snippet as a page shows it, with the token in it where the page was given one."""

    title: str
    language: str
    text: str
    note: str
    systems: tuple[System, ...]
    files: tuple[ShownFile, ...]
    holds_token: bool

    @property
    def is_for_some(self) -> bool:
        """Whether only some operating systems need it."""
        return len(self.systems) < len(System)

    @property
    def is_filled(self) -> bool:
        """Whether the token stands in it, so that it is a secret as it is shown."""
        return self.holds_token and SLOT not in self.text


@dataclass(frozen=True, slots=True)
class ClientSetup:
    """All that a page says about connecting one client."""

    client: Client
    systems: tuple[System, ...]
    variables: tuple[ShownSnippet, ...]
    configurations: tuple[ShownSnippet, ...]
    commands: tuple[ShownSnippet, ...]
    link: Link | None
    # None where the browser does not change the client's file.
    merge: dict[str, Any] | None
    # Files of this client that usually end up in version control.
    shared_files: tuple[str, ...]

    @property
    def merge_id(self) -> str:
        """The id of the element that holds `merge`."""
        return f"merge-{self.client.key}"

    @property
    def is_variable_for_projects(self) -> bool:
        """Whether the variable is needed for a project's file alone."""
        return bool(self.variables) and self.client.secret is Secret.LITERAL

    @property
    def has_placeholder(self) -> bool:
        """Whether the configuration still lacks the token."""
        return SLOT in self.configurations[0].text


def client_setup(
    client: Client,
    *,
    url: str,
    prefix: str | None = None,
    access: Access = "full",
    token: str | None = None,
    folder: str = FOLDER,
) -> ClientSetup:
    """What to show of `client`. Give `token` only in the one answer that shows it once."""
    snippets = client.snippets(url=url, prefix=prefix, access=access, folder=folder)
    shown = [_shown(snippet, token) for snippet in snippets]
    return ClientSetup(
        client=client,
        systems=tuple(System),
        variables=tuple(_shown(snippet, token) for snippet in variable_snippets(client)),
        configurations=tuple(snippet for snippet in shown if snippet.language == client.language),
        commands=tuple(snippet for snippet in shown if snippet.language != client.language),
        link=client.install_link(url=url, prefix=prefix, access=access),
        merge=merge_contract(client, url=url, prefix=prefix, access=access, folder=folder, token=token),
        shared_files=tuple(place.paths[System.LINUX] for place in client.places if place.is_shared),
    )


def catalogue_families() -> list[tuple[Family, list[Client]]]:
    """The clients for a page that lets people choose, by family, in the catalogue's order."""
    return [(family, [client for client in CLIENTS.values() if client.family is family]) for family in Family]


def things_to_ask(*, is_readonly: bool = False) -> tuple[Prompt, ...]:
    """What to ask an assistant once it is connected, for `templates/connections/_ask.html` as `prompts`."""
    return prompts_for(read_only=is_readonly)


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
    for place in snippet.places:
        paths = dict.fromkeys(place.paths.values())
        for path in paths:
            systems = tuple(system for system, there in place.paths.items() if there == path)
            found.append(ShownFile(path, systems, place.title, place.is_shared))
    return tuple(found)
