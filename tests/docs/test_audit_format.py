"""The specification's own example and test vectors, against the stand-alone verifier and the snippet on the page."""

import base64
import hashlib
import hmac
import json
import re
import subprocess
import sys
from pathlib import Path
from typing import Any

import pytest

from mcpbridge.audit.export.cef import key_of
from mcpbridge.audit.hashchain import FACTS, canonical, genesis
from mcpbridge.audit.verification.findings import FindingKind
from mcpbridge.models import AuditPhase
from tests.paths import ROOT
from tests.verifiers import standalone

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


def vectors(pattern: str) -> list[str]:
    """The values after these words in the test vectors."""
    return re.findall(pattern, PAGE[PAGE.index("## Test vectors") :])


def rows_of_the_example() -> list[dict[str, Any]]:
    """The two rows of the example, and the third one of the test vectors."""
    rows = [json.loads(line) for line in block("jsonl").splitlines() if '"type":"event"' in line]
    (third,) = vectors(r'^(\{.*"format":"hoursmith-audit-2".*\})$'.replace("^", "(?m:^").replace("$", "$)"))
    (previous_hash,) = vectors(r"After `([0-9a-f]{64})` its hash is")
    (hash,) = vectors(r"its hash is `([0-9a-f]{64})`")
    return [*rows, {**json.loads(third), "previous_hash": previous_hash, "hash": hash}]


def test_the_vectors_of_sealed_members_are_right() -> None:
    (seal,), (salt,), (commitment,) = (
        vectors(rf"{name} `([0-9a-f]{{64}})`") for name in ("Seal", "salt", "commitment")
    )
    row = {**rows_of_the_example()[2], "arguments": {"rows": 2}, "salts": {"arguments": salt}}
    assert row["sealed"]["arguments"] == commitment
    standalone.check_seals(row)
    assert hmac.digest(bytes.fromhex(seal), b"hoursmith-salt-2\narguments", "sha256").hex() == salt
    with pytest.raises(standalone.FoundError):
        standalone.check_seals({**row, "arguments": {"rows": 3}})


def test_the_vectors_of_the_tree_are_right() -> None:
    rows, tree = rows_of_the_example(), standalone.Tree()
    roots = [base64.b64decode(root) for root in vectors(r"(?:size 1|, 2|, 3) `([\w+/]{43}=)`")]
    inclusion, consistency = (
        base64.b64decode(vectors(rf"{name} of [^:]*: `([\w+/]{{43}}=)`")[0]) for name in ("Inclusion", "Consistency")
    )
    for row, root in zip(rows, roots, strict=True):
        assert standalone.has_valid_hash(row)
        tree.add(standalone.leaf_hash(bytes.fromhex(row["hash"])))
        assert tree.root() == root
    leaf = standalone.leaf_hash(bytes.fromhex(rows[2]["hash"]))
    assert standalone.root_by_inclusion(leaf, 2, 3, [inclusion]) == roots[2]
    assert standalone.roots_by_consistency(2, 3, roots[1], [consistency]) == (roots[1], roots[2])
    empty = [hashlib.sha256().hexdigest()]
    eight = standalone.Tree()
    for leaf in ("", "00", "10", "2021", "3031", "40414243", "5051525354555657", "606162636465666768696a6b6c6d6e6f"):
        eight.add(standalone.leaf_hash(bytes.fromhex(leaf)))
        empty.append(eight.root().hex())
    assert vectors(r"\| [0-8] \| `([0-9a-f]{64})` \|") == empty


def test_the_vectors_of_a_checkpoint_are_right() -> None:
    (vkey,) = vectors(r"the vkey `([^`]+)`")
    ((said, signature),) = re.findall(r'^(\{.*"hoursmith-checkpoint-2".*\})\n([\w+/]{86}==)$', PAGE, re.MULTILINE)
    (note,) = re.findall(r"^```\n(audit\.example\.com.*?)^```$", PAGE, re.MULTILINE | re.DOTALL)
    key = standalone.VerifierKey.parse(vkey, standalone.ED25519)
    line = {"type": "checkpoint", **json.loads(said), "signature": signature, "note": note}
    line["key_id"] = standalone.key_id_of(key.raw)
    assert canonical(json.loads(said)).decode() == said
    trust = standalone.trust_from("", vkey=vkey)
    assert standalone.verify_head(trust, line) == {}
    assert [line["sequence"], line["hash"]] == [3, rows_of_the_example()[2]["hash"]]
    with pytest.raises(standalone.FoundError):
        standalone.verify_head(trust, {**line, "note": note.replace("\n3\n", "\n2\n")})


def test_the_page_names_every_signed_statement_and_file_of_evidence() -> None:
    for form, members in standalone.SIGNED_FACTS.items():
        (shown,) = re.findall(rf'"format": "{form}"(.*)', PAGE)
        named = set(re.findall(r'"([a-z_]+)": ', shown)) | set(re.findall(r"`([a-z_]+)`", PAGE))
        assert set(members) <= named, form
    for name in (*standalone.REQUIRED, *standalone.OPTIONAL):
        assert f"| `{name}` |" in PAGE


def test_the_page_names_every_fact_phase_and_kind_of_finding() -> None:
    named = set(re.findall(r"`([a-z_]+)`", PAGE))
    assert {*FACTS, "format", "workspace"} <= named
    assert set(AuditPhase.values) <= named
    assert {kind.value for kind in FindingKind} <= set(re.findall(r"^\| \*\*([a-z-]+)\*\* \|", PAGE, re.MULTILINE))


def test_the_page_names_the_keys_of_cef() -> None:
    named = {column: key_of(column) for column in FACTS if not key_of(column).startswith("HoursmithConsole")}
    for column, key in named.items():
        assert re.search(rf"`{column}`( is)? `{key}`", PAGE), column
