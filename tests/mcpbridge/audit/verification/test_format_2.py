"""Both verifiers on exports of format 2: trees, notes, epochs, sealed members, keys; each mutation is named."""

import base64
import json
from collections.abc import Callable
from typing import Any

import pytest
import rfc8785

from mcpbridge.audit.signing import key_pair
from tests.audit_chains import KEY, NEXT_KEY, STRANGER
from tests.evidence_logs import (
    WORKSPACE,
    Line,
    Log,
    a_checkpoint,
    a_row,
    an_export,
    an_old_checkpoint,
    b64,
    cosignature_line,
    fingerprint,
    hashed,
    jsonl,
    key_file,
    key_line,
    note_of,
    note_text,
    range_line,
    root,
    salt,
    shown,
    signature_line,
    vkey,
)
from tests.verifiers import UNUSABLE, standalone, verdict_on

WITNESS, OTHER_WITNESS = key_pair("a witness"), key_pair("another witness")
RECOVERY = key_pair("a recovery key in a safe")
Lines = list[Line]


def a_log(rows: int = 9, old: int = 3) -> Log:
    """A log that was begun in format 1."""
    return Log().grow(old, epoch=0).grow(rows - old)


def told(lines: Lines, *, key: Any = KEY, **more: Any) -> tuple[Any, ...] | None:
    """What both verifiers find first: kind, record and place; None if nothing."""
    verdict = verdict_on(jsonl(lines), more.pop("keys", ""), fingerprint=fingerprint(key), **more)
    assert UNUSABLE not in verdict
    bad = verdict["bad"]
    return bad and (bad["kind"], bad["record"], bad["sequence"])


def report(lines: Lines, **more: Any) -> dict[str, Any]:
    verdict = verdict_on(jsonl(lines), "", fingerprint=fingerprint(), **more)
    (chain,) = verdict["workspaces"]
    assert isinstance(chain, dict)
    return chain


def place_of(lines: Lines, sequence: int, kind: str = "event") -> int:
    return next(n for n, line in enumerate(lines) if line["type"] == kind and line.get("sequence") == sequence)


def test_a_chain_of_format_1_and_then_2_verifies_with_its_tree():
    log = a_log()
    chain = report([*an_export(log, (4, 9))])
    assert chain["bad"] is None
    assert (chain["rows"], chain["epoch"], chain["vouched"], chain["restores"]) == (9, 1, 9, [])
    lines = an_export(log, (9,))
    lines.insert(place_of(lines, 2) + 1, an_old_checkpoint(log, 2))
    assert told(lines) is None
    assert told(an_export(Log(), ()), tail=True) == ("unsigned", "event", 1)
    assert told([key_line(), a_checkpoint(Log(), 0)]) is None


def test_trees_of_every_size_verify():
    log = a_log(40, 5)
    assert told(an_export(log, range(1, 41))) is None
    later = Log(log.rows, first=6)
    for cut in (0, 5, 6, 17, 32):
        assert told(an_export(log, (40,), cut=cut)) is None
        if cut >= 5:
            assert told(an_export(later, (33, 40), cut=cut)) is None


def test_a_range_that_does_not_fit_is_a_bad_proof():
    log = a_log(20)
    for change in (
        {"left": []},
        {"left": [*range_line(log, 14, 20)["left"][:-1], "ab" * 32]},
        {"first": 13},
        {"right": ["ab" * 32]},
    ):
        lines = an_export(log, (20,), cut=13)
        lines[2].update(change)
        assert told(lines)[0] == "bad-proof", change
    lines = an_export(log, (20,), cut=13)
    lines[2]["origin"] = "elsewhere.example.com/org-1/1"
    assert told(lines)[0] == "bad-epoch"
    # Without it, the tree cannot be calculated; the chain still verifies.
    del lines[2]
    assert told(lines) is None


