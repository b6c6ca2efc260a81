"""What evidence contains, and what the stand-alone verifier says of it."""

import base64
import hashlib
import io
import json
import re
import zipfile
from dataclasses import replace
from pathlib import Path
from typing import Any

import pytest

from hoursmith_console.audit.evidence.log import EvidenceUnavailableError, ProvenLog
from hoursmith_console.audit.evidence.members import MEMBERS
from hoursmith_console.audit.evidence.options import Options
from hoursmith_console.audit.evidence.package import MOST_PROOFS, ChoiceError, EvidencePackage, Maker, selected
from hoursmith_console.audit.evidence.proofs import OlderCheckpointError
from hoursmith_console.audit.evidence.scopes import Scope, scope_of_call
from mcpbridge.audit.export.source import Selection
from mcpbridge.audit.signing import configured_key
from mcpbridge.audit.tree.checkpoints import TreeHead
from mcpbridge.models import AuditEvent
from tests.hoursmith_console.conftest import Cast
from tests.proven_logs import fingerprint, proven_log, rewrite, sealed_calls
from tests.verifiers import run_standalone, verdict_on_evidence

SECRETS = {
    "target_label": "Qlabel",
    "token_name": "Qtoken",
    "address": "203.0.113.77",
    "arguments": {"reason": "Qargument"},
    "snapshot": {"notes": "Qsnapshot"},
    "note": "Qnote",
}
HOSTILE = "<script>alert(1)</script><img src=x onerror=alert(2)>"


def _made(scope: Scope, log: ProvenLog, **options: Any) -> bytes:
    package = EvidencePackage(scope, selected(scope), Options(**options), log, Maker("Ana <ana@example.com>", "Acme"))
    return b"".join(part for _, part in package.parts())


def _files(archive: bytes) -> dict[str, bytes]:
    with zipfile.ZipFile(io.BytesIO(archive)) as opened:
        assert opened.testzip() is None
        return {name: opened.read(name) for name in opened.namelist()}


def _entries(archive: bytes) -> list[dict[str, Any]]:
    return [json.loads(line) for line in _files(archive)["entries.jsonl"].splitlines()]


def _verdict(archive: bytes, folder: Path, *more: str) -> dict[str, Any]:
    path = folder / "evidence.zip"
    path.write_bytes(archive)
    told = run_standalone(str(path), "--fingerprint", fingerprint(), "--json", *more)
    assert told.returncode in (0, 1), told.stderr
    verdict: dict[str, Any] = json.loads(told.stdout)
    assert verdict["ok"] is (told.returncode == 0)
    if not more:
        assert verdict_on_evidence(archive, fingerprint())["ok"] is verdict["ok"]
    return verdict


def _of_tool(cast: Cast, tool: str) -> Scope:
    selection = Selection(workspace=cast.org_id, tool=tool)
    return Scope("calls", "calls", "evidence-calls", selection, "/audit/", "Audit log")


def test_the_evidence_of_one_call_has_its_files_in_their_order_and_is_verified(cast: Cast, tmp_path: Path) -> None:
    sealed_calls(cast.tokens["owner"], 3)
    intent, outcome = sealed_calls(cast.tokens["manager"], 1, **SECRETS)
    sealed_calls(cast.tokens["owner"], 2)
    archive = _made(scope_of_call(intent), proven_log(cast.org_id))
    files = _files(archive)
    assert list(files) == [
        *("README.txt", "report.html", "entries.jsonl", "checkpoint", "checkpoint.json"),
        *(f"proofs/{row.sequence}.{kind}" for row in (intent, outcome) for kind in ("tlog-proof", "leaf")),
        *("keys.json", "verify_audit.py", "manifest.json"),
    ]
    manifest = json.loads(files.pop("manifest.json"))
    assert manifest["files"] == {name: hashlib.sha256(content).hexdigest() for name, content in files.items()}
    assert (manifest["made_by"], manifest["filters"]) == ("Ana <ana@example.com>", {"call_id": str(intent.call_id)})
    header, *events, end = _entries(archive)
    assert (header["complete"], header["filters"], end["lines"]) == (False, manifest["filters"], 2)
    assert [event["sequence"] for event in events] == [intent.sequence, outcome.sequence]
    assert events[0]["snapshot"] == SECRETS["snapshot"]
    assert _verdict(archive, tmp_path)["ok"] is True
    # Not with another key, nor without any.
    path = tmp_path / "evidence.zip"
    assert run_standalone(str(path), "--fingerprint", "0" * 64).returncode == 1
    assert run_standalone(str(path)).returncode == 2


