"""Both verifiers on exports: as processes, on whole, filtered, cut off and unusable ones, and whom they trust."""

import io
import json
from collections.abc import Sequence
from dataclasses import replace
from pathlib import Path

import pytest
from django.core.management import CommandError, call_command

from mcpbridge.audit.hashchain import Head, genesis
from mcpbridge.audit.verification import OutsideHead, UnusableInputError, trust_from_text, verify
from mcpbridge.audit.verification.announcements import fingerprint_of
from tests.audit_chains import (
    KEY,
    NEXT_KEY,
    STRANGER,
    WORKSPACE,
    a_chain,
    a_checkpoint,
    a_key,
    an_event,
    changed,
    export_of,
    head_of,
    key_file,
    pem,
    rows_behind,
)
from tests.payloads import ATTACKS, LENGTH, expected, first_bad, untouched
from tests.verifiers import UNUSABLE, finding_in, fingerprint_in, run_standalone, standalone, verdict_on


@pytest.fixture
def files(tmp_path: Path) -> tuple[Path, Path]:
    """Where an export and a key file may lie."""
    return tmp_path / "export.jsonl", tmp_path / "key.json"


def run_both(files: tuple[Path, Path], lines: Sequence[bytes], keys: str, *options: str) -> tuple[int, str, str]:
    """Both verifiers as commands, which must agree: exit status, standard output of the stand-alone one, its errors."""
    export, key = files
    export.write_bytes(b"".join(lines))
    key.write_text(keys)
    if given := fingerprint_in(keys):
        options = (*options, "--fingerprint", given)
    alone = run_standalone(str(export), str(key), *options)
    out = io.StringIO()
    status = 0
    try:
        call_command("audit_verify", *options, export=str(export), key=str(key), stdout=out)
    except SystemExit as ending:
        status = int(ending.code or 0)
    except CommandError as error:
        status = error.returncode
    assert status == alone.returncode, (out.getvalue(), alone)
    return status, alone.stdout.decode(), alone.stderr.decode()


def test_an_untouched_export_passes_both_commands(files):
    status, told, errors = run_both(files, export_of(untouched()), key_file())
    assert (status, errors) == (0, "")
    assert f"{WORKSPACE}: 8 rows from the beginning, 4 checkpoints" in told


@pytest.mark.parametrize("name", ATTACKS)
def test_each_attack_is_found_by_both_commands(name, files):
    attack = ATTACKS[name]()
    status, told, errors = run_both(files, export_of(attack.records, [WORKSPACE, "org-2"]), key_file(), "--json")
    assert (status, errors) == (1, "")
    assert first_bad(json.loads(told)) == expected(attack)
    status, told, _ = run_both(files, export_of(attack.records), key_file())
    assert status == 1
    assert f"BAD: {attack.kind}, " in told
    assert f"at row {attack.sequence}" in told


@pytest.mark.parametrize("name", ATTACKS)
def test_each_attack_is_found_in_records_and_in_exports(name):
    attack = ATTACKS[name]()
    bad = finding_in(attack.records)
    assert bad is not None
    assert first_bad({"bad": bad}) == expected(attack)


def test_a_head_kept_outside_shows_a_cut_that_nothing_else_shows(files):
    rows = rows_behind(genesis(WORKSPACE), 5)
    kept = head_of(rows[-1])
    export = export_of(a_chain(0, (2, 3), rows=rows[:3]))
    assert run_both(files, export, key_file())[0] == 0
    for head in (kept.hash, kept.hash.upper(), f"5:{kept.hash}"):
        status, told, _ = run_both(files, export, key_file(), "--head", head)
        assert status == 1
        assert "cut-tail, event at row 4" in told


def test_a_head_that_is_none_cannot_be_used(files):
    for head in ("abc", "x" * 64, f"+1:{'0' * 64}", f"1:2:{'0' * 64}"):
        status, told, errors = run_both(files, export_of(untouched()), key_file(), "--head", head)
        assert (status, told) == (2, "")
        assert "64 hexadecimal digits" in errors


