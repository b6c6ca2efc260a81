"""Who is measured, how it is left out where it cannot run, and that a reply of another caller ends a run."""

import json
import re
from pathlib import Path

import orjson
import pytest

from bench import node
from bench.callers import make_callers
from bench.contest import CONTENDERS, ROWS, Row
from bench.mcp_messages import MODERN, WrongAnswerError, tool_request
from bench.node import installed_node
from bench.paths import ROOT
from bench.run import rows_here

_README = (ROOT / "bench" / "README.md").read_text(encoding="utf-8")


@pytest.mark.parametrize("row", ROWS, ids=lambda row: row.name)
def test_a_row_is_explained_and_is_compared_with_rows_that_exist(row: Row) -> None:
    names = {each.name for each in ROWS}
    assert f"`{row.name}`" in _README
    assert row.contender in CONTENDERS or row.contender == "upstream"
    assert row.plain in names
    assert row.priced in {"", *names}


def test_rows_of_node_are_left_out_and_named_where_node_is_missing(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    monkeypatch.setattr(node, "MODULES", tmp_path)
    assert installed_node() is None
    assert [row.name for row in rows_here(["floor", "sdk-ts", "sdk-ts-2025"])] == ["floor"]
    assert "sdk-ts, sdk-ts-2025" in capsys.readouterr().out


def test_contenders_have_exact_versions() -> None:
    lines = (ROOT / "bench" / "requirements.txt").read_text(encoding="utf-8").splitlines()
    assert not [line for line in lines if not re.match(r"#|[\w-]+==[\d.]+ +# ", line)]
    package = json.loads((ROOT / "bench" / "package.json").read_text(encoding="utf-8"))
    lock = json.loads((ROOT / "bench" / "package-lock.json").read_text(encoding="utf-8"))["packages"]
    for kind in ("dependencies", "optionalDependencies"):
        for name, version in package[kind].items():
            assert lock[f"node_modules/{name}"]["version"] == version


def test_a_reply_of_another_caller_is_an_error() -> None:
    own, other = make_callers(2)

    def reply(echo: str) -> bytes:
        shown = {"data": {"notes": echo}}
        content = [{"type": "text", "text": orjson.dumps(shown).decode()}]
        return orjson.dumps({"id": 7, "result": {"content": content, "structuredContent": shown}})

    check = tool_request(own, 1, tool="get_client", version=MODERN).check
    check(7, 200, reply(own.echo))
    with pytest.raises(WrongAnswerError):
        check(7, 200, reply(other.echo))