@pytest.mark.parametrize("left_out", [set(MEMBERS), {"arguments"}, {"target_label", "snapshot"}])
def test_what_is_left_out_is_nowhere_in_the_archive(cast: Cast, tmp_path: Path, left_out: set[str]) -> None:
    intent = sealed_calls(cast.tokens["manager"], 1, **SECRETS)[0]
    archive = _made(scope_of_call(intent), proven_log(cast.org_id), left_out=frozenset(left_out))
    everything = b"".join(_files(archive).values()).decode(errors="replace")
    texts = {
        member: value if isinstance(value, str) else next(iter(value.values())) for member, value in SECRETS.items()
    }
    assert {member for member, text in texts.items() if text not in everything} == left_out & texts.keys()
    seal = bytes(intent.seal).hex()
    assert seal not in everything
    assert _verdict(archive, tmp_path)["ok"] is True


def test_the_report_escapes_everything_and_its_policy_allows_nothing(cast: Cast) -> None:
    facts = {**SECRETS, "target_label": HOSTILE, "token_name": HOSTILE, "client_name": HOSTILE}
    facts |= {"arguments": {HOSTILE: HOSTILE}, "snapshot": {HOSTILE: [HOSTILE, {HOSTILE: HOSTILE}]}}
    intent = sealed_calls(cast.tokens["manager"], 1, **facts)[0]
    scope, maker = scope_of_call(intent), Maker(HOSTILE, HOSTILE)
    package = EvidencePackage(scope, selected(scope), Options(), proven_log(cast.org_id), maker)
    report = _files(b"".join(part for _, part in package.parts()))["report.html"].decode()
    assert set(re.findall(r"<(\w+)", report)) == {
        *("html", "head", "meta", "title", "style", "body", "main", "h1", "h2", "h3", "h4", "p", "section", "strong"),
        *("code", "span", "time", "table", "thead", "tbody", "tr", "th", "td", "dl", "div", "dt", "dd", "ul", "ol"),
        *("li", "a", "pre", "br"),
    }
    assert set(re.findall(r'<a href="(.)', report)) == {"#"}
    assert not re.search(r"<[^>]*\s(?:on\w+|style|src)=", report)
    policy = re.search(r'http-equiv="Content-Security-Policy" content="([^"]*)"', report)
    assert policy
    assert policy[1].startswith("default-src 'none'; style-src 'sha256-")
    style = re.search("<style>(.*?)</style>", report, re.DOTALL)
    assert style
    assert base64.b64encode(hashlib.sha256(style[1].encode()).digest()).decode() in policy[1]


# Many entries


@pytest.fixture
def many(cast: Cast) -> Scope:
    """More calls of one tool than have a proof each, with calls of another one between them."""
    for tool, count in (("archive_project", 2), ("delete_client", 60), ("archive_project", 3), ("delete_client", 50)):
        sealed_calls(cast.tokens["manager"], count, tool=tool, **SECRETS)
    sealed_calls(cast.tokens["owner"], 2, tool="archive_project")
    return _of_tool(cast, "delete_client")


def test_of_many_entries_the_range_is_proved_and_the_others_are_withheld(
    cast: Cast, many: Scope, tmp_path: Path
) -> None:
    archive = _made(many, proven_log(cast.org_id))
    assert "proofs" not in " ".join(_files(archive))
    _, proof, *entries, end = _entries(archive)
    assert (proof["type"], proof["first"], proof["last"], proof["size"]) == ("range", 5, 230, 234)
    assert [entry["type"] for entry in entries] == ["event"] * 120 + ["withheld"] * 6 + ["event"] * 100
    assert set(entries[120]) == {"type", "sequence", "hash"}
    assert end["lines"] == len(entries) + 1
    assert _verdict(archive, tmp_path)["ok"] is True
    report = _files(archive)["report.html"].decode()
    assert "<strong>6 entries</strong> between number 5 and 230" in report
    assert f"The first {MOST_PROOFS} entries; 20 more" in report


def test_the_others_can_be_shown_without_names_and_contents(cast: Cast, many: Scope, tmp_path: Path) -> None:
    archive = _made(many, proven_log(cast.org_id), shows_others=True)
    _, _, *entries, _ = _entries(archive)
    assert {entry["type"] for entry in entries} == {"event"}
    assert {entry["tool"] for entry in entries if not set(MEMBERS) & set(entry)} == {"archive_project"}
    assert {entry["tool"] for entry in entries if "seal" in entry} == {"delete_client"}
    assert _verdict(archive, tmp_path)["ok"] is True
    assert "withheld" not in {entry["type"] for entry in entries}


def test_a_range_whose_entries_are_not_the_signed_ones_is_not_completed(cast: Cast, many: Scope) -> None:
    log = proven_log(cast.org_id)
    other = AuditEvent.objects.get(org_id=cast.org_id, sequence=126)
    rewrite(other, hash="0" * 64)
    with pytest.raises(EvidenceUnavailableError, match="does not agree"):
        _made(many, log)


