"""Read declared settings from the environment; a value that does not fit is refused in one sentence that names it."""

import math
from collections.abc import Mapping

from django.core.exceptions import ImproperlyConfigured

from hoursmith_console.declarations.all_settings import DECLARED
from hoursmith_console.declarations.kinds import Kind, Setting

_SWITCH = {
    **dict.fromkeys(("on", "true", "yes", "1", "y", "ok", "t"), True),
    **dict.fromkeys(("off", "false", "no", "0", "n", "f"), False),
}


class Environment:
    """The settings in `values`, as far as `DECLARED` names them. An empty value counts as unset, but for a list.

    `asked` collects what was read. Raises ImproperlyConfigured for a value of another kind, and KeyError for a setting
    that is not declared.
    """

    def __init__(self, values: Mapping[str, str]) -> None:
        self._values = values
        self.asked: set[str] = set()

    def text(self, name: str, *, default: str = "") -> str:
        """Return the text of a setting, or its default; of those with choices one of them, whatever its case."""
        setting, value = DECLARED[name], self._given(name) or DECLARED[name].default or default
        if not setting.choices:
            return value
        for choice in setting.choices:
            if value.lower() == choice.lower():
                return choice
        raise ImproperlyConfigured(f"{name} is {value!r}; use {' or '.join(setting.choices)}.")

    def switch(self, name: str, *, default: bool = False) -> bool:
        """Return a setting that is on or off."""
        given = self._given(name) or DECLARED[name].default
        if not given:
            return default
        if given.lower() not in _SWITCH:
            raise ImproperlyConfigured(f"{name} is {given!r}; use on or off.")
        return _SWITCH[given.lower()]

    def number(self, name: str) -> float:
        """Return a number within the declared bounds."""
        setting = DECLARED[name]
        given = self._given(name) or setting.default
        try:
            value = float(int(given)) if setting.kind is Kind.WHOLE else float(given)
        except ValueError:
            value = math.nan
        if not math.isfinite(value) or not _least(setting) <= value <= _most(setting):
            raise ImproperlyConfigured(f"{name} is {given!r}; use {setting.kind.value}{_bounds(setting)}.")
        return value

    def whole(self, name: str) -> int:
        """Return a whole number within the declared bounds."""
        return int(self.number(name))

    def several(self, name: str, *, default: list[str] | None = None) -> list[str]:
        """Return the parts of a list, without the spaces around them."""
        given = self._given(name)
        if name not in self._values:
            given = DECLARED[name].default
            if not given:
                return list(default or [])
        return [part.strip() for part in given.split(",") if part.strip()]

    def file_of(self, name: str) -> str:
        """Return the path of the file that a secret is to be read from; empty if none is named."""
        assert DECLARED[name].is_secret, name  # noqa: S101 – a mistake in the program
        return self._values.get(f"{name}_FILE", "")

    def _given(self, name: str) -> str:
        DECLARED[name]
        self.asked.add(name)
        return self._values.get(name, "")


def _least(setting: Setting) -> float:
    return -math.inf if setting.least is None else setting.least


def _most(setting: Setting) -> float:
    return math.inf if setting.most is None else setting.most


def _bounds(setting: Setting) -> str:
    if setting.least is None or setting.most is None:
        return ""
    return f" from {setting.least:g} to {setting.most:g}"