def _other(log: Log, **changes: Any) -> Lines:
    """The export with another last checkpoint."""
    lines = an_export(log, (4, 9))
    lines[-1] = a_checkpoint(log, 9, **changes)
    return lines


def _noted(note: Callable[[str, str], str]) -> Lines:
    """The export with another note, made of its text and its signature line."""
    lines = an_export(a_log(), (4, 9))
    text, line = lines[-1]["note"].split("\n\n")
    lines[-1]["note"] = note(text + "\n", line)
    return lines


def _row(change: Callable[[Line], Line]) -> Lines:
    """The export with another row 6; its hash stays as it was."""
    lines = an_export(a_log(), (4, 9))
    lines[place_of(lines, 6)] = change(lines[place_of(lines, 6)])
    return lines


def _leaf_that_does_not_chain() -> Lines:
    """The signed tree has another row 5 than the chain."""
    log, other = a_log(), a_log()
    other.rows[4] = a_row(5, other.rows[3]["hash"], tool="get_me")
    lines = an_export(log, (4,))
    strange = a_checkpoint(other, 9)
    said = {name: log.head(9)[name] for name in ("sequence", "hash")}
    return [*lines, _signed_again({**strange, **said})]


def _signed_again(line: Line, key: Any = KEY) -> Line:
    left_out = {"type", "key_id", "signature", "reason", "note"}
    said = {name: value for name, value in line.items() if name not in left_out}
    return {**line, "key_id": key.key_id, "signature": key.sign(rfc8785.dumps(said))}


def _format_1_again() -> Lines:
    log = a_log(5)
    log.grow(1, epoch=0).grow(2)
    return an_export(log, (4, 8))


def _restored(change: Callable[[Line], Line] = lambda line: line, signed: tuple[int, ...] = (8,)) -> Lines:
    log = a_log().restored(5).grow(2)
    log.restores = [change(log.restores[0])]
    return an_export(log, signed)


def _changed(member: str, value: Any) -> Callable[[Line], Line]:
    return lambda line: {**line, member: value}


def _resigned(**changes: Any) -> Callable[[Line], Line]:
    def change(line: Line) -> Line:
        said = {k: v for k, v in {**line, **changes}.items() if k not in ("type", "key_id", "signature")}
        return {**line, **changes, "signature": KEY.sign(rfc8785.dumps(said))}

    return change


def _old_head_beyond_its_end() -> Lines:
    """A checkpoint of epoch 1 that was signed beyond what the restore says was given up."""
    before, lines = a_log(12), _restored()
    return [*lines, {**a_checkpoint(before, 12), "sequence": 12}]


def _cosigned_wrongly() -> Lines:
    lines = an_export(a_log(), (4, 9))
    text = lines[-1]["note"].split("\n\n")[0] + "\n"
    lines[-1]["note"] += cosignature_line(text.replace("9", "8", 1), "w.example/1", WITNESS)
    return lines


