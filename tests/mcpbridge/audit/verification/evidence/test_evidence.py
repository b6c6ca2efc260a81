"""Both verifiers on evidence: what it proves, what it says, and the name of everything that is done to it."""

import io
import json
import struct
import sys
import zipfile
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest
from django.core.management import CommandError, call_command

from mcpbridge.audit.signing import key_pair
from tests.audit_chains import KEY, NEXT_KEY, STRANGER
from tests.evidence_logs import (
    Line,
    Log,
    a_checkpoint,
    a_row,
    b64,
    consistency_of,
    cosignature_line,
    evidence,
    fingerprint,
    hashed,
    inclusion,
    jsonl,
    key_file,
    key_line,
    note_of,
    proof_of,
    range_line,
    shown,
    signature_line,
    vkey,
    with_manifest,
    withheld,
    zipped,
)
from tests.verifiers import UNUSABLE, run_standalone, standalone, verdict_on_evidence

Files = dict[str, bytes]
WITNESS = key_pair("a witness")


def a_log(rows: int = 12, old: int = 3) -> Log:
    return Log().grow(old, epoch=0).grow(rows - old)


def told(files: Files, *, key: Any = KEY, **more: Any) -> tuple[Any, ...] | None:
    """What both verifiers find first: kind, record, place and id; None if nothing."""
    verdict = verdict_on_evidence(zipped(files), fingerprint(key), **more)
    assert UNUSABLE not in verdict
    bad = verdict["bad"]
    return bad and (bad["kind"], bad["record"], bad["sequence"])


def entries_of(files: Files) -> list[Line]:
    return [json.loads(line) for line in files["entries.jsonl"].splitlines()]


def with_entries(files: Files, change: Callable[[list[Line]], list[Line]], *, is_signed: bool = True) -> Files:
    """The files with other lines between the first and the last one; the manifest fits unless it is not signed anew."""
    first, *lines, _ = entries_of(files)
    lines = change(lines)
    every = [first, *lines, {"type": "end", "lines": len(lines)}]
    made = {**files, "entries.jsonl": b"".join(json.dumps(line).encode() + b"\n" for line in every)}
    return with_manifest(made) if is_signed else made


def with_file(files: Files, name: str, content: bytes | str) -> Files:
    return with_manifest({**files, name: content.encode() if isinstance(content, str) else content})


def without(files: Files, *names: str) -> Files:
    return {name: content for name, content in files.items() if name not in names}


def test_every_row_and_every_range_of_every_small_log_verifies():
    for size in (1, 2, 5, 9):
        log = a_log(size, 0)
        for first in range(1, size + 1):
            assert told(evidence(log, [first])) is None
            for last in range(first, size + 1):
                assert told(evidence(log, [*range(first, last, 3), last], is_range=True)) is None


def test_the_verdict_says_what_is_shown_and_what_is_withheld():
    files = evidence(
        a_log(), [5, 7, 10], is_range=True, reduced=[6, 8], older=4, filters={"tool": "delete_client", "q": "Ana"}
    )
    verdict = verdict_on_evidence(zipped(files), fingerprint())
    (chain,) = verdict["workspaces"]
    assert (chain["rows"], chain["withheld"], chain["left_out"]) == (5, 1, 6)
    about = verdict["evidence"]
    assert (about["made_by"], about["proof"], about["extends"]) == ("ana@example.com", "range", 4)
    assert (about["matching"], about["unjudged"], about["fingerprint"]) == (4, ["q"], fingerprint())
    told = "\n".join(standalone.summary(verdict))
    assert "1 entry is withheld; nothing is known of them." in told
    assert "4 of the entries shown match it." in told
    assert "Not judged, because the entries do not show it: q." in told


