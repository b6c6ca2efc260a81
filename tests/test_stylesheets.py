"""What no stylesheet may do: move for readers who ask for less motion, or write an identifier otherwise than it is."""

import re
from collections.abc import Iterator
from pathlib import Path

import pytest

from tests.paths import ROOT

SHEETS = sorted((ROOT / "static/console").rglob("*.css"))
_MOVES = re.compile(r"\b(?:transition|animation)(?:-[\w-]+)?\s*:|scroll-behavior:\s*smooth")
_REWRITES = re.compile(
    r"text-transform:\s*(?:capitalize|uppercase|lowercase)|::first-letter|font-variant:\s*small-caps"
)
_WITH_MOTION = "@media (prefers-reduced-motion: no-preference)"


def _without(sheet: str, start: str) -> str:
    """`sheet` without the blocks that begin with `start`."""
    kept, rest = "", sheet
    while start in rest:
        before, _, rest = rest.partition(start)
        kept += before
        depth = 0
        for place, sign in enumerate(rest):
            depth += (sign == "{") - (sign == "}")
            if sign == "}" and depth == 0:
                rest = rest[place + 1 :]
                break
    return kept + rest


def _found(pattern: re.Pattern[str], sheet: str) -> Iterator[str]:
    yield from (match[0] for match in pattern.finditer(sheet))


@pytest.mark.parametrize("path", SHEETS, ids=lambda path: path.name)
def test_nothing_moves_unless_motion_is_welcome(path: Path) -> None:
    assert list(_found(_MOVES, _without(path.read_text(encoding="utf-8"), _WITH_MOTION))) == []


@pytest.mark.parametrize("path", SHEETS, ids=lambda path: path.name)
def test_no_text_is_rewritten(path: Path) -> None:
    assert list(_found(_REWRITES, path.read_text(encoding="utf-8"))) == []


def test_both_would_be_found() -> None:
    moving = f"a {{ transition: x 1s; }} {_WITH_MOTION} {{ b {{ animation: y 1s; }} }} c {{ animation-name: z; }}"
    assert list(_found(_MOVES, _without(moving, _WITH_MOTION))) == ["transition:", "animation-name:"]
    assert list(_found(_REWRITES, "code::first-letter { text-transform: uppercase; }")) == [
        "::first-letter",
        "text-transform: uppercase",
    ]