ORIGIN = Log().origin
SEAL = bytes(range(32))
MUTATIONS: dict[str, tuple[Callable[[], Lines], tuple[str, str, int]]] = {
    "leaf that does not chain": (_leaf_that_does_not_chain, ("forked", "checkpoint", 9)),
    "another root": (lambda: _other(a_log(), root="ab" * 32), ("inconsistent", "checkpoint", 9)),
    "root that is no hash": (lambda: _other(a_log(), root="AB" * 32), ("bad-proof", "checkpoint", 9)),
    "another hash, signed": (lambda: _other(a_log(), hash="ab" * 32), ("replaced", "event", 5)),
    "origin of another epoch": (lambda: _other(a_log(), epoch=2), ("bad-epoch", "checkpoint", 9)),
    "origin and epoch disagree": (
        lambda: _other(a_log(), origin=Log().origin_of(2)),
        ("bad-epoch", "checkpoint", 9),
    ),
    "origin of another log": (
        lambda: [*an_export(a_log(), (4,)), a_checkpoint(Log(a_log().rows, name="b.example.com"), 9)],
        ("bad-epoch", "checkpoint", 9),
    ),
    "origin without an epoch": (lambda: _other(a_log(), origin="x"), ("bad-epoch", "checkpoint", 9)),
    "tree that begins later": (
        lambda: [*an_export(a_log(), (4,)), a_checkpoint(Log(a_log().rows, first=3), 9)],
        ("bad-epoch", "checkpoint", 9),
    ),
    "checkpoint of a stranger": (lambda: _other(a_log(), key=STRANGER), ("unknown-key", "checkpoint", 9)),
    "statement changed": (
        lambda: [*an_export(a_log(), (4,)), {**a_checkpoint(a_log(), 9), "at": "2026-11-23T11:16:00.000000Z"}],
        ("wrong-key", "checkpoint", 9),
    ),
    "no note": (lambda: _noted(lambda text, line: ""), ("bad-proof", "checkpoint", 9)),
    "note with CRLF": (
        lambda: _noted(lambda text, line: f"{text}\n{line}".replace("\n", "\r\n")),
        ("bad-proof", "checkpoint", 9),
    ),
    "note with an extension line": (
        lambda: _noted(lambda text, line: f"{text}more\n\n" + signature_line(f"{text}more\n", ORIGIN, KEY)),
        ("bad-proof", "checkpoint", 9),
    ),
    "note without its last line break": (
        lambda: _noted(lambda text, line: f"{text}\n{line}".rstrip()),
        ("bad-proof", "checkpoint", 9),
    ),
    "note of 65 lines": (lambda: _noted(lambda text, line: f"{text}\n{line * 62}"), ("bad-proof", "checkpoint", 9)),
    "note of another size": (
        lambda: _noted(lambda text, line: note_of(a_log(), 8)),
        ("inconsistent", "checkpoint", 9),
    ),
    "note with another line break in its base64": (
        lambda: _noted(lambda text, line: f"{text}\n{line.rstrip()[:-1]}\n"),
        ("bad-proof", "checkpoint", 9),
    ),
    "note signed by a stranger alone": (
        lambda: _noted(lambda text, line: f"{text}\n" + signature_line(text, ORIGIN, STRANGER)),
        ("wrong-key", "checkpoint", 9),
    ),
    "note signed for another text": (
        lambda: _noted(lambda text, line: f"{text}\n" + signature_line(text.replace("9", "8", 1), ORIGIN, KEY)),
        ("wrong-key", "checkpoint", 9),
    ),
    "two known lines of which one is wrong": (
        lambda: _noted(lambda text, line: f"{text}\n{line}" + signature_line(text.replace("9", "8", 1), ORIGIN, KEY)),
        ("wrong-key", "checkpoint", 9),
    ),
    "size with a zero in front": (
        lambda: _noted(
            lambda text, line: (
                (made := text.replace("\n9\n", "\n09\n")) and f"{made}\n{signature_line(made, ORIGIN, KEY)}"
            )
        ),
        ("bad-proof", "checkpoint", 9),
    ),
    "salt of 31 bytes": (
        lambda: _row(lambda row: {**(made := shown(row, ["note"])), "salts": {"note": made["salts"]["note"][:-2]}}),
        ("bad-salt", "event", 6),
    ),
    "salt changed": (
        lambda: _row(lambda row: {**shown(row, ["note"]), "salts": {"note": "ab" * 32}}),
        ("bad-salt", "event", 6),
    ),
    "salt of another member": (
        lambda: _row(
            lambda row: {**shown(row, ["note"]), "salts": {"note": salt(bytes.fromhex(row["seal"]), "actor").hex()}}
        ),
        ("bad-salt", "event", 6),
    ),
    "value changed": (lambda: _row(_changed("arguments", {"id": "other"})), ("bad-salt", "event", 6)),
    "number of the same value": (
        lambda: _row(_changed("arguments", {"id": "c-6", "n": "0.5"})),
        ("bad-salt", "event", 6),
    ),
    "value without a canonical form": (lambda: _row(_changed("arguments", {"n": 2**60})), ("bad-salt", "event", 6)),
    "members swapped": (
        lambda: _row(lambda row: {**row, "actor": row["token_name"], "token_name": row["actor"]}),
        ("bad-salt", "event", 6),
    ),
    "seal changed": (lambda: _row(_changed("seal", "ab" * 32)), ("bad-salt", "event", 6)),
    "seal of 31 bytes": (lambda: _row(lambda row: {**row, "seal": row["seal"][:-2]}), ("bad-salt", "event", 6)),
    "empty seal": (lambda: _row(_changed("seal", "")), ("bad-salt", "event", 6)),
    "no salts": (lambda: _row(lambda row: {k: v for k, v in row.items() if k != "seal"}), ("bad-salt", "event", 6)),
    "salts that are none": (lambda: _row(lambda row: {**shown(row, ()), "salts": None}), ("bad-salt", "event", 6)),
    "salt without its member": (
        lambda: _row(lambda row: {k: v for k, v in shown(row, ["note", "actor"]).items() if k != "actor"}),
        ("bad-salt", "event", 6),
    ),
    "member without its salt": (
        lambda: _row(lambda row: {**shown(row, ["note"]), "actor": "Ana"}),
        ("bad-salt", "event", 6),
    ),
    "seal beside salts": (lambda: _row(lambda row: {**row, "salts": {}}), ("bad-salt", "event", 6)),
    "seal without a member": (
        lambda: _row(lambda row: {k: v for k, v in row.items() if k != "note"}),
        ("bad-salt", "event", 6),
    ),
    "commitment changed": (
        lambda: _row(lambda row: {**row, "sealed": {**row["sealed"], "note": "ab" * 32}}),
        ("edited", "event", 6),
    ),
    "commitment missing": (
        lambda: _row(lambda row: hashed({**row, "sealed": {k: v for k, v in row["sealed"].items() if k != "note"}})),
        ("edited", "event", 6),
    ),
    "fact changed": (lambda: _row(_changed("role", "MEMBER")), ("edited", "event", 6)),
    "epoch changed": (lambda: _row(_changed("epoch", 2)), ("edited", "event", 6)),
    "number changed": (lambda: _row(_changed("sequence", 5)), ("edited", "event", 6)),
    "row of another epoch": (
        lambda: an_export(a_log(5).grow(1, epoch=2).grow(3), (4, 9)),
        ("bad-epoch", "event", 6),
    ),
    "row of format 1 after format 2": (_format_1_again, ("bad-epoch", "event", 6)),
    "epoch that is a text": (lambda: _row(lambda row: hashed({**row, "epoch": "1"})), ("edited", "event", 6)),
    "restore statement missing": (
        lambda: [line for line in _restored() if line["type"] != "restore"],
        ("bad-epoch", "event", 6),
    ),
    "restore statement changed": (lambda: _restored(_changed("reason", "none")), ("wrong-key", "restore", 6)),
    "restore statement of a stranger": (
        lambda: _restored(_changed("key_id", STRANGER.key_id)),
        ("unknown-key", "restore", 6),
    ),
    "restore to another log": (
        lambda: _restored(_resigned(to="b.example.com/org-1/2")),
        ("bad-epoch", "restore", 6),
    ),
    "restore by two epochs": (lambda: _restored(_resigned(to=Log().origin_of(3))), ("bad-epoch", "restore", 6)),
    "restore of another workspace": (
        lambda: _restored(_resigned(to=Log().origin_of(2).replace("org-1", "org-2"))),
        ("bad-epoch", "restore", 6),
    ),
    "restore that kept too much": (
        lambda: _restored(_resigned(kept={**a_log().head(9), "sequence": 10})),
        ("bad-epoch", "restore", 11),
    ),
    "restore that kept another row": (
        lambda: _restored(_resigned(kept={**a_log().head(5), "hash": "ab" * 32})),
        ("replaced", "event", 1),
    ),
    "restore that kept another tree": (
        lambda: _restored(_resigned(kept={**a_log().head(5), "root": "ab" * 32})),
        ("forked", "restore", 5),
    ),
    "second statement for one epoch": (
        lambda: [*(lines := _restored())[:2], _resigned(reason="other")(lines[1]), *lines[2:]],
        ("bad-epoch", "restore", 6),
    ),
    "restore that kept rows which are cut": (
        lambda: [line for line in _restored() if line.get("sequence", 0) < 5],
        ("cut-tail", "event", 5),
    ),
    "old epoch signed on": (_old_head_beyond_its_end, ("bad-epoch", "checkpoint", 12)),
    "checkpoint of the new epoch before it began": (
        lambda: [*(lines := _restored())[:-3], a_checkpoint(a_log(), 4, epoch=2), *lines[-3:]],
        ("bad-epoch", "checkpoint", 4),
    ),
    "cosignature that is wrong": (_cosigned_wrongly, ("wrong-key", "checkpoint", 9)),
}