def test_the_filter_is_judged_by_what_is_shown():
    log = a_log()
    for filters, matching in (
        ({}, 2),
        ({"tool": "delete_client"}, 1),
        ({"tool": "console.login"}, 1),
        ({"tool": "delete_client", "actor": "Ana"}, 1),
        ({"token_name": "Ben's"}, 0),
        ({"since": "2026-11-23T10:00:06.000000Z"}, 1),
        ({"until": "2026-11-23T10:00:06.000000Z"}, 1),
        ({"sealed": "x", "type": "event"}, 2),
    ):
        verdict = verdict_on_evidence(zipped(evidence(log, [5, 6], filters=filters)), fingerprint())
        assert verdict["evidence"]["matching"] == matching, filters


def test_keys_that_came_with_the_evidence_prove_nothing():
    files = evidence(a_log(), [5], key=STRANGER, keys=[key_line(STRANGER)])
    assert told(files) == ("unknown-key", "manifest", 0)
    assert told(files, key=STRANGER) is None
    assert UNUSABLE in verdict_on_evidence(zipped(files), "")
    without_keys = evidence(a_log(), [5], keys=[])
    assert told(without_keys) == ("unknown-key", "manifest", 0)
    assert told(without_keys, keys=key_file([key_line()])) is None


def test_a_verifier_key_names_the_log():
    log, other = a_log(), Log(name="b.example.com").grow(12)
    files = zipped(evidence(log, [5]))
    assert verdict_on_evidence(files, vkey=vkey(log.origin, KEY))["ok"]
    assert verdict_on_evidence(files, vkey=vkey(other.origin, KEY))["bad"]["kind"] == "bad-epoch"
    restored = log.restored(6).grow(3)
    assert verdict_on_evidence(zipped(evidence(restored, [8])), vkey=vkey(log.origin, KEY))["ok"]


def test_evidence_of_a_restored_log_says_what_was_given_up():
    log = a_log().restored(6).grow(3)
    files = evidence(log, [5, 8], older=4)
    assert told(files) is None
    assert told(evidence(log, [5, 6, 8], is_range=True, older=8)) is None
    verdict = verdict_on_evidence(zipped(files), fingerprint())
    assert [each["given_up_to"] for each in verdict["workspaces"][0]["restores"]] == [12]
    told_text = "\n".join(standalone.summary(verdict))
    assert "The log was restored at 2026-11-23T12:00:00.000000Z (epoch 2): rows 7 to 12" in told_text
    for kept in (note_of(a_log(), 8), note_of(a_log(), 12)):
        assert told(files, checkpoint=kept) == ("bad-epoch", "checkpoint", 10)
    assert told(without_restores(files)) == ("bad-epoch", "checkpoint", 10)


def without_restores(files: Files) -> Files:
    return with_entries(files, lambda lines: [line for line in lines if line["type"] != "restore"])


def test_after_a_lost_key_the_new_fingerprint_is_needed():
    log = a_log().restored(6, key=NEXT_KEY, lost=KEY).grow(3)
    files = evidence(log, [8], key=NEXT_KEY, keys=[key_line(), key_line(NEXT_KEY)], older=5)
    assert told(files, key=NEXT_KEY) is None
    assert told(files) == ("unknown-key", "manifest", 0)


def test_an_older_checkpoint_that_was_kept_must_be_extended():
    log, other = a_log(), Log().grow(12, tool="get_me")
    files = evidence(log, [5], older=4)
    assert told(files, checkpoint=note_of(log, 4)) is None
    assert told(files, checkpoint=json.dumps(a_checkpoint(log, 4))) is None
    assert told(files, checkpoint=note_of(log, 12)) is None
    for kept in (note_of(log, 6), note_of(other, 4), note_of(other, 12), note_of(Log().grow(13), 13)):
        assert told(files, checkpoint=kept) == ("inconsistent", "checkpoint", 12)
    assert told(files, checkpoint=note_of(Log(name="b.example.com").grow(4), 4))[0] == "bad-epoch"
    assert told(evidence(log, [5]), checkpoint=note_of(log, 4)) == ("inconsistent", "checkpoint", 12)
    assert UNUSABLE in verdict_on_evidence(zipped(files), fingerprint(), checkpoint=note_of(log, 4, key=STRANGER))


