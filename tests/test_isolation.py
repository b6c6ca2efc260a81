"""No test sees what another left: what tests write into belongs to one test, or at most to the tests of one file."""

import ast
import os
from collections.abc import Iterator
from pathlib import Path

from tests.paths import ROOT

# What lives as long as the process, and why no test can write into it.
READ_ONLY = {
    "needs": "a function that skips",
    "node": "the path of an installed program",
    "python_1": "the path of an installed program",
    "django_db_setup": "each test's changes are rolled back",
    "var_folders": "each test takes the next one",
}


def _scope(decorator: ast.expr) -> str:
    given = {word.arg: word.value for word in decorator.keywords} if isinstance(decorator, ast.Call) else {}
    scope = given.get("scope")
    return str(scope.value) if isinstance(scope, ast.Constant) else "function"


def fixtures(path: Path) -> dict[str, str]:
    """Return the scope of each fixture that the file defines, by its name."""
    found = {}
    for each in ast.walk(ast.parse(path.read_text(encoding="utf-8"))):
        for decorator in getattr(each, "decorator_list", []):
            if "fixture" in ast.unparse(decorator):
                found[each.name] = _scope(decorator)
    return found


def files() -> Iterator[Path]:
    """Return our own files of the tests."""
    for folder, inner, names in os.walk(ROOT / "tests"):
        # Node's packages bring Python along, and another version of the MCP library has an environment of its own.
        inner[:] = [name for name in inner if name != "node_modules" and not name.startswith(".")]
        yield from (Path(folder, name) for name in names if name.endswith(".py"))


def test_what_outlives_a_file_cannot_be_written_into() -> None:
    shared = {
        (str(path.relative_to(ROOT)), name)
        for path in files()
        for name, scope in fixtures(path).items()
        if scope not in ("function", "class", "module") and name not in READ_ONLY
    }
    assert not shared, "Let each test or file have its own, or say in `READ_ONLY` why nothing can be written."


def test_the_search_finds_fixtures() -> None:
    assert fixtures(ROOT / "tests" / "conftest.py")["console"] == "module"
