"""What the sign-in library brings: its views, settings and templates, as they are installed."""

import ast
import inspect
import re
from collections.abc import Iterator
from importlib import import_module
from importlib.util import find_spec
from pathlib import Path
from pkgutil import walk_packages
from types import ModuleType
from typing import Any

import allauth
from django.apps import apps
from django.urls import URLPattern, URLResolver
from django.views.generic import View

FOLDER = Path(allauth.__file__).parent
PREFIXES = {"account": "ACCOUNT_", "mfa": "MFA_", "socialaccount": "SOCIALACCOUNT_"}


def view_modules() -> Iterator[ModuleType]:
    """The modules of the installed applications that hold views."""
    for app in apps.get_app_configs():
        if not app.name.startswith("allauth."):
            continue
        inside = [module.name for module in walk_packages(app.module.__path__, f"{app.name}.")]  # type: ignore[union-attr]
        for name in inside:
            foreign = ".providers." in name.removeprefix(app.name)
            if name.endswith(".views") and not foreign and ".internal." not in name:
                yield import_module(name)


def views() -> set[str]:
    """The views of the installed applications, as "account.views.LoginView"."""
    return {
        name_of(found)
        for module in view_modules()
        for name, found in vars(module).items()
        if getattr(found, "__module__", "") == module.__name__ and not name.startswith("_") and _is_view(found)
    }


def name_of(view: Any) -> str:
    return f"{view.__module__}.{view.__qualname__}".removeprefix("allauth.")


def _is_view(found: Any) -> bool:
    if inspect.isclass(found):
        return issubclass(found, View) and not found.__name__.startswith("Base")
    return inspect.isfunction(found) and "request" in inspect.signature(found).parameters and "<" not in name_of(found)


def served(patterns: list[URLPattern | URLResolver]) -> dict[str, Any]:
    """The views that are served, by the names of their addresses: classes where they are classes."""
    found: dict[str, Any] = {}
    for pattern in patterns:
        if isinstance(pattern, URLResolver):
            found |= served(pattern.url_patterns)
        else:
            view = inspect.unwrap(pattern.callback)
            found[str(pattern.name)] = getattr(pattern.callback, "view_class", getattr(view, "view_class", view))
    return found


def settings_of(app: str) -> set[str]:
    """The settings that an application of the library reads, through its own module of settings or past it."""
    source = find_spec(f"allauth.{app}.app_settings")
    assert source is not None
    assert source.origin is not None
    tree = ast.parse(Path(source.origin).read_text(encoding="utf-8"))
    calls = [node for node in ast.walk(tree) if isinstance(node, ast.Call) and node.args]
    names = [call.args[0] for call in calls if getattr(call.func, "attr", "") == "_setting"]
    past = re.compile(rf'getattr\(settings, "({PREFIXES[app]}\w+)"')
    read = {name for file in (FOLDER / app).rglob("*.py") for name in past.findall(file.read_text(encoding="utf-8"))}
    return read | {
        PREFIXES[app] + name.value for name in names if isinstance(name, ast.Constant) and isinstance(name.value, str)
    }


def templates() -> set[str]:
    """The names of all templates in the library."""
    return {
        path.as_posix().rpartition("templates/")[2]
        for path in FOLDER.rglob("templates/**/*")
        if path.suffix in (".html", ".txt")
    }