def test_a_witness_that_was_named_must_have_cosigned():
    log = a_log()
    named = vkey("w.example/1", WITNESS, 4)
    cosigned = a_checkpoint(log, 12, witnesses={"w.example/1": WITNESS})
    verdict = verdict_on_evidence(zipped(evidence(log, [5], checkpoint=cosigned)), fingerprint(), witnesses=[named])
    assert verdict["ok"]
    assert verdict["workspaces"][0]["cosigned"] == [
        {"name": "w.example/1", "at": "2026-11-23T11:15:00Z", "sequence": 12}
    ]
    assert told(evidence(log, [5]), witnesses=[named]) == ("unsigned", "checkpoint", 12)
    text = cosigned["note"].split("\n\n")[0] + "\n"
    wrong = {**cosigned, "note": note_of(log, 12, more=cosignature_line(f"{text} ", "w.example/1", WITNESS))}
    assert told(evidence(log, [5], checkpoint=wrong), witnesses=[named]) == ("wrong-key", "checkpoint", 12)
    assert told(evidence(log, [5], checkpoint=wrong)) is None


def test_a_manifest_is_signed_by_the_key_of_the_checkpoint_or_a_later_one():
    log, keys = a_log(), [key_line(), key_line(NEXT_KEY, KEY)]
    later = evidence(log, [5], keys=keys)
    assert told(with_manifest(later, key=NEXT_KEY)) is None
    signed = evidence(log, [5], keys=keys, checkpoint=a_checkpoint(log, 12, key=NEXT_KEY))
    assert told(with_manifest(signed)) == ("retired-key", "manifest", 0)


def test_evidence_that_only_a_key_before_the_given_one_signed_is_warned_of():
    files = zipped(evidence(a_log(), [5], keys=[key_line(), key_line(NEXT_KEY, KEY)]))
    for given, warned in ((KEY, []), (NEXT_KEY, [("checkpoint", 12)])):
        verdict = verdict_on_evidence(files, fingerprint(given))
        assert verdict["ok"]
        warnings = verdict["workspaces"][0]["warnings"]
        assert [(each["record"], each["sequence"]) for each in warnings] == warned


# Mutations.


def _single(change: Callable[[Line], Line]) -> Files:
    """Evidence for row 5, of which the line was changed."""
    return with_entries(evidence(a_log(), [5]), lambda lines: [change(lines[0])])


def _range(change: Callable[[list[Line]], list[Line]]) -> Files:
    """Evidence for rows 4 to 10, of which 6 and 8 are withheld; the lines are the range and the rows."""
    return with_entries(evidence(a_log(), [4, 5, 7, 9, 10], is_range=True), change)


def _set(place: int, **changes: Any) -> Callable[[list[Line]], list[Line]]:
    return lambda lines: [*lines[:place], {**lines[place], **changes}, *lines[place + 1 :]]


def _drop(place: int) -> Callable[[list[Line]], list[Line]]:
    return lambda lines: [*lines[:place], *lines[place + 1 :]]


def _proof(text: Callable[[Log], str], name: str = "proofs/5.tlog-proof") -> Files:
    return with_file(evidence(a_log(), [5]), name, text(a_log()))


def _consistency(text: Callable[[Log], str]) -> Files:
    return with_file(evidence(a_log(), [5], older=4), "consistency.txt", text(a_log()))


def _rewritten() -> Log:
    """Another log of the same length that shares the first three rows."""
    return Log().grow(3, epoch=0).grow(9, tool="get_me")


def _does_not_chain(*, is_range: bool) -> Files:
    """The signed tree has a row 6 that does not follow row 5."""
    log = a_log()
    log.rows[5] = a_row(6, "ab" * 32)
    for place in range(7, 13):
        log.rows[place - 1] = a_row(place, log.rows[place - 2]["hash"])
    return evidence(log, [5, 6], is_range=is_range)


def _last_row_differs() -> Files:
    log = a_log()
    said = a_checkpoint(log, 12, hash="ab" * 32)
    return evidence(log, [12], checkpoint=said)


def _other_genesis() -> Files:
    log = Log()
    log.rows = [a_row(1, "ab" * 32)]
    return evidence(log.grow(3), [1])