def test_a_changed_entry_is_refused(cast: Cast) -> None:
    intent = sealed_calls(cast.tokens["manager"], 1)[0]
    log = proven_log(cast.org_id)
    rewrite(intent, target_label="Other")
    with pytest.raises(EvidenceUnavailableError, match="Entry 1 was changed"):
        _made(scope_of_call(intent), log)


def test_a_tree_that_disagrees_with_its_signature_proves_nothing(cast: Cast) -> None:
    intent = sealed_calls(cast.tokens["manager"], 2)[0]
    log = proven_log(cast.org_id)
    other = replace(log, nodes=lambda level, index: bytes(32))
    with pytest.raises(EvidenceUnavailableError, match="does not agree"):
        _made(scope_of_call(intent), other)


# The older format


def test_of_the_older_format_nothing_is_left_out_without_a_word(cast: Cast, tmp_path: Path) -> None:
    old = sealed_calls(cast.tokens["manager"], 2, epoch=0, **SECRETS)[0]
    sealed_calls(cast.tokens["manager"], 1, **SECRETS)
    log, scope = proven_log(cast.org_id), _of_tool(cast, "delete_client")
    assert _verdict(_made(scope_of_call(old), log), tmp_path)["ok"] is True
    assert _verdict(_made(scope, log), tmp_path)["ok"] is True
    for options in ({"left_out": frozenset({"note"})}, {"left_out": frozenset(MEMBERS)}):
        with pytest.raises(ChoiceError, match="4 of the entries are in the older format"):
            _made(scope, log, **options)
    archive = _made(scope, log, left_out=frozenset({"arguments"}), withholds_old=True)
    assert b"Qargument" not in b"".join(_files(archive).values())
    assert [entry["sequence"] for entry in _entries(archive)[1:-1]] == [5, 6]
    with pytest.raises(ChoiceError, match="nothing would be left"):
        _made(scope_of_call(old), log, left_out=frozenset({"note"}), withholds_old=True)


def test_withheld_entries_of_the_older_format_are_named_as_such(cast: Cast, tmp_path: Path) -> None:
    for tool, epoch in (("delete_client", 0), ("archive_project", 0), ("delete_client", 1), ("archive_project", 1)):
        sealed_calls(cast.tokens["manager"], 1, tool=tool, epoch=epoch)
    sealed_calls(cast.tokens["manager"], 1)
    log, scope = proven_log(cast.org_id), _of_tool(cast, "delete_client")
    with pytest.raises(ChoiceError, match="2 entries in between are in the older format"):
        _made(scope, log, shows_others=True)
    archive = _made(scope, log, shows_others=True, withholds_old=True)
    kinds = [entry["type"] for entry in _entries(archive)[2:-1]]
    assert kinds == ["event"] * 2 + ["withheld"] * 2 + ["event"] * 6
    assert _verdict(archive, tmp_path)["ok"] is True
    assert "can be tested against guesses" in _files(archive)["report.html"].decode()


# Older checkpoints


def test_the_log_is_proved_to_continue_the_checkpoint_that_a_receiver_kept(cast: Cast, tmp_path: Path) -> None:
    intent = sealed_calls(cast.tokens["manager"], 3)[0]
    before = proven_log(cast.org_id, until=3)
    log = proven_log(cast.org_id, oldest=proven_log(cast.org_id, until=1).note)
    given = before.note.replace("\n", "\r\n").strip()
    archive = _made(scope_of_call(intent), log, older=given)
    assert _files(archive)["consistency.txt"].decode().endswith(before.note)
    kept = tmp_path / "kept"
    kept.write_text(before.note, encoding="utf-8")
    assert _verdict(archive, tmp_path, "--checkpoint", str(kept))["ok"] is True
    # Without one, the oldest that is stored.
    assert _files(_made(scope_of_call(intent), log))["consistency.txt"].decode().endswith(log.oldest)


def test_a_checkpoint_that_the_log_does_not_continue_is_a_finding(cast: Cast) -> None:
    intent = sealed_calls(cast.tokens["manager"], 3)[0]
    log = proven_log(cast.org_id)
    longer = proven_log(cast.org_id)
    shorter = replace(log, statement=replace(log.statement, sequence=2, root="0" * 64))
    key = configured_key()
    for given, said in [
        ("nothing of the kind", "This is no checkpoint"),
        (log.note.replace("/1", "/2"), "of another log"),
        (
            log.note.partition("\n\n")[0] + "\n\n" + TreeHead("x", 1, bytes(32)).signed(key).rpartition("\n\n")[2],
            "no valid",
        ),
        (shorter.head.signed(key), "does not continue"),
        (replace(longer.head, size=7).signed(key), "entries are missing here"),
    ]:
        with pytest.raises(OlderCheckpointError, match=said):
            _made(scope_of_call(intent), log, older=given)