def test_a_head_below_the_cut_has_nothing_to_be_compared_with():
    rows = rows_behind(genesis(WORKSPACE), 6)
    lines = export_of(a_chain(0, (6,), cut=4, rows=rows))
    assert UNUSABLE in verdict_on(lines, head=f"2:{rows[1].hash}")
    assert verdict_on(lines, head=f"4:{rows[3].hash}")["ok"]
    assert verdict_on(lines, head=rows[3].hash)["ok"]


def test_a_head_needs_one_chain():
    lines = export_of([*untouched(), *a_chain(2, (2,), workspace="org-2")], [WORKSPACE, "org-2"])
    head = rows_behind(genesis("org-2"), 2, "org-2")[-1].hash
    assert UNUSABLE in verdict_on(lines, head=head)
    assert verdict_on(lines, head=head, only="org-2")["ok"]
    assert verdict_on(lines, head=head, only=WORKSPACE)["bad"]["kind"] == "cut-tail"


def test_a_workspace_that_vanished_shows_against_a_head_kept_outside():
    lines = export_of(untouched())
    assert UNUSABLE in verdict_on(lines, only="org-9")
    verdict = verdict_on(lines, only="org-9", head="0" * 64)
    assert (verdict["bad"]["kind"], verdict["bad"]["sequence"]) == ("cut-tail", 1)


def test_each_workspace_has_a_verdict_of_its_own():
    broken = ATTACKS["edit"]()
    other = a_chain(3, (3,), workspace="org-2")
    verdict = verdict_on(export_of([*other, *broken.records], ["org-2", WORKSPACE, "org-3"]))
    assert [(chain["workspace"], chain["rows"], bool(chain["bad"])) for chain in verdict["workspaces"]] == [
        ("org-2", 3, False),
        (WORKSPACE, 8, True),
        ("org-3", 0, True),
    ]
    assert first_bad(verdict) == expected(broken)
    assert verdict_on(export_of([*other, *broken.records], ["org-2", WORKSPACE]), only="org-2")["ok"]


def test_the_report_says_how_far_checkpoints_vouch():
    rows = rows_behind(genesis(WORKSPACE), 9)
    lines = export_of(a_chain(0, (3, 4, 4, 7), cut=4, rows=rows))
    bad = verdict_on(lines)["bad"]
    assert (bad["kind"], bad["sequence"], bad["until"]) == ("unsigned", 8, 9)
    (chain,) = verdict_on(lines, tail=True)["workspaces"]
    assert chain["bad"] is None
    assert (chain["rows"], chain["checkpoints"], chain["behind"]) == (5, 4, 4)
    assert (chain["vouched"], chain["sequence"], chain["hash"]) == (7, 9, rows[8].hash)


def test_a_chain_that_was_removed_up_to_its_end_holds_and_a_checkpoint_behind_it_does_not():
    rows = rows_behind(genesis(WORKSPACE), 6)
    assert verdict_on(export_of(a_chain(0, (2, 6), cut=6, rows=rows)))["ok"]
    emptied = [each for each in a_chain(0, (6,), cut=4, rows=rows) if each not in rows]
    assert verdict_on(export_of(emptied))["bad"]["sequence"] == 5


def test_rows_that_remain_below_a_later_cut_are_compared_with_it():
    rows = rows_behind(genesis(WORKSPACE), 6)
    later = a_chain(0, cut=4, rows=rows)[:2]
    last = a_checkpoint(head_of(rows[-1]))
    assert verdict_on(export_of([*later, *rows, last]))["ok"]
    earlier = a_chain(0, cut=2, rows=rows)
    assert verdict_on(export_of([earlier[0], earlier[1], later[1], *rows[2:], last]))["ok"]
    rewritten = [*rows[:2], *rows_behind(head_of(rows[1]), 4, tool="get_me")]
    bad = verdict_on(export_of([earlier[0], earlier[1], later[1], *rewritten[2:]]))["bad"]
    assert (bad["kind"], bad["sequence"], bad["until"]) == ("replaced", 3, 4)


FILTERED = {"filters": {"tool": "delete_client"}}