def _filtered_otherwise() -> Files:
    files = evidence(a_log(), [5], filters={"tool": "delete_client"})
    return with_manifest(files, filters={"tool": "get_me"})


BARE = evidence(a_log(), [5])
NOTE = BARE["checkpoint"].decode()
MUTATIONS: dict[str, tuple[Callable[[], Files], tuple[str, str, int]]] = {
    "fact changed": (lambda: _single(lambda row: {**row, "role": "MEMBER"}), ("edited", "event", 5)),
    "fact changed and hashed": (
        lambda: _single(lambda row: hashed({**row, "role": "MEMBER"})),
        ("bad-proof", "event", 5),
    ),
    "value changed": (lambda: _single(lambda row: {**row, "note": "other"}), ("bad-salt", "event", 5)),
    "salt changed": (
        lambda: _single(lambda row: {**shown(row, ["note"]), "salts": {"note": "ab" * 32}}),
        ("bad-salt", "event", 5),
    ),
    "salt of 31 bytes": (
        lambda: _single(lambda row: {**shown(row, ["note"]), "salts": {"note": "ab" * 31}}),
        ("bad-salt", "event", 5),
    ),
    "row of another workspace": (lambda: _single(lambda row: {**row, "workspace": "org-2"}), ("inserted", "event", 5)),
    "row of another epoch": (lambda: evidence(a_log(4).grow(1, epoch=2).grow(7), [5]), ("bad-epoch", "event", 5)),
    "row without a proof": (
        lambda: with_manifest(without(BARE, "proofs/5.leaf", "proofs/5.tlog-proof")),
        ("unsigned", "event", 5),
    ),
    "withheld row without a range": (
        lambda: with_entries(BARE, lambda lines: [withheld(a_log().rows[3]), *lines]),
        ("unsigned", "event", 4),
    ),
    "row twice": (lambda: with_entries(BARE, lambda lines: [*lines, *lines]), ("reordered", "event", 5)),
    "rows in another order": (
        lambda: with_entries(evidence(a_log(), [5, 7]), lambda lines: lines[::-1]),
        ("reordered", "event", 5),
    ),
    "rows that do not chain": (lambda: _does_not_chain(is_range=False), ("forked", "event", 6)),
    "range that does not chain": (lambda: _does_not_chain(is_range=True), ("forked", "event", 6)),
    "last row is another one": (_last_row_differs, ("forked", "event", 12)),
    "another genesis": (_other_genesis, ("other-genesis", "event", 1)),
    "proof of another tree": (lambda: _proof(lambda log: proof_of(_rewritten(), 5, NOTE)), ("bad-proof", "event", 5)),
    "proof of another size": (lambda: _proof(lambda log: proof_of(log, 5, NOTE, 11)), ("bad-proof", "event", 5)),
    "index moved": (
        lambda: _proof(lambda log: proof_of(log, 5, NOTE).replace("index 4", "index 5")),
        ("bad-proof", "event", 5),
    ),
    "index with a zero in front": (
        lambda: _proof(lambda log: proof_of(log, 5, NOTE).replace("index 4", "index 04")),
        ("bad-proof", "event", 5),
    ),
    "proof that is too long": (
        lambda: _proof(lambda log: proof_of(log, 5, NOTE).replace("index 4", f"index 4\n{b64(bytes(32))}")),
        ("bad-proof", "event", 5),
    ),
    "proof that is too short": (
        lambda: _proof(lambda log: proof_of(log, 5, NOTE).replace(f"{b64(inclusion(4, log.leaves())[-1])}\n", "")),
        ("bad-proof", "event", 5),
    ),
    "proof with a short hash": (
        lambda: _proof(lambda log: proof_of(log, 5, NOTE).replace("index 4", f"index 4\n{b64(bytes(31))}")),
        ("bad-proof", "event", 5),
    ),
    "proof with an extra line": (
        lambda: _proof(lambda log: proof_of(log, 5, NOTE).replace("index 4", "extra AA==\nindex 4")),
        ("bad-proof", "event", 5),
    ),
    "proof in another format": (
        lambda: _proof(lambda log: proof_of(log, 5, NOTE).replace("proof@v1", "proof@v2")),
        ("bad-proof", "event", 5),
    ),
    "proof without a checkpoint": (
        lambda: _proof(lambda log: proof_of(log, 5, NOTE).split("\n\n")[0] + "\n"),
        ("bad-proof", "event", 5),
    ),
    "proof of an older checkpoint": (
        lambda: _proof(lambda log: proof_of(log, 5, note_of(log, 11))),
        ("bad-proof", "event", 5),
    ),
    "empty proof": (lambda: _proof(lambda log: ""), ("bad-proof", "event", 5)),
    "another leaf": (
        lambda: with_file(BARE, "proofs/5.leaf", bytes.fromhex(a_log().rows[5]["hash"])),
        ("bad-proof", "event", 5),
    ),
    "withheld hash changed": (lambda: _range(_set(3, hash="ab" * 32)), ("forked", "event", 7)),
    "withheld hash before another one changed": (
        lambda: with_entries(evidence(a_log(), [4, 10], is_range=True), _set(3, hash="ab" * 32)),
        ("bad-proof", "range", 10),
    ),
    "withheld row dropped": (lambda: _range(_drop(3)), ("removed", "event", 6)),
    "shown row dropped": (lambda: _range(_drop(2)), ("removed", "event", 5)),
    "last row dropped": (lambda: _range(_drop(7)), ("removed", "event", 10)),
    "row inserted": (lambda: _range(lambda lines: [*lines, a_log().rows[10]]), ("inserted", "event", 11)),
    "row of a range twice": (
        lambda: _range(lambda lines: [*lines[:3], lines[2], *lines[3:]]),
        ("reordered", "event", 5),
    ),
    "fact in a range changed": (lambda: _range(_set(2, role="MEMBER")), ("edited", "event", 5)),
    "range of another size": (lambda: _range(_set(0, size=11)), ("bad-proof", "range", 4)),
    "range of another log": (lambda: _range(_set(0, origin="b.example.com/org-1/1")), ("bad-proof", "range", 4)),
    "range beyond the log": (lambda: _range(_set(0, last=13)), ("bad-proof", "range", 4)),
    "range that ends before it begins": (lambda: _range(_set(0, last=3)), ("bad-proof", "range", 4)),
    "left side changed": (lambda: _range(_set(0, left=["ab" * 32, "cd" * 32])), ("bad-proof", "range", 10)),
    "left side too short": (lambda: _range(_set(0, left=["ab" * 32])), ("bad-proof", "range", 4)),
    "right side changed": (lambda: _range(_set(0, right=["ab" * 32])), ("bad-proof", "range", 10)),
    "right side too long": (lambda: _range(_set(0, right=["ab" * 32] * 2)), ("bad-proof", "range", 4)),
    "checkpoint of a stranger": (
        lambda: with_manifest(evidence(a_log(), [5], checkpoint=a_checkpoint(a_log(), 12, key=STRANGER))),
        ("unknown-key", "checkpoint", 12),
    ),
    "note of another size": (
        lambda: with_file(BARE, "checkpoint", note_of(a_log(), 11)),
        ("inconsistent", "checkpoint", 12),
    ),
    "note with CRLF": (
        lambda: with_file(BARE, "checkpoint", NOTE.replace("\n", "\r\n")),
        ("bad-proof", "checkpoint", 12),
    ),
    "note with an extension line": (
        lambda: with_file(
            BARE,
            "checkpoint",
            (text := NOTE.split("\n\n")[0] + "\nmore\n") + "\n" + signature_line(text, a_log().origin, KEY),
        ),
        ("bad-proof", "checkpoint", 12),
    ),
    "older checkpoint of a stranger": (
        lambda: _consistency(lambda log: consistency_of(log, 4, note_of(log, 4, key=STRANGER))),
        ("unknown-key", "checkpoint", 12),
    ),
    "older checkpoint of another tree": (
        lambda: _consistency(lambda log: consistency_of(log, 4, note_of(_rewritten(), 4))),
        ("inconsistent", "checkpoint", 12),
    ),
    "older checkpoint of another size": (
        lambda: _consistency(lambda log: consistency_of(log, 4, note_of(log, 5))),
        ("inconsistent", "checkpoint", 12),
    ),
    "older checkpoint of an empty log": (
        lambda: _consistency(lambda log: consistency_of(log, 4, note_of(Log(), 0))),
        ("inconsistent", "checkpoint", 12),
    ),
    "older checkpoint that is newer": (
        lambda: _consistency(lambda log: consistency_of(log, 4, note_of(a_log(13), 13))),
        ("inconsistent", "checkpoint", 12),
    ),
    "older checkpoint of another log": (
        lambda: _consistency(lambda log: consistency_of(log, 4, note_of(Log(log.rows, name="b.example.com"), 4))),
        ("bad-epoch", "checkpoint", 12),
    ),
    "consistency proof in another format": (
        lambda: _consistency(lambda log: consistency_of(log, 4).replace("consistency-1", "consistency-2")),
        ("bad-proof", "checkpoint", 12),
    ),
    "consistency proof without a note": (
        lambda: _consistency(lambda log: "hoursmith-consistency-1\n\n"),
        ("bad-proof", "checkpoint", 12),
    ),
    "manifest of a stranger": (lambda: with_manifest(BARE, key=STRANGER), ("unknown-key", "manifest", 0)),
    "manifest of another workspace": (lambda: with_manifest(BARE, workspace="org-2"), ("inconsistent", "manifest", 0)),
    "manifest of other filters": (_filtered_otherwise, ("edited", "event", 0)),
    "file changed": (lambda: {**BARE, "report.html": b"other"}, ("edited", "file", 0)),
    "foreign verifier": (lambda: {**BARE, "verify_audit.py": b"print('fine')"}, ("edited", "file", 0)),
    "file added": (lambda: {**BARE, "consistency.txt": consistency_of(a_log(), 4).encode()}, ("inserted", "file", 0)),
    "file removed": (lambda: without(BARE, "report.html"), ("removed", "file", 0)),
    "entries changed": (
        lambda: with_entries(BARE, lambda lines: [{**lines[0], "type": "event", "role": "X"}], is_signed=False),
        ("edited", "event", 5),
    ),
    "restore of a stranger": (
        lambda: with_entries(
            evidence(a_log().restored(6).grow(3), [8]),
            lambda lines: [{**lines[0], "key_id": STRANGER.key_id}, *lines[1:]],
        ),
        ("unknown-key", "restore", 7),
    ),
    "restore that kept another row": (
        lambda: evidence(_restored_otherwise(), [6, 8]),
        ("forked", "event", 6),
    ),
}


