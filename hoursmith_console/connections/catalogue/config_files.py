"""Configuration files of AI clients, and where they are on each operating system."""

from collections.abc import Mapping
from dataclasses import dataclass
from enum import StrEnum
from types import MappingProxyType


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


@dataclass(frozen=True, slots=True)
class ConfigFile:
    """A configuration file. `is_shared`: whether it is usually committed to version control."""

    title: str
    paths: Mapping[System, str]
    is_shared: bool = False


def own_file(
    path: str,
    *,
    windows: str | None = None,
    macos: str | None = None,
    title: str = "For you, in all projects",
) -> ConfigFile:
    """Return the user's file: `path` on Linux, and on other systems unless given."""
    home = path.replace("~/", "%USERPROFILE%\\").replace("/", "\\")
    paths = {System.MACOS: macos or path, System.WINDOWS: windows or home, System.LINUX: path}
    return ConfigFile(title, MappingProxyType(paths))


def project_file(path: str) -> ConfigFile:
    """Return a file in a project's folder, which is usually committed."""
    paths = {system: path.replace("/", "\\") if system is System.WINDOWS else path for system in System}
    return ConfigFile("For one project", MappingProxyType(paths), is_shared=True)
