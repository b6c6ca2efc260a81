"""The shape of the source: apps without cycles, short modules, small folders, templates beside their app.

import-linter holds the order of the apps (`pyproject.toml`); here no edge is left out: imports for types, imports
inside functions and foreign keys that name their model by a string count as well.
"""

import ast
from collections.abc import Iterator, Mapping
from graphlib import CycleError, TopologicalSorter
from pathlib import Path

import pytest
from django.apps import apps

from tests.paths import ROOT

PACKAGES = ("hoursmith_console", "mcpbridge")
MOST_LINES, MOST_MODULES = 300, 15
# A rotation names the campaign that asks for it; campaigns, which start rotations, stand above them.
# A saved view belongs to a member; saved views are part of the page framework, which knows no member's app.
UPWARD_RELATIONS = {("rotations", "campaigns"), ("core", "workspaces")}
# Not ours: the pages of django-allauth, which look for their templates under these names, and Django's own.
LIBRARY_TEMPLATES = {"account", "allauth", "mfa"}
# Programs for users who do not trust the console: one file each on purpose, so that it is easily copied, read and kept.
STAND_ALONE = {"docs/verify_audit.py": 2_300, "docs/watch_audit.py": 600}
# The frame of every page is the framework's.
FRAME_TEMPLATES = {"console"}

Edges = Mapping[str, set[str]]


def _modules(package: str) -> Iterator[Path]:
    for path in sorted((ROOT / package).rglob("*.py")):
        if "migrations" not in path.parts:
            yield path


def _imported(tree: ast.Module, package: str) -> Iterator[str]:
    for node in ast.walk(tree):
        if isinstance(node, ast.Import):
            yield from (name.name for name in node.names if name.name.startswith(f"{package}."))
        elif isinstance(node, ast.ImportFrom) and node.module and not node.level:
            if node.module == package:
                yield from (f"{package}.{name.name}" for name in node.names)
            elif node.module.startswith(f"{package}."):
                yield node.module


def _edges(package: str) -> dict[str, set[str]]:
    """Which part of `package` imports which, for whatever reason and wherever in a module."""
    edges: dict[str, set[str]] = {}
    for path in _modules(package):
        part = path.relative_to(ROOT / package).with_suffix("").parts[0]
        found = edges.setdefault(part, set())
        for name in _imported(ast.parse(path.read_text(encoding="utf-8")), package):
            other = name.split(".")[1]
            if other != part:
                found.add(other)
    return edges


def _relations() -> set[tuple[str, str]]:
    """Which app's models point to which app's, among the console's own."""
    found = set()
    for model in apps.get_models():
        if model.__module__.startswith("hoursmith_console."):
            for field in model._meta.fields:
                related = field.related_model
                if isinstance(related, type) and related.__module__.startswith("hoursmith_console."):
                    found.add((model.__module__.split(".")[1], related.__module__.split(".")[1]))
    return {(one, other) for one, other in found if one != other}


def _cycle(edges: Edges) -> list[str]:
    try:
        TopologicalSorter(edges).prepare()
    except CycleError as error:
        return list(error.args[1])
    return []


@pytest.mark.parametrize("package", PACKAGES)
def test_no_part_of_a_package_imports_itself_through_others(package: str) -> None:
    assert _cycle(_edges(package)) == []


def test_a_cycle_would_be_found() -> None:
    edges = _edges("hoursmith_console")
    edges["core"] = {*edges["core"], "rotations"}
    assert {"core", "rotations"} <= set(_cycle(edges))


def test_models_point_down_the_order_of_the_apps_but_for_the_named_ones() -> None:
    edges, relations = _edges("hoursmith_console"), _relations()
    assert relations >= UPWARD_RELATIONS
    for one, other in relations - UPWARD_RELATIONS:
        edges.setdefault(one, set()).add(other)
    assert _cycle(edges) == []


@pytest.mark.parametrize("package", PACKAGES)
def test_no_module_is_long(package: str) -> None:
    lengths = {path.relative_to(ROOT): len(path.read_text(encoding="utf-8").splitlines()) for path in _modules(package)}
    assert not {str(path): length for path, length in lengths.items() if length > MOST_LINES}


def test_programs_that_stand_alone_are_the_only_long_ones_outside_the_packages() -> None:
    lengths = {
        path.relative_to(ROOT).as_posix(): len(path.read_text(encoding="utf-8").splitlines())
        for path in (ROOT / "docs").rglob("*.py")
    }
    assert lengths.keys() >= STAND_ALONE.keys()
    assert not {path: length for path, length in lengths.items() if length > STAND_ALONE.get(path, MOST_LINES)}


@pytest.mark.parametrize("package", PACKAGES)
def test_no_folder_holds_many_modules(package: str) -> None:
    folders: dict[str, int] = {}
    for path in _modules(package):
        if path.name != "__init__.py":
            folder = str(path.parent.relative_to(ROOT))
            folders[folder] = folders.get(folder, 0) + 1
    assert not {folder: count for folder, count in folders.items() if count > MOST_MODULES}


def test_every_folder_of_templates_belongs_to_an_app() -> None:
    ours = {config.name.split(".")[1] for config in apps.get_app_configs() if config.name.startswith(f"{PACKAGES[0]}.")}
    folders = {path.name for path in (ROOT / "templates").iterdir() if path.is_dir()}
    assert folders <= ours | LIBRARY_TEMPLATES | FRAME_TEMPLATES