def _restored_otherwise() -> Log:
    other = a_log()
    other.rows[5] = a_row(6, other.rows[4]["hash"], tool="get_me")
    log = a_log().restored(6).grow(3)
    log.restores = other.restored(6).restores
    return log


@pytest.mark.parametrize("name", MUTATIONS)
def test_each_mutation_is_named_by_both_verifiers(name):
    build, expected = MUTATIONS[name]
    assert told(build()) == expected


def _manifest(**changes: Any) -> Files:
    return {**BARE, "manifest.json": json.dumps({**json.loads(BARE["manifest.json"]), **changes}).encode()}


def test_a_manifest_that_was_changed_is_not_signed():
    for changes in ({"made_by": "ben@example.com"}, {"at": "2027"}, {"files": {}}, {"filters": {"tool": "x"}}):
        assert told(_manifest(**changes)) == ("wrong-key", "manifest", 0)


@pytest.mark.parametrize(
    "files",
    [
        *(
            without(BARE, name)
            for name in ("README.txt", "entries.jsonl", "checkpoint", "checkpoint.json", "keys.json")
        ),
        *(without(BARE, "manifest.json"), without(BARE, "proofs/5.leaf"), without(BARE, "proofs/5.tlog-proof")),
        *({**BARE, name: b""} for name in ("entries.jsonl", "checkpoint.json", "keys.json", "manifest.json")),
        *({**BARE, name: b"{}"} for name in ("checkpoint.json", "keys.json", "manifest.json")),
        *({**BARE, name: b"\xff"} for name in ("checkpoint", "proofs/5.tlog-proof")),
        *(
            {**BARE, name: b""}
            for name in ("../README.txt", "/README.txt", "readme.txt", "x", "proofs/", "proofs/0.leaf")
        ),
        *({**BARE, name: b""} for name in ("proofs/05.leaf", "proofs/6.leaf", "README.txt/", "README.txt\\x")),
        *(_manifest(filters=[]), _manifest(files={"x": 1}), _manifest(format="other"), _manifest(at=None)),
        {**BARE, "keys.json": b'{"keys":[1]}'},
        {**BARE, "keys.json": b'{"keys":1}'},
        {**BARE, "manifest.json": b'{"format":1,"format":1}'},
        {**BARE, "checkpoint.json": json.dumps({"type": "cut"}).encode()},
        with_entries(BARE, lambda lines: [*lines, a_checkpoint(a_log(), 12)]),
        with_entries(BARE, lambda lines: [*lines, key_line()]),
        with_entries(BARE, lambda lines: [*lines, a_log().restored(5).restores[0]]),
        with_entries(BARE, lambda lines: [*lines, range_line(a_log(), 5, 6)]),
        with_entries(BARE, lambda lines: [range_line(a_log(), 5, 6), range_line(a_log(), 5, 6)]),
        with_entries(BARE, lambda lines: [{"type": "restore"}, *lines]),
        with_entries(BARE, lambda lines: [{"type": "withheld", "sequence": "1", "hash": "ab" * 32}]),
        with_entries(BARE, lambda lines: [{"type": "withheld", "sequence": 1, "hash": "AB" * 32}]),
        {**BARE, "entries.jsonl": b"".join(BARE["entries.jsonl"].splitlines(keepends=True)[:-1])},
        {**BARE, "entries.jsonl": BARE["entries.jsonl"] + b"{}\n"},
    ],
)
def test_what_is_not_evidence_cannot_be_used(files):
    assert UNUSABLE in verdict_on_evidence(zipped(files), fingerprint())