@pytest.mark.parametrize("name", MUTATIONS)
def test_each_mutation_is_named_by_both_verifiers(name):
    build, expected = MUTATIONS[name]
    witnesses = [vkey("w.example/1", WITNESS, 4)] if name.startswith("cosign") else ()
    assert told(build(), witnesses=witnesses) == expected


def test_rows_may_show_all_some_or_none_of_their_sealed_members():
    lines = an_export(a_log(), (9,))
    for place, members in ((4, ()), (5, ("note",)), (6, ("arguments", "snapshot")), (7, standalone.SEALED)):
        lines[place_of(lines, place)] = shown(lines[place_of(lines, place)], members)
    assert told(lines) is None
    lines[place_of(lines, 4)]["salts"] = {}
    assert told(lines) is None


def test_a_restored_log_verifies_and_says_what_was_given_up():
    before = a_log()
    log = before.restored(5).grow(2)
    chain = report(an_export(log, (3, 5, 8)))
    assert (chain["bad"], chain["epoch"], chain["sequence"]) == (None, 2, 8)
    (restore,) = chain["restores"]
    assert (restore["epoch"], restore["kept"], restore["given_up_to"]) == (2, 5, 9)
    # What is left of the old origin may still be there: it was given up with its rows.
    lines = an_export(log, (3, 8))
    assert told([*lines[:-1], a_checkpoint(before, 9), lines[-1]]) is None
    for kept in (4, 5, 7):
        again = log.restored(kept).grow(2)
        assert told(an_export(again, (3, kept + 3))) is None


