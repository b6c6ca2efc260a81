"""Nothing is decided by what somebody is called, and nothing is done to a token for its prefix alone."""

import ast
import re
from collections.abc import Iterator
from pathlib import Path

import pytest

ROOT = Path(__file__).parents[2]
SOURCES = sorted(
    path
    for folder in ("hoursmith_console", "mcpbridge")
    for path in (ROOT / folder).rglob("*.py")
    if "migrations" not in path.parts
)
# Names of people as records keep them; keys end in _id, and this one holds a key.
# A key announced by another one is found by that one's id, and believed for its signature.
NAMES = re.compile(r"named|asker|closer|owner_name|actor|(?!liftable|announced)\w+_by")
# Whose a token is, or must be, before anything is done to it.
SCOPES = {"org_id", "workspace", "member", "viewer", "rotation"}
# What only reads; none of it changes what a token may do.
HARMLESS = {"token_name", "find_token_owner", "holds", "notice", "linked_token"}


def tree(path: Path) -> ast.Module:
    return ast.parse(path.read_text(encoding="utf-8"))


def decisions(path: Path) -> Iterator[str]:
    """Comparisons that a name of a person is part of."""
    for node in ast.walk(tree(path)):
        if isinstance(node, ast.Compare) and all(isinstance(each, ast.Eq | ast.NotEq) for each in node.ops):
            sides = [node.left, *node.comparators]
            is_of_two = not any(isinstance(side, ast.Constant) for side in sides)
            if is_of_two and any(isinstance(side, ast.Attribute) and NAMES.fullmatch(side.attr) for side in sides):
                yield f"{path.relative_to(ROOT)}:{node.lineno}: {ast.unparse(node)}"


def unscoped(path: Path) -> Iterator[str]:
    """Functions that take a token's environment and prefix, and nothing that says whose it must be."""
    for node in ast.walk(tree(path)):
        if isinstance(node, ast.FunctionDef | ast.AsyncFunctionDef):
            names = {each.arg for each in (*node.args.args, *node.args.kwonlyargs)}
            if {"env", "prefix"} <= names and not names & SCOPES and node.name not in HARMLESS:
                yield f"{path.relative_to(ROOT)}:{node.lineno}: {node.name}"


@pytest.mark.parametrize("path", SOURCES, ids=lambda path: str(path.relative_to(ROOT)))
def test_no_module_decides_by_what_somebody_is_called(path: Path) -> None:
    assert list(decisions(path)) == []


def test_no_template_does_either() -> None:
    texts = {path: path.read_text(encoding="utf-8") for path in (ROOT / "templates").rglob("*.html")}
    compared = re.compile(r"{%\s*(?:if|elif)[^%]*\.(?:named|\w+_by)\s*[=!]=")
    assert [path.name for path, text in texts.items() if compared.search(text)] == []


def test_whatever_takes_a_prefix_says_whose_token_it_must_be() -> None:
    ordering = ROOT / "mcpbridge" / "auth" / "restrictions"
    acting = [path for path in SOURCES if ordering in path.parents or path.is_relative_to(ROOT / "hoursmith_console")]
    assert len(acting) > 100
    found = [each for path in acting for each in unscoped(path)]
    assert found == []