def test_two_files_of_one_name_cannot_be_used():
    with pytest.warns(UserWarning, match="Duplicate name"):
        archive = zipped([*BARE.items(), ("README.txt", b"other")])
    assert UNUSABLE in verdict_on_evidence(archive, fingerprint())


def test_what_is_no_archive_or_a_broken_one_cannot_be_used():
    whole = zipped(BARE)
    for archive in (b"", b"PK", whole[:-30], whole[:200], whole[200:], b"PK\3\4" + bytes(100)):
        assert UNUSABLE in verdict_on_evidence(archive, fingerprint())
    start = whole.index(b"entries.jsonl") + len("entries.jsonl")
    assert UNUSABLE in verdict_on_evidence(whole[:start] + b"\xff" * 20 + whole[start + 20 :], fingerprint())


def test_files_that_are_larger_than_they_say_or_too_large_cannot_be_used():
    whole = bytearray(zipped({**BARE, "README.txt": bytes(100_000)}))
    at = whole.rindex(b"PK\1\2", 0, whole.rindex(b"README.txt"))
    for size in (10, 99_999, 100_001, 65 * 2**20, 2**32 - 2):
        whole[at + 24 : at + 28] = struct.pack("<I", size)
        assert UNUSABLE in verdict_on_evidence(bytes(whole), fingerprint())