def test_a_filtered_export_proves_itself_only_in_part(files):
    rows = rows_behind(genesis(WORKSPACE), 9)
    some = [rows[1], rows[2], rows[5], a_checkpoint(head_of(rows[5])), rows[8]]
    lines = export_of([a_key(), *some], **FILTERED)
    status, told, errors = run_both(files, lines, key_file())
    assert (status, told) == (2, "")
    assert "filtered" in errors
    status, told, errors = run_both(files, lines, key_file(), "--partial", "--json")
    assert (status, errors) == (1, "")
    bad = json.loads(told)["bad"]
    assert (bad["kind"], bad["sequence"]) == ("unsigned", 2)
    (chain,) = json.loads(told)["workspaces"]
    assert (chain["rows"], chain["left_out"], chain["vouched"], chain["checkpoints"]) == (4, 5, 6, 1)
    assert UNUSABLE in verdict_on(export_of([a_key(), *some], filters={}, complete=False))


def test_a_filtered_export_is_still_told_from_a_changed_one():
    rows = rows_behind(genesis(WORKSPACE), 9)
    edited = changed(rows[5], role="MEMBER")
    bad = verdict_on(export_of([a_key(), rows[1], edited, rows[8]], **FILTERED), partial=True)["bad"]
    assert (bad["kind"], bad["sequence"], bad["id"]) == ("edited", 6, edited.id)
    renumbered = changed(rows[5], sequence=5)
    bad = verdict_on(export_of([a_key(), rows[1], renumbered, rows[8]], **FILTERED), partial=True)["bad"]
    assert (bad["kind"], bad["sequence"], bad["id"]) == ("edited", 5, renumbered.id)
    linked = rows_behind(Head(3, "ab" * 32), 1)
    bad = verdict_on(export_of([a_key(), rows[2], *linked], **FILTERED), partial=True)["bad"]
    assert (bad["kind"], bad["sequence"]) == ("edited", 3)


HEADER = export_of([])[0]
END = b'{"type":"end","lines":%d}\n'


@pytest.mark.parametrize(
    "lines",
    [
        [],
        [b"\n"],
        [b"not JSON\n"],
        [b"[]\n"],
        [b'{"type":"export","format":"other","workspaces":[]}\n', END % 0],
        [b'{"type":"export","format":"hoursmith-audit-1"}\n', END % 0],
        [b'{"type":"export","format":"hoursmith-audit-1","workspaces":[1]}\n', END % 0],
        [HEADER],
        [HEADER, END % 1],
        [HEADER, END % 0, END % 0],
        [HEADER, b'{"type":"event"}\n', END % 1],
        [HEADER, b'{"type":"event","workspace":1,"sequence":1}\n', END % 1],
        [HEADER, b'{"type":"event","workspace":"org-1"}\n', END % 1],
        [HEADER, b'{"type":"something"}\n', END % 1],
        [HEADER, b"{}\n", END % 1],
        [HEADER, b'{"type":"key"}\n', END % 1],
        [HEADER, b'{"type":"checkpoint","workspace":"org-1","sequence":"1"}\n', END % 1],
        [
            HEADER,
            b'{"type":"cut","workspace":"o","sequence":1,"hash":"","at":"","key_id":"","signature":""}\n',
            END % 1,
        ],
        [HEADER, b'{"type":"end","lines":NaN}\n'],
        [HEADER, b'{"type":"end","lines":"0"}\n'],
        [HEADER, b'{"type":"end","lines":0,"lines":0}\n'],
        [HEADER, b"[" * 100_000 + b"\n"],
        [HEADER, b'{"type":"event","workspace":"org-1","sequence":1}'[:-4]],
    ],
)
def test_what_is_no_export_or_not_all_of_one_cannot_be_used(lines):
    assert UNUSABLE in verdict_on(lines)


def test_an_export_that_broke_off_is_not_taken_for_a_short_one():
    lines = export_of(untouched())
    for end in range(2, len(lines)):
        verdict = verdict_on(lines[:end])
        assert UNUSABLE in verdict or verdict["bad"]["kind"] == "cut-tail"


def test_a_row_that_says_two_things_under_one_name_cannot_be_used():
    lines = export_of(untouched())
    lines[3] = lines[3].replace(b'"role":"OWNER"', b'"role":"MEMBER","role":"OWNER"')
    assert UNUSABLE in verdict_on(lines)