def test_an_older_checkpoint_must_be_extended():
    log, other = a_log(), Log().grow(3, epoch=0).grow(6, tool="get_me")
    lines = an_export(log, (9,))
    for older in (note_of(log, 5), _json(a_checkpoint(log, 5)), _json(an_old_checkpoint(log, 5)), note_of(log, 9)):
        assert told(lines, checkpoint=older) is None
    assert told(lines, checkpoint=note_of(other, 5)) == ("inconsistent", "checkpoint", 5)
    assert told(lines, checkpoint=_json(a_checkpoint(other, 5))) == ("inconsistent", "checkpoint", 5)
    assert told(lines, checkpoint=_json(an_old_checkpoint(other, 5))) == ("inconsistent", "checkpoint", 5)
    assert told(an_export(a_log(7), (7,)), checkpoint=note_of(log, 9)) == ("cut-tail", "event", 8)
    pruned = an_export(log, (9,), cut=6)
    assert told(pruned, checkpoint=note_of(log, 8)) is None
    assert told([line for line in pruned if line["type"] != "range"], checkpoint=note_of(log, 8)) == (
        *("bad-proof", "checkpoint"),
        8,
    )
    for unusable in (
        *(note_of(log, 5, key=STRANGER), _json(a_checkpoint(log, 5, key=STRANGER)), "{}", "x", "[]"),
        *(note_of(Log(), 0), _json({**a_checkpoint(log, 5), "root": "x"}), note_of(log, 5)[:-1]),
    ):
        assert UNUSABLE in verdict_on(jsonl(lines), "", fingerprint=fingerprint(), checkpoint=unusable)
    assert UNUSABLE in verdict_on(jsonl(pruned), "", fingerprint=fingerprint(), checkpoint=note_of(log, 5))


