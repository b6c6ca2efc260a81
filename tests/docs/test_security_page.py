"""What the security page names is there: each test, each file, each item of the standard."""

import ast
import re
from functools import cache
from pathlib import Path

import pytest

from tests.paths import ROOT

PAGE = (ROOT / "docs/security.md").read_text(encoding="utf-8")
THREATS, STANDARD = PAGE.split("## OWASP ASVS 5.0")
NAMED = sorted(set(re.findall(r"`(tests/[\w/]+\.py)::(\w+)`", PAGE)))
# The numbers of the requirements of OWASP ASVS 5.0.0 at levels 1 and 2.
ITEMS = (Path(__file__).parent / "asvs_5_level_2.txt").read_text(encoding="ascii").split()
STATES = {"met", "in part", "not met", "operator", "n/a"}


def rows(text: str) -> list[list[str]]:
    """The cells of each row of the tables in `text`, without their heads."""
    lines = [line for line in text.splitlines() if line.startswith("| ")]
    return [[cell.strip() for cell in line.strip("|").split("|")] for line in lines if not line.startswith("| Item")]


@cache
def functions_of(path: str) -> set[str]:
    return {
        node.name
        for node in ast.walk(ast.parse((ROOT / path).read_text(encoding="utf-8")))
        if isinstance(node, ast.FunctionDef | ast.AsyncFunctionDef)
    }


@pytest.mark.parametrize(("path", "name"), NAMED, ids=lambda value: value.rpartition("/")[2])
def test_a_test_that_is_named_is_there(path: str, name: str) -> None:
    assert name in functions_of(path)


def test_every_threat_names_a_file_and_a_test() -> None:
    threats = [row for row in rows(THREATS) if re.match(r"\*\*[STRIDE]\*\* ", row[0])]
    assert {row[0][2] for row in threats} == set("STRIDE")
    for row in threats:
        assert "::test_" in row[3], row[0]
        assert "`" in row[2], row[0]


def test_every_file_that_is_named_is_there() -> None:
    named = re.findall(r"`((?:docs|hoursmith_console|mcpbridge|static|tests)/[\w./-]*|requirements[\w-]*\.\w+)`", PAGE)
    assert len(named) > 30
    for path in named:
        assert (ROOT / path).exists(), path


def test_every_item_of_the_standard_is_answered_once() -> None:
    answered = [item for row in rows(STANDARD) for item in row[0].split(", ")]
    assert answered == sorted(answered, key=answered.index)
    assert sorted(answered) == sorted(ITEMS)
    assert len(ITEMS) == 253


def test_an_item_that_is_met_says_where_and_one_that_is_not_says_why() -> None:
    counted = dict.fromkeys(STATES, 0)
    for items, state, where, _ in rows(STANDARD):
        assert state in STATES, items
        assert where, items
        counted[state] += len(items.split(", "))
    for state, words in {"met": "met", "in part": "in part", "not met": "not met", "n/a": "not applicable"}.items():
        assert f"{counted[state]} {words}" in PAGE
