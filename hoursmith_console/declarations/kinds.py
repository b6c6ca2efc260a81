"""Describe a setting of the environment."""

from enum import Enum
from typing import NamedTuple


class Kind(Enum):
    """What a setting holds."""

    TEXT = "text"
    LIST = "a list, separated by commas"
    SWITCH = "on or off"
    WHOLE = "a whole number"
    NUMBER = "a number"


class Setting(NamedTuple):
    """One setting. `default` is text as in the environment; `about` describes a default that depends on others.

    A secret can also be read from the file that `<name>_FILE` names, and is never shown.
    """

    name: str
    about: str
    default: str = ""
    kind: Kind = Kind.TEXT
    example: str = ""
    least: float | None = None
    most: float | None = None
    is_secret: bool = False
    choices: tuple[str, ...] = ()


class Group(NamedTuple):
    """Settings that belong together."""

    title: str
    settings: tuple[Setting, ...]