def test_an_older_checkpoint_whose_rows_were_given_up_is_named():
    before = a_log()
    lines = an_export(before.restored(5).grow(6), (8, 12))
    assert told(lines, checkpoint=note_of(before, 5)) is None
    for older in (note_of(before, 7), _json(a_checkpoint(before, 9))):
        assert told(lines, checkpoint=older)[0] == "bad-epoch"
    assert told(an_export(before.restored(5), (6,)), checkpoint=note_of(before, 9))[0] == "bad-epoch"


def _json(line: Line) -> str:
    return json.dumps(line)


def test_witnesses_that_were_named_must_have_cosigned():
    log, named = a_log(), vkey("w.example/1", WITNESS, 4)
    plain, cosigned = a_checkpoint(log, 4), a_checkpoint(log, 9, witnesses={"w.example/1": WITNESS})
    lines = [*an_export(log, ()), cosigned]
    chain = report(lines, witnesses=[named])
    assert [(each["name"], each["sequence"]) for each in chain["cosigned"]] == [("w.example/1", 9)]
    assert chain["cosigned"][0]["at"] == "2026-11-23T11:15:00Z"
    assert report(lines)["cosigned"] == []
    other = vkey("w.example/1", OTHER_WITNESS, 4)
    assert told(lines, witnesses=[other]) == ("unsigned", "checkpoint", 9)
    lines.insert(place_of(lines, 4) + 1, plain)
    assert told(lines, witnesses=[named]) is None
    for wrong in (vkey("w.example/1", WITNESS), named.replace("w.", "x."), named[:-4], "", "x+y+z"):
        assert UNUSABLE in verdict_on(jsonl(lines), "", fingerprint=fingerprint(), witnesses=[wrong])


def test_a_verifier_key_may_be_given_instead_of_a_fingerprint():
    lines = jsonl(an_export(a_log(), (9,)))
    assert verdict_on(lines, "", fingerprint="", vkey=vkey(ORIGIN, KEY))["ok"]
    assert verdict_on(lines, "", fingerprint=fingerprint(), vkey=vkey(ORIGIN, KEY))["ok"]
    assert UNUSABLE in verdict_on(lines, "", fingerprint=fingerprint(NEXT_KEY), vkey=vkey(ORIGIN, KEY))
    assert verdict_on(lines, "", fingerprint="", vkey=vkey(ORIGIN, STRANGER))["bad"]["kind"] == "unknown-key"
    for wrong in (vkey(ORIGIN, KEY, 4), vkey(ORIGIN, KEY)[:-1], ORIGIN, vkey(ORIGIN, KEY).replace("+", " ")):
        assert UNUSABLE in verdict_on(lines, "", fingerprint="", vkey=wrong)


# Keys.

ROTATED = [key_line(), key_line(NEXT_KEY, KEY)]


def rotated(keys: Lines, *, last: Any = NEXT_KEY) -> Lines:
    log = a_log()
    lines = an_export(log, (4,), keys=keys)
    return [*lines, a_checkpoint(log, 9, key=last)]


