"""What the console knows of one AI client: where its configuration lies, how it spells an entry, what goes wrong.

A snippet is made of structured data by a real serializer. The token is never part of it: where a client can name
a secret instead of holding it, the snippet holds the name; where not, it holds a slot, which `Snippet.render`
fills on the one page that shows a token once, and which otherwise reads as a placeholder that the bridge names
as a fault (`mcpbridge.auth.credentials.Fault.PLACEHOLDER`).
"""

import re
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from enum import StrEnum
from types import MappingProxyType
from typing import Any, Literal

from hoursmith_console.connections.catalogue import rendering
from mcpbridge.auth.credentials import credential_from_text

SERVER = "hoursmith"
VARIABLE = "HOURSMITH_API_TOKEN"
SLOT = "<paste the token here>"
FOLDER = "/path/to/hoursmith-console"

Config = dict[str, Any]
Access = Literal["full", "readonly"]
Language = Literal["json", "toml", "yaml"]

_PREFIX = re.compile(r"[0-9A-Za-z]{12}", re.ASCII)


class System(StrEnum):
    """An operating system that clients run on."""

    MACOS = "macos"
    WINDOWS = "windows"
    LINUX = "linux"

    @property
    def label(self) -> str:
        return {"macos": "macOS", "windows": "Windows", "linux": "Linux"}[self.value]


EVERYWHERE = tuple(System)
POSIX = (System.MACOS, System.LINUX)


class Secret(StrEnum):
    """How a client comes by the token."""

    # It reads an environment variable that the configuration names.
    VARIABLE = "variable"
    # It asks the person once and keeps the answer in its own safe.
    PROMPT = "prompt"
    # The token stands in the configuration, since the client knows no other way.
    LITERAL = "literal"


class Family(StrEnum):
    """What kind of program a client is."""

    APP = "app"
    EDITOR = "editor"
    TERMINAL = "terminal"
    COMMAND = "command"

    @property
    def label(self) -> str:
        titles = {"app": "Desktop apps", "editor": "Editors", "terminal": "In the terminal", "command": "Any client"}
        return titles[self.value]


@dataclass(frozen=True, slots=True)
class Target:
    """What a configuration points at: the bridge's address and, of the token, only its public prefix."""

    url: str
    prefix: str | None = None
    is_readonly: bool = False
    # Where the console itself is installed, for clients that start it.
    folder: str = FOLDER

    def __post_init__(self) -> None:
        if self.prefix is not None and not _PREFIX.fullmatch(self.prefix):
            # Not repeated: whoever passes a whole token here must not find it in a log.
            raise ValueError("A prefix has 12 letters and digits.")

    @property
    def address(self) -> str:
        """The address with the chosen access."""
        return self.url.rstrip("/") + ("/readonly" if self.is_readonly else "")

    @property
    def connection(self) -> str:
        """The id of the connection that the address belongs to; empty where it belongs to none."""
        _, is_one, slug = self.url.rstrip("/").rpartition("/mcp/c/")
        return slug if is_one else ""

    @property
    def input_id(self) -> str:
        """The name of the answer that a prompting client keeps: new with each token, so that it asks anew."""
        return f"{INPUT_FAMILY}-{self.prefix}" if self.prefix else INPUT_FAMILY


INPUT_FAMILY = "hoursmith-token"


@dataclass(frozen=True, slots=True)
class Place:
    """A configuration file. `is_shared` says that it usually ends up in version control."""

    title: str
    paths: Mapping[System, str]
    is_shared: bool = False


def own_file(
    path: str,
    *,
    windows: str | None = None,
    macos: str | None = None,
    title: str = "For you, in every project",
) -> Place:
    """Return the user's own file: `path` on Linux, and on the others too unless they are named."""
    home = path.replace("~/", "%USERPROFILE%\\").replace("/", "\\")
    paths = {System.MACOS: macos or path, System.WINDOWS: windows or home, System.LINUX: path}
    return Place(title, MappingProxyType(paths))


def project_file(path: str) -> Place:
    """A file in a project's folder, which is usually committed."""
    paths = {system: path.replace("/", "\\") if system is System.WINDOWS else path for system in System}
    return Place("For one project", MappingProxyType(paths), is_shared=True)