def test_spacing_and_the_order_of_names_do_not_matter():
    lines = [
        json.dumps(dict(reversed(json.loads(line).items())), indent=1).replace("\n", " ").encode() + b"\r\n"
        for line in export_of(untouched())
    ]
    assert verdict_on(lines)["ok"]


@pytest.mark.parametrize(
    "values",
    [
        {"sequence": True},
        {"sequence": "4"},
        {"sequence": None},
        {"sequence": 2**70},
        {"sequence": -4},
        {"status": 2**53},
        {"duration_ms": 2**60},
        {"id": 5},
        {"id": None},
        {"tool": "\ud800"},
        {"format": "hoursmith-audit-2"},
        {"unheard-of": 1},
        {"\ud800": 1},
        {"snapshot": [[[[]]]]},
    ],
)
def test_values_that_the_record_cannot_hold_are_edits(values):
    records = untouched()
    where = next(n for n, each in enumerate(records) if getattr(each, "sequence", 0) == 4)
    event = changed(records[where])
    event.facts.update(values)
    lines = export_of(records)
    lines[where + 1] = (
        json.dumps({"type": "event", **event.facts, "previous_hash": event.previous_hash, "hash": event.hash}) + "\n"
    ).encode()
    bad = verdict_on(lines)["bad"]
    assert (bad["kind"], bad["sequence"]) == ("edited", 4)


@pytest.mark.parametrize("missing", ["id", "hash", "previous_hash", "format", "role"])
def test_a_row_without_a_fact_is_an_edited_one(missing):
    lines = export_of(untouched())
    row = json.loads(lines[2])
    del row[missing]
    lines[2] = json.dumps(row).encode() + b"\n"
    bad = verdict_on(lines)["bad"]
    assert (bad["kind"], bad["sequence"]) == ("edited", 1)


def test_numbers_are_compared_by_value_and_printed_as_the_standard_says():
    numbers = [0.1, 1e-7, 5e-324, 1e21, 123456789012345680000.0, 0.000001, 1.5e300, -0.0, 9007199254740991, 1e16, 4.35]
    row = an_event(genesis(WORKSPACE), snapshot=numbers)
    signed = [a_key(), row, a_checkpoint(head_of(row))]
    assert verdict_on(export_of(signed))["ok"]
    lines = export_of(signed)
    lines[2] = lines[2].replace(b"0.1,", b"1.0e-1,").replace(b"9007199254740991", b"9007199254740991.0")
    assert verdict_on(lines)["ok"]


ROTATED = (a_key(), a_key(NEXT_KEY, announced_by=KEY))
# As earlier releases announced keys: the new key did not sign it.
ROTATED_BEFORE = (ROTATED[0], replace(ROTATED[1], countersignature=""))


def rotated_chain():
    rows = rows_behind(genesis(WORKSPACE), 4)
    return [rows[0], rows[1], a_checkpoint(head_of(rows[1])), *rows[2:], a_checkpoint(head_of(rows[3]), key=NEXT_KEY)]


def fingerprint(pair):
    return fingerprint_of(pair.public_key)


def test_a_key_that_a_trusted_one_announced_is_trusted():
    with_keys = [*ROTATED, *rotated_chain()]
    for keys in (key_file(*ROTATED), key_file(), pem()):
        assert verdict_on(export_of(with_keys), keys)["ok"]
    assert verdict_on(export_of(rotated_chain()), key_file(*ROTATED))["ok"]


def test_a_key_that_announced_a_trusted_one_is_trusted_if_that_one_signed_it_too():
    assert verdict_on(export_of([*ROTATED, *rotated_chain()]), pem(NEXT_KEY))["ok"]
    assert verdict_on(export_of([*ROTATED, *rotated_chain()]), "", fingerprint=fingerprint(NEXT_KEY))["ok"]
    bad = verdict_on(export_of([*ROTATED_BEFORE, *rotated_chain()]), pem(NEXT_KEY))["bad"]
    assert (bad["kind"], bad["record"], bad["sequence"]) == ("unknown-key", "checkpoint", 2)
    assert verdict_on(export_of([*ROTATED_BEFORE, *rotated_chain()]), pem(KEY))["ok"]