def test_keys_of_format_2_lead_to_each_other_in_both_directions():
    for given in (KEY, NEXT_KEY):
        assert told(rotated(ROTATED), key=given) is None
        assert told(rotated([]), key=given, keys=key_file(ROTATED)) is None
    unsigned = {**ROTATED[1], "countersignature": ""}
    for given in (KEY, NEXT_KEY):
        assert told(rotated([ROTATED[0], unsigned]), key=given)[0] == "unknown-key"
    second = key_line(STRANGER, KEY)
    assert told(rotated([*ROTATED, second]))[0] == "unknown-key"
    assert told(rotated([*ROTATED, second]), key=NEXT_KEY) is None
    forged = key_line(NEXT_KEY, KEY, signer=STRANGER)
    assert told(rotated([ROTATED[0], forged]))[0] == "unknown-key"


def test_a_retired_key_signs_nothing_more():
    log = a_log()
    lines = [*rotated(ROTATED), a_checkpoint(log.grow(1), 10)]
    lines.insert(-1, log.rows[-1])
    assert told(lines) == ("retired-key", "checkpoint", 10)


def test_a_recovery_key_leads_to_the_key_after_a_lost_one_and_signs_nothing_else():
    keys = [key_line(), key_line(RECOVERY, KEY, "recovery"), key_line(NEXT_KEY, RECOVERY)]
    for given in (KEY, NEXT_KEY):
        assert told(rotated(keys), key=given) is None
    assert told(rotated(keys, last=RECOVERY))[0] == "unknown-key"
    third = key_pair("the third key")
    long = [key_line(), key_line(RECOVERY, KEY, "recovery"), key_line(NEXT_KEY, KEY), key_line(third, RECOVERY)]
    log = a_log()
    lines = [*an_export(log, (4,), keys=long)]
    lines.insert(place_of(lines, 6) + 1, a_checkpoint(log, 6, key=NEXT_KEY))
    for given in (KEY, NEXT_KEY, third):
        assert told([*lines, a_checkpoint(log, 9, key=third)], key=given) is None
        late = [*lines, a_checkpoint(log, 9, key=third)]
        late.insert(place_of(late, 9), a_checkpoint(log, 8))
        assert told(late, key=given) == ("retired-key", "checkpoint", 8)
    # The key that a thief announced beside the true one: the recovery key decides.
    stolen = [*keys, key_line(STRANGER, KEY), key_line(third, KEY)]
    assert told(rotated(stolen)) is None
    not_announced = [key_line(), key_line(RECOVERY), key_line(NEXT_KEY, RECOVERY)]
    assert told(rotated(not_announced))[0] == "unknown-key"


def test_a_lost_key_is_followed_by_one_whose_fingerprint_must_be_given():
    before = a_log()
    log = before.restored(9, key=NEXT_KEY, lost=KEY).grow(2)
    keys = [key_line(), key_line(NEXT_KEY)]
    lines = [*keys, *log.restores, *log.rows[:9], a_checkpoint(before, 9), *log.rows[9:]]
    lines.append(a_checkpoint(log, 12, key=NEXT_KEY))
    assert told(lines, key=NEXT_KEY) is None
    assert told(lines) == ("unknown-key", "restore", 10)
    verdict = verdict_on(jsonl(lines), "", fingerprint=fingerprint(NEXT_KEY))
    assert verdict["workspaces"][0]["restores"][0]["is_key_lost"]
    again = [*lines, *log.grow(1).rows[-1:], a_checkpoint(log, 13)]
    assert told(again, key=NEXT_KEY) == ("retired-key", "checkpoint", 13)
    assert told([*lines[:2], *lines[3:]], key=NEXT_KEY)[0] == "unknown-key"


def test_more_keys_than_any_installation_has_cannot_be_used():
    many = [{**key_line(NEXT_KEY, KEY), "since": str(number)} for number in range(1_000)]
    lines = an_export(a_log(), (9,), keys=[key_line(), *many])
    assert UNUSABLE in verdict_on(jsonl(lines), "", fingerprint=fingerprint())
    del lines[1]
    assert told(lines) is None


