"""The specification's own example, verified by the stand-alone verifier and by the snippet that the page shows."""

import json
import re
import subprocess
import sys
from pathlib import Path

import pytest

from mcpbridge.audit.export.cef import key_of
from mcpbridge.audit.hashchain import FACTS, canonical, genesis
from mcpbridge.audit.verification.findings import FindingKind
from mcpbridge.models import AuditPhase
from tests.paths import ROOT

PAGE = (ROOT / "docs/audit-format.md").read_text(encoding="utf-8")


def block(language: str) -> str:
    """The one block of this language on the page."""
    (found,) = re.findall(rf"^```{language}\n(.*?)^```$", PAGE, re.MULTILINE | re.DOTALL)
    return found


@pytest.fixture
def example(tmp_path: Path) -> Path:
    (tmp_path / "export.jsonl").write_text(block("jsonl"), encoding="utf-8")
    return tmp_path


def verdict(folder: Path) -> subprocess.CompletedProcess[str]:
    (fingerprint,) = re.findall(r"--fingerprint ([0-9a-f]{64})", PAGE)
    command = [sys.executable, str(ROOT / "docs/verify_audit.py"), "export.jsonl", "--fingerprint", fingerprint]
    return subprocess.run(command, cwd=folder, capture_output=True, text=True, timeout=30)


def test_the_example_verifies(example: Path) -> None:
    done = verdict(example)
    assert done.returncode == 0, done.stdout + done.stderr
    assert "2 rows" in done.stdout


def test_one_other_letter_in_it_does_not(example: Path) -> None:
    export = example / "export.jsonl"
    export.write_text(block("jsonl").replace("Studio Nord", "Studio Sord", 1), encoding="utf-8")
    done = verdict(example)
    assert done.returncode == 1
    assert "BAD: edited, event at row 1" in done.stdout


def test_the_snippet_and_the_canonical_form_on_the_page_are_right() -> None:
    rows = [json.loads(line) for line in block("jsonl").splitlines() if '"type":"event"' in line]
    scope: dict[str, object] = {}
    exec(block("python"), scope)  # noqa: S102 - the page's own words
    for row in rows:
        assert scope["row_hash"](row) == row["hash"]  # type: ignore[operator]
    facts = {name: value for name, value in rows[0].items() if name not in ("type", "previous_hash", "hash")}
    assert canonical(facts).decode() == block("text").strip()
    assert genesis(rows[0]["workspace"]).hash == rows[0]["previous_hash"]


def test_the_page_names_every_fact_phase_and_kind_of_finding() -> None:
    named = set(re.findall(r"`([a-z_]+)`", PAGE))
    assert {*FACTS, "format", "workspace"} <= named
    assert set(AuditPhase.values) <= named
    assert {kind.value for kind in FindingKind} <= set(re.findall(r"^\| \*\*([a-z-]+)\*\* \|", PAGE, re.MULTILINE))


def test_the_page_names_the_keys_of_cef() -> None:
    named = {column: key_of(column) for column in FACTS if not key_of(column).startswith("HoursmithConsole")}
    for column, key in named.items():
        assert re.search(rf"`{column}`( is)? `{key}`", PAGE), column