def test_a_stranger_s_key_that_announces_ours_is_not_trusted():
    stranger, ours = a_key(STRANGER), a_key(announced_by=STRANGER)
    for forged in (ours, replace(ours, countersignature=""), replace(ours, countersignature=ours.signature)):
        rows = rows_behind(genesis(WORKSPACE), 2)
        signed = [rows[0], a_checkpoint(head_of(rows[0]), key=STRANGER), rows[1], a_checkpoint(head_of(rows[1]))]
        is_ours = forged is ours
        verdict = verdict_on(export_of([stranger, forged, *signed]), pem())
        # Only our own key could have countersigned it, as `a_key` does here.
        assert verdict["ok"] is is_ours
        if not is_ours:
            assert (verdict["bad"]["kind"], verdict["bad"]["sequence"]) == ("unknown-key", 1)


def test_a_retired_key_counts_up_to_the_first_row_that_its_successor_signed():
    rows = rows_behind(genesis(WORKSPACE), 4)
    signed = [*rows[:2], a_checkpoint(head_of(rows[1]), key=NEXT_KEY), a_checkpoint(head_of(rows[1])), *rows[2:]]
    good = [*ROTATED, *signed, a_checkpoint(head_of(rows[3]), key=NEXT_KEY)]
    assert verdict_on(export_of(good), pem())["ok"]
    for keys in (pem(), pem(NEXT_KEY)):
        bad = verdict_on(export_of([*ROTATED, *signed, a_checkpoint(head_of(rows[3]))]), keys)["bad"]
        assert (bad["kind"], bad["record"], bad["sequence"]) == ("retired-key", "checkpoint", 4)


def test_of_two_successors_only_the_one_that_leads_to_the_given_key_is_trusted():
    second = a_key(STRANGER, announced_by=KEY)
    for keys in ([*ROTATED, second], [ROTATED[0], second, ROTATED[1]]):
        bad = verdict_on(export_of([*keys, *rotated_chain()]), pem())["bad"]
        assert (bad["kind"], bad["sequence"]) == ("unknown-key", 4)
        assert verdict_on(export_of([*keys, *rotated_chain()]), pem(NEXT_KEY))["ok"]


def test_a_fingerprint_must_be_given_and_be_whole():
    lines = export_of(untouched())
    assert verdict_on(lines, "", fingerprint=fingerprint(KEY))["ok"]
    for wrong in ("", KEY.key_id, fingerprint(KEY)[:-1], "x" * 64):
        assert UNUSABLE in verdict_on(lines, key_file(), fingerprint=wrong)
    assert UNUSABLE in verdict_on(lines, key_file(), fingerprint=fingerprint(STRANGER))
    assert UNUSABLE in verdict_on(lines, pem(), fingerprint=fingerprint(STRANGER))
    assert verdict_on(lines, "", fingerprint=fingerprint(STRANGER))["bad"]["kind"] == "unknown-key"
    spaced = " ".join(fingerprint(KEY)[place : place + 8].upper() for place in range(0, 64, 8))
    assert verdict_on(lines, "", fingerprint=spaced)["ok"]


def test_what_nobody_signed_does_not_verify():
    rows = rows_behind(genesis(WORKSPACE), 3)
    for records in ([], rows, [a_key(), *rows]):
        for tail in (False, True):
            bad = verdict_on(export_of(records), tail=tail)["bad"]
            assert (bad["kind"], bad["sequence"]) == ("unsigned", 1)
    for tail in (False, True):
        assert verdict_on(export_of([a_key()], []), tail=tail)["bad"]["kind"] == "unsigned"
    assert verdict_on(export_of([a_key(), a_checkpoint(genesis(WORKSPACE))]))["ok"]
    lines = export_of([a_key(), rows[0], a_checkpoint(head_of(rows[0])), *rows[1:]])
    assert verdict_on(lines)["bad"]["kind"] == "unsigned"
    assert verdict_on(lines, tail=True)["ok"]