def test_times_that_go_back_are_warnings():
    log = a_log()
    chain = report([*an_export(log, (4, 9))])
    assert [(each["record"], each["sequence"]) for each in chain["warnings"]] == [
        ("event", place) for place in range(5, 10)
    ]
    early = a_checkpoint(log, 4, at="2026-11-23T10:00:00.000000Z")
    lines = an_export(log, (9,))
    lines.insert(place_of(lines, 4) + 1, early)
    assert report(lines)["warnings"] == []
    lines[-1] = a_checkpoint(log, 9, at="2026-11-23T09:58:00.000000Z")
    assert [(each["record"], each["sequence"]) for each in report(lines)["warnings"]] == [("checkpoint", 9)]
    late = Log().grow(2).grow(1, recorded_at="2026-11-23T12:00:00.000000Z").grow(1)
    lines = [key_line(), *late.rows, a_checkpoint(late, 4, at="2026-11-23T13:00:00.000000Z")]
    assert [(each["record"], each["sequence"]) for each in report(lines)["warnings"]] == [("event", 4)]


def test_a_log_that_only_a_key_before_the_given_one_signed_is_warned_of():
    lines = rotated(ROTATED, last=KEY)
    for given, warned in ((KEY, []), (NEXT_KEY, [("checkpoint", 9)])):
        verdict = verdict_on(jsonl(lines), "", fingerprint=fingerprint(given))
        assert verdict["ok"]
        found = [(each["record"], each["sequence"]) for each in verdict["workspaces"][0]["warnings"]]
        assert [each for each in found if each[0] == "checkpoint"] == warned


END = b'{"type":"end","lines":1}\n'


@pytest.mark.parametrize(
    "line",
    [
        {"type": "withheld", "sequence": 1, "hash": "ab" * 32},
        {"type": "range"},
        {**range_line(a_log(), 3, 9), "left": ["x"]},
        {**range_line(a_log(), 3, 9), "size": "7"},
        {"type": "restore", "format": "hoursmith-restore-2"},
        {**a_log().restored(5).restores[0], "kept": {}},
        {**a_log().restored(5).restores[0], "kept": 5},
        {**a_log().restored(9, lost=STRANGER).restores[0], "lost": ""},
        {**a_checkpoint(a_log(), 9), "format": "hoursmith-checkpoint-3"},
        {**a_checkpoint(a_log(), 9), "epoch": "1"},
        {**a_checkpoint(a_log(), 9), "note": 1},
        {**a_checkpoint(a_log(), 9), "origin": ""},
        {**key_line(), "use": "signing everything"},
        {**key_line(), "format": "hoursmith-key-3"},
        {"type": "key", "format": "hoursmith-key-2"},
    ],
)
def test_lines_that_are_not_in_their_format_cannot_be_used(line):
    lines = jsonl([line])
    assert UNUSABLE in verdict_on([lines[0], lines[1], END], "", fingerprint=fingerprint())


def test_two_workspaces_have_trees_of_their_own():
    one, two = a_log(), Log(workspace="org 2/ä").grow(5)
    lines = [key_line(), *one.rows, a_checkpoint(one, 9), *two.rows, a_checkpoint(two, 5)]
    assert verdict_on(jsonl(lines, [WORKSPACE, two.workspace]), "", fingerprint=fingerprint())["ok"]
    lines[-1] = a_checkpoint(Log(two.rows, workspace=WORKSPACE), 5)
    verdict = verdict_on(jsonl(lines, [WORKSPACE, two.workspace]), "", fingerprint=fingerprint())
    assert not verdict["ok"]


def test_the_builder_is_right_about_small_trees():
    log = a_log()
    text = note_text(log.origin, 9, root(log.leaves()))
    assert a_checkpoint(log, 9)["note"].startswith(text)
    assert base64.b64decode(text.split("\n")[2]) == root(log.leaves())
    assert b64(b"\0") == "AA=="