def test_a_bomb_is_not_unpacked():
    made = io.BytesIO()
    with zipfile.ZipFile(made, "w", zipfile.ZIP_DEFLATED) as archive:
        for name, content in BARE.items():
            if name != "README.txt":
                archive.writestr(name, content)
        with archive.open("README.txt", "w") as file:
            for _ in range(65):
                file.write(bytes(2**20))
    assert UNUSABLE in verdict_on_evidence(made.getvalue(), fingerprint())


def test_too_many_files_cannot_be_used():
    many = {**BARE, **{f"proofs/{number}.{end}": b"" for number in range(6, 260) for end in ("leaf", "tlog-proof")}}
    assert UNUSABLE in verdict_on_evidence(zipped(many), fingerprint())


def test_other_ways_to_compress_or_encrypt_cannot_be_used():
    made = io.BytesIO()
    with zipfile.ZipFile(made, "w", zipfile.ZIP_BZIP2) as archive:
        for name, content in BARE.items():
            archive.writestr(name, content)
    assert UNUSABLE in verdict_on_evidence(made.getvalue(), fingerprint())
    whole = bytearray(zipped(BARE))
    at = whole.rindex(b"PK\1\2", 0, whole.rindex(b"checkpoint.json"))
    whole[at + 8] |= 1
    assert UNUSABLE in verdict_on_evidence(bytes(whole), fingerprint())