def test_rows_of_a_filtered_export_that_no_checkpoint_confirms_do_not_verify():
    rows = rows_behind(genesis(WORKSPACE), 5)
    invented = export_of([a_key(), rows[2]], **FILTERED)
    assert verdict_on(invented, partial=True, tail=True)["bad"]["kind"] == "unsigned"
    shown = [a_key(), rows[2], a_checkpoint(head_of(rows[2])), rows[4], a_checkpoint(head_of(rows[4]))]
    assert verdict_on(export_of(shown, **FILTERED), partial=True)["ok"]


def test_a_key_that_nobody_announced_is_not_trusted():
    for late in ([], [a_key(NEXT_KEY)], [a_key(NEXT_KEY, announced_by=STRANGER)]):
        bad = verdict_on(export_of([a_key(), *late, *rotated_chain()]))["bad"]
        assert (bad["kind"], bad["sequence"]) == ("unknown-key", 4)


def test_a_key_under_another_key_s_name_is_not_trusted():
    forged = a_key(STRANGER, announced_by=KEY)
    forged.key_id = NEXT_KEY.key_id
    bad = verdict_on(export_of([a_key(), forged, *rotated_chain()]))["bad"]
    assert (bad["kind"], bad["sequence"]) == ("unknown-key", 4)


def broken_key_files():
    first, second = json.loads(key_file(*ROTATED))["keys"]
    yield "[]"
    yield '{"keys": []}'
    yield '{"keys": [1]}'
    yield json.dumps({"keys": [{**first, "signature": None}]})
    yield json.dumps({"keys": [{**first, "signature": second["signature"]}]})
    yield json.dumps({"keys": [{**first, "announced_by": "x"}]})
    yield json.dumps({"keys": [{**first, "key_id": second["key_id"]}]})
    yield json.dumps({"keys": [second]})
    yield json.dumps({"keys": [first, {**second, "announced_by": ""}]})
    yield json.dumps({"keys": [first, {**second, "since": first["since"].replace("2026", "2027")}]})
    yield json.dumps({"keys": [first, {**second, "public_key": "AAAA"}]})
    yield json.dumps({"keys": [{**first, "public_key": "ä"}]})
    yield "-----BEGIN PUBLIC KEY-----\nAAAA\n-----END PUBLIC KEY-----\n"
    yield pem().replace("MC", "MA")


@pytest.mark.parametrize("keys", list(broken_key_files()))
def test_a_key_file_that_is_none_cannot_be_used(keys):
    assert UNUSABLE in verdict_on(export_of(untouched()), keys)


def test_a_file_that_is_not_there_cannot_be_used(tmp_path):
    gone = str(tmp_path / "gone")
    assert run_standalone(gone, gone).returncode == 2
    with pytest.raises(CommandError) as refusal:
        call_command("audit_verify", export=gone, key=gone)
    assert refusal.value.returncode == 2
    with pytest.raises(CommandError) as refusal:
        call_command("audit_verify", export=gone)
    assert (refusal.value.returncode, "--fingerprint" in str(refusal.value)) == (2, True)


def test_the_stand_alone_verifier_reads_standard_input(files):
    files[1].write_text(pem())
    told = run_standalone("-", str(files[1]), given=b"".join(export_of(untouched())))
    assert (told.returncode, told.stderr) == (0, b"")


def test_the_stand_alone_verifier_imports_nothing_of_the_project():
    source = Path(standalone.__file__).read_text()
    for name in ("mcpbridge", "django", "rfc8785", "orjson", "hoursmith_console"):
        assert f"import {name}" not in source
        assert f"from {name}" not in source


def test_progress_is_told_in_rows():
    told: list[int] = []
    verify(a_chain(1_200), trust_from_text(pem()), progress=told.append)
    assert told == [500, 1000, 1200]


def test_a_head_is_read_from_text():
    assert OutsideHead.from_text(f" 12:{'AB' * 32}\n") == OutsideHead("ab" * 32, 12)
    with pytest.raises(UnusableInputError):
        OutsideHead.from_text("12")


def test_the_examples_are_what_they_seem():
    assert len(untouched()) == 1 + LENGTH + 4
    assert finding_in(untouched()) is None
