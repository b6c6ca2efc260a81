"""`docs/restore.md` says of each destructive tool what its declaration says, and nothing else."""

import re
from collections.abc import Iterator

import pytest

from hoursmith_console.core.record_fields import label_of
from hoursmith_console.restore.plan import record_fields
from mcpbridge.models import CallKind
from mcpbridge.tools import TOOLS, UNDOS, Undo
from mcpbridge.tools.undo import SAME_IN_NEW
from tests.paths import ROOT

PAGE = (ROOT / "docs/restore.md").read_text(encoding="utf-8")
ROWS = re.findall(r"^\| `\w+` \|.*$", PAGE, re.MULTILINE)


def expected() -> Iterator[str]:
    """The rows of both tables, as the declarations make them."""
    for undo in UNDOS.values():
        yield f"| `{undo.tool}` | {'a new record' if undo.creates else 'the same record'} | `{undo.by}` |"
    for undo in UNDOS.values():
        for what, why in (*undo.lost.items(), *undo.beyond.items()):
            yield f"| `{undo.tool}` | {label_of(what)} | {why} |"
        for name, (_, why) in undo.only_with.items():
            yield f"| `{undo.tool}` | {label_of(name)} | {why} |"


def test_the_tables_are_those_of_the_declarations() -> None:
    assert list(expected()) == ROWS


def test_every_destructive_tool_can_be_undone() -> None:
    assert UNDOS.keys() == {name for name, tool in TOOLS.items() if tool.kind is CallKind.DESTRUCTIVE}


@pytest.mark.parametrize("undo", UNDOS.values(), ids=lambda undo: undo.tool)
def test_every_field_of_a_record_comes_back_or_has_a_reason_why_not(undo: Undo) -> None:
    fields, settable = set(record_fields(undo)), TOOLS[undo.by].arguments.keys()
    assert undo.lost.keys() <= fields
    assert set(undo.sets) <= settable
    if undo.creates:
        assert fields - settable - set(SAME_IN_NEW) == undo.lost.keys()
        assert {*undo.only_with, *(other for other, _ in undo.only_with.values())} <= fields & settable
