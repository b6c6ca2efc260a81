"""Data classes of the catalogue: an AI client, its configuration files and snippets.

Snippets are serialized from structured data and never contain a token. If a client can reference a variable, the
snippet does; otherwise it has a slot, which `Snippet.render` fills on the one page that shows a token once. An
unfilled slot is a placeholder, which the bridge reports as a fault (`mcpbridge.auth.credentials.Fault.PLACEHOLDER`).
"""

import re
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from enum import StrEnum
from typing import Any, Literal
from urllib.parse import urlsplit

from hoursmith_console.connections.catalogue import rendering
from hoursmith_console.connections.catalogue.config_files import EVERYWHERE, POSIX, ConfigFile, System
from mcpbridge.auth.credentials import credential_from_text

SERVER = "hoursmith"
VARIABLE = "HOURSMITH_API_TOKEN"
SLOT = "<paste the token here>"
FOLDER = "/path/to/hoursmith-console"
BUNDLE = "hoursmith.mcpb"

Config = dict[str, Any]
Access = Literal["full", "readonly"]
Language = Literal["json", "toml", "yaml"]

_PREFIX = re.compile(r"[0-9A-Za-z]{12}", re.ASCII)


class Secret(StrEnum):
    """How a client gets the token."""

    # From an environment variable that the configuration references.
    VARIABLE = "variable"
    # From the user, once; the client stores it securely.
    PROMPT = "prompt"
    # From the configuration file, as the client supports nothing else.
    LITERAL = "literal"


class Family(StrEnum):
    """The kind of program that a client is."""

    APP = "app"
    # It calls from its vendor's servers, so this console must be reachable from the internet.
    HOSTED = "hosted"
    EDITOR = "editor"
    TERMINAL = "terminal"
    COMMAND = "command"

    @property
    def label(self) -> str:
        titles = {
            "app": "Desktop apps",
            "hosted": "Hosted assistants",
            "editor": "Editors",
            "terminal": "Terminal",
            "command": "Any client",
        }
        return titles[self.value]


@dataclass(frozen=True, slots=True)
class Target:
    """The target of a configuration: the bridge's address and the token's prefix."""

    url: str
    prefix: str | None = None
    is_readonly: bool = False
    # Installation folder of the console, for clients that start it.
    folder: str = FOLDER

    def __post_init__(self) -> None:
        if self.prefix is not None and not _PREFIX.fullmatch(self.prefix):
            # The value is not repeated: it may be a whole token.
            raise ValueError("A prefix must have 12 letters and digits.")

    @property
    def address(self) -> str:
        """The address, with the suffix for read-only access."""
        return self.url.rstrip("/") + ("/readonly" if self.is_readonly else "")

    @property
    def origin(self) -> str:
        """The console's address: scheme and host."""
        parts = urlsplit(self.url)
        return f"{parts.scheme}://{parts.netloc}"

    @property
    def shared_address(self) -> str:
        """The address for several people: no member's connection."""
        return f"{self.origin}/mcp" + ("/readonly" if self.is_readonly else "")

    @property
    def bundle_address(self) -> str:
        """The address of the extension that connects to `address` (`connections.bundle`)."""
        path = urlsplit(self.address).path.removeprefix("/mcp")
        return f"{self.origin}/connect{path}/{BUNDLE}"

    @property
    def connection(self) -> str:
        """The connection id in the address; empty without one."""
        _, is_one, slug = self.url.rstrip("/").rpartition("/mcp/c/")
        return slug if is_one else ""

    @property
    def input_id(self) -> str:
        """The input id of a prompting client; it changes with the token, so that the client asks again."""
        return f"{INPUT_FAMILY}-{self.prefix}" if self.prefix else INPUT_FAMILY


INPUT_FAMILY = "hoursmith-token"


@dataclass(frozen=True, slots=True)
class Snippet:
    """A configuration or command line to copy, for `systems`."""

    title: str
    language: str
    template: str
    systems: tuple[System, ...] = EVERYWHERE
    config_files: tuple[ConfigFile, ...] = ()
    note: str = ""

    @property
    def holds_token(self) -> bool:
        """Whether the text has a slot for the token."""
        return SLOT in self.template

    @property
    def is_shared(self) -> bool:
        """Whether the text goes into a file that is usually committed."""
        return any(file.is_shared for file in self.config_files)

    @property
    def files(self) -> Mapping[System, tuple[str, ...]]:
        """The files it can go into, by system."""
        return {system: tuple(file.paths[system] for file in self.config_files) for system in self.systems}

    def render(self, token: str | None) -> str:
        """Return the text with `token` in the slot, or with a placeholder if it is None.

        Raises CredentialError if `token` is malformed: only well-formed tokens need no quoting in any language.
        """
        if token is None or not self.holds_token:
            return self.template
        return self.template.replace(SLOT, credential_from_text(token).token)

    @property
    def text(self) -> str:
        """The text with a placeholder."""
        return self.render(None)