# The commands.


def run_both(path: Path, *options: str) -> tuple[int, str, str]:
    """Both verifiers as commands, which must agree: exit status, standard output of the stand-alone one, its errors."""
    alone = run_standalone(str(path), *options)
    status, out = 0, io.StringIO()
    try:
        call_command("audit_verify", *options, export=str(path), stdout=out)
    except SystemExit as ending:
        status = int(ending.code or 0)
    except CommandError as error:
        status = error.returncode
    assert status == alone.returncode, alone
    assert (out.getvalue() + alone.stdout.decode()).replace("\n", "").isprintable()
    return status, alone.stdout.decode(), alone.stderr.decode()


def test_both_commands_take_evidence(tmp_path):
    path, kept, log = tmp_path / "evidence.zip", tmp_path / "kept", a_log()
    path.write_bytes(zipped(evidence(log, [5], older=4)))
    kept.write_bytes(note_of(log, 4).encode())
    given = ("--fingerprint", fingerprint())
    status, told, errors = run_both(path, *given)
    assert (status, errors) == (0, "")
    assert f"VERIFIED: 1 entry of the audit log {log.origin}" in told
    assert run_both(path, *given, "--checkpoint", str(kept))[0] == 0
    assert run_both(path, "--vkey", vkey(log.origin, KEY))[0] == 0
    assert run_both(path, *given, "--witness", vkey("w", WITNESS, 4))[0] == 1
    for unusable in ((), (*given, "--partial"), (*given, "--checkpoint", str(path))):
        assert run_both(path, *unusable)[0] == 2
    path.write_bytes(zipped({**BARE, "report.html": b"other"}))
    status, told, _ = run_both(path, *given)
    assert status == 1
    assert "BAD: edited, file" in told


def test_nothing_in_evidence_writes_to_the_terminal_as_it_likes(tmp_path):
    path, forged = tmp_path / "evidence.zip", "\x1b[1A\x1b[2K\rVERIFIED\n\u202e"
    path.write_bytes(zipped(_single(lambda row: {**row, "id": forged})))
    status, told, _ = run_both(path, "--fingerprint", fingerprint())
    assert status == 1
    assert r"(\u001b[1A\u001b[2K\u000dVERIFIED\u000a\u202e)" in told
    path.write_bytes(zipped({**BARE, forged: b""}))
    assert "VERIFIED" in run_both(path, "--fingerprint", fingerprint())[2]


def test_the_stand_alone_verifier_reads_evidence_from_standard_input():
    told = run_standalone("-", "--fingerprint", fingerprint(), given=zipped(BARE))
    assert (told.returncode, told.stderr) == (0, b"")


def test_the_stand_alone_verifier_needs_nothing_but_cryptography():
    source = Path(standalone.__file__ or "").read_text(encoding="utf-8")
    imported = {line.split()[1].split(".")[0] for line in source.splitlines() if line.startswith(("import ", "from "))}
    assert imported - set(sys.stdlib_module_names) == {"cryptography"}


def test_jsonl_of_the_builder_has_the_lines_that_it_says():
    assert json.loads(jsonl([])[-1]) == {"type": "end", "lines": 0}