@dataclass(frozen=True, slots=True)
class Snippet:
    """A text to copy: a configuration, or a command line. `systems` are those it is for."""

    title: str
    language: str
    template: str
    systems: tuple[System, ...] = EVERYWHERE
    places: tuple[Place, ...] = ()
    note: str = ""

    @property
    def holds_token(self) -> bool:
        """Whether the text has room for the token, and so is a secret once it is filled in."""
        return SLOT in self.template

    @property
    def is_shared(self) -> bool:
        """Whether the text goes into a file that is usually committed."""
        return any(place.is_shared for place in self.places)

    @property
    def files(self) -> Mapping[System, tuple[str, ...]]:
        """The files it may go into, for each system."""
        return {system: tuple(place.paths[system] for place in self.places) for system in self.systems}

    def render(self, token: str | None) -> str:
        """The text with `token` in the slot, or with a placeholder where there is none.

        Raises CredentialError where `token` is not shaped like one: what it is made of could not be quoted
        wrongly in any of the languages, and of anything else nobody knows.
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
    """A link that installs the entry. It never holds a token: links end up in histories, logs and referrers."""

    title: str
    address: str
    note: str = ""


@dataclass(frozen=True, slots=True, kw_only=True)
class Client:
    """One client. `config` is the whole file it would need if there were no other server in it."""

    key: str
    title: str
    family: Family
    secret: Secret
    config: Callable[[Target], Config]
    restart: str
    language: Language = "json"
    places: tuple[Place, ...] = ()
    # The reference as this client spells it, empty where it has none.
    reference: str = ""
    # For versions that send the reference as it stands: sources disagree, so both forms are offered.
    literal_config: Callable[[Target], Config] | None = None
    # Where a project's file has a reference form of its own.
    project_config: Callable[[Target], Config] | None = None
    project_note: str = ""
    command: Callable[[Target], Sequence[str]] | None = None
    link: Callable[[Target], Link] | None = None
    troubles: tuple[str, ...] = ()
    facts: tuple[str, ...] = ()
    # What it calls itself, in lower case with hyphens: a label, never evidence.
    aliases: tuple[str, ...] = ()
    needs_node: bool = False
    # Started from the dock or the start menu, where a shell's variables do not reach.
    is_desktop: bool = False
    has_readonly: bool = True

    def render(self, config: Config) -> str:
        """`config` in the language of the client's file."""
        match self.language:
            case "toml":
                return rendering.as_toml(config)
            case "yaml":
                return rendering.as_yaml(config)
        return rendering.as_json(config)

    def snippets(
        self, *, url: str, prefix: str | None = None, access: Access = "full", folder: str = FOLDER
    ) -> list[Snippet]:
        """The configuration, the best form first, and then the command lines; none of them holds a token yet."""
        target = Target(url, prefix, access == "readonly", folder)
        return [*self._configurations(target), *self._commands(target)]

    def command_line(self, *, url: str) -> str:
        """The one command that adds the entry, for a POSIX shell; empty where the client has none."""
        return rendering.posix_command(self.command(Target(url))) if self.command is not None else ""

    def install_link(self, *, url: str, prefix: str | None = None, access: Access = "full") -> Link | None:
        """The link that adds the entry, None where the client knows none."""
        return None if self.link is None else self.link(Target(url, prefix, access == "readonly"))

    def _configurations(self, target: Target) -> list[Snippet]:
        own = tuple(place for place in self.places if not place.is_shared)
        shared = tuple(place for place in self.places if place.is_shared)
        made = self.render(self.config(target))
        if self.project_config is None:
            found = [Snippet("Configuration", self.language, made, places=(*own, *shared))]
        else:
            project = self.render(self.project_config(target))
            found = [
                Snippet("Configuration", self.language, made, places=own),
                Snippet("For a project’s file", self.language, project, places=shared, note=self.project_note),
            ]
        if self.literal_config is not None:
            literal = self.render(self.literal_config(target))
            note = "Only where the bridge reports an unexpanded reference."
            found.append(Snippet("If the reference is not expanded", self.language, literal, places=own, note=note))
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
    """The header that carries what `reference` stands for."""
    return {"Authorization": f"Bearer {reference}"}