@dataclass(frozen=True, slots=True)
class Link:
    """A link that installs the entry. It never contains a token: links end up in histories, logs and referrers."""

    title: str
    address: str
    note: str = ""


@dataclass(frozen=True, slots=True)
class Step:
    """One step in a client's own settings, with what it needs: values to copy, or a link."""

    text: str
    snippets: tuple[Snippet, ...] = ()
    link: Link | None = None


@dataclass(frozen=True, slots=True)
class Method:
    """A way to connect that is clicked through in the client instead of written to a file.

    `signs_in`: the client opens this console's page, which asks for the token; its settings hold none.
    """

    title: str
    steps: tuple[Step, ...]
    signs_in: bool = False
    note: str = ""


BY_SIGN_IN = "By sign-in"
PASTE_AND_ALLOW = Step(
    "A page of this console opens. Paste the token there, check the details, and select Allow access."
)


@dataclass(frozen=True, slots=True, kw_only=True)
class McpClient:
    """One client. `config` returns its whole configuration file with this server only; None if it reads no file."""

    key: str
    title: str
    family: Family
    secret: Secret
    restart: str
    config: Callable[[Target], Config] | None = None
    # Other ways to connect, the recommended one first.
    methods: Callable[[Target], tuple[Method, ...]] | None = None
    language: Language = "json"
    config_files: tuple[ConfigFile, ...] = ()
    # The client's syntax to reference the variable; empty if it has none.
    reference: str = ""
    # For versions that may not expand the reference: sources disagree, so both forms are offered.
    literal_config: Callable[[Target], Config] | None = None
    # If a project's file supports a reference form of its own.
    project_config: Callable[[Target], Config] | None = None
    project_note: str = ""
    command: Callable[[Target], Sequence[str]] | None = None
    link: Callable[[Target], Link] | None = None
    problems: tuple[str, ...] = ()
    notes: tuple[str, ...] = ()
    # Self-reported names, in lower case with hyphens.
    aliases: tuple[str, ...] = ()
    needs_node: bool = False
    # Started from the dock or start menu, without the shell's variables.
    is_desktop: bool = False
    has_readonly: bool = True

    def render(self, config: Config) -> str:
        """Serialize `config` in the language of the client's file."""
        match self.language:
            case "toml":
                return rendering.as_toml(config)
            case "yaml":
                return rendering.as_yaml(config)
        return rendering.as_json(config)

    def snippets(
        self, *, url: str, prefix: str | None = None, access: Access = "full", folder: str = FOLDER
    ) -> list[Snippet]:
        """Return configurations, the recommended one first, then command lines; none contains a token."""
        target = Target(url, prefix, access == "readonly", folder)
        return [*self._configurations(target), *self._commands(target)]

    def methods_for(self, *, url: str, access: Access = "full") -> tuple[Method, ...]:
        """Return the ways to connect without a file, the recommended one first; none contains a token."""
        return () if self.methods is None else self.methods(Target(url, None, access == "readonly"))

    def command_line(self, *, url: str) -> str:
        """Return the POSIX shell command that adds the entry; empty if the client has none."""
        return rendering.posix_command(self.command(Target(url))) if self.command is not None else ""

    def install_link(self, *, url: str, prefix: str | None = None, access: Access = "full") -> Link | None:
        """Return the link that adds the entry; None if the client has none."""
        return None if self.link is None else self.link(Target(url, prefix, access == "readonly"))

    def _configurations(self, target: Target) -> list[Snippet]:
        if self.config is None:
            return []
        own = tuple(file for file in self.config_files if not file.is_shared)
        shared = tuple(file for file in self.config_files if file.is_shared)
        made = self.render(self.config(target))
        if self.project_config is None:
            found = [Snippet("Configuration", self.language, made, config_files=(*own, *shared))]
        else:
            project = self.render(self.project_config(target))
            found = [
                Snippet("Configuration", self.language, made, config_files=own),
                Snippet("Project configuration", self.language, project, config_files=shared, note=self.project_note),
            ]
        if self.literal_config is not None:
            literal = self.render(self.literal_config(target))
            note = "Use this only if this console reports an unexpanded variable."
            found.append(
                Snippet("If the variable is not expanded", self.language, literal, config_files=own, note=note)
            )
        return found

    def _commands(self, target: Target) -> list[Snippet]:
        if self.command is None:
            return []
        arguments = self.command(target)
        return [
            Snippet("Command", "sh", rendering.posix_command(arguments), systems=POSIX),
            Snippet("Command", "powershell", rendering.powershell_command(arguments), systems=(System.WINDOWS,)),
        ]


def bearer(reference: str) -> dict[str, str]:
    """Return the Authorization header with `reference` as the token."""
    return {"Authorization": f"Bearer {reference}"}


def value_to_enter(title: str, value: str, *, note: str = "") -> Snippet:
    """Return a value for a field of the client's settings; it may be the slot."""
    return Snippet(title, "text", value, note=note)
