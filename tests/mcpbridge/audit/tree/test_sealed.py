import hmac

import pytest
from hypothesis import given
from hypothesis import strategies as st

from mcpbridge.audit.hashchain import fast_canonical
from mcpbridge.audit.tree.errors import ProofError, TreeError
from mcpbridge.audit.tree.sealed import MEMBERS, commitment, commitments, new_seal, salts, verify_shown

FACTS = {
    "actor": "Ana",
    "address": "127.0.0.1",
    "arguments": {"rows": 2},
    "note": "",
    "snapshot": None,
    "target_label": "Glöbex 🧾",
    "token_name": "Ana's laptop",
}
SEAL = bytes(range(32))


def forms(facts):
    return {member: fast_canonical(facts[member]) for member in MEMBERS}


SALTS = {member: salt.hex() for member, salt in salts(SEAL).items()}
SEALED = commitments(SEAL, forms(FACTS))


def test_all_or_some_or_none_of_the_members_can_be_shown():
    for shown in (MEMBERS, ("arguments",), ("note", "snapshot"), ()):
        verify_shown(SEALED, {name: FACTS[name] for name in shown}, {name: SALTS[name] for name in shown})


def test_equal_values_look_different_in_each_row_and_member():
    empty = dict.fromkeys(MEMBERS, b'""')
    assert len({*commitments(SEAL, empty).values(), *commitments(new_seal(), empty).values()}) == 14


@given(st.dictionaries(st.text(max_size=3), st.one_of(st.text(), st.integers(0, 9), st.none()), max_size=4))
def test_the_writer_and_the_verifier_commit_to_the_same_bytes(value):
    assert commitments(SEAL, forms({**FACTS, "arguments": value}))["arguments"] == commitment(
        "arguments", salts(SEAL)["arguments"], value
    )


@pytest.mark.parametrize(
    ("shown", "given"),
    [
        ({"note": "x"}, {"note": SALTS["note"]}),
        ({"note": ""}, {"note": SALTS["actor"]}),
        ({"note": ""}, {"note": SALTS["note"][:62]}),
        ({"note": ""}, {"note": SALTS["note"].upper()}),
        ({"note": ""}, {"note": "00" * 32}),
        ({"note": ""}, {}),
        ({}, {"note": SALTS["note"]}),
        ({"actor": "", "note": "Ana"}, {"actor": SALTS["actor"], "note": SALTS["note"]}),
        ({"arguments": {"rows": 2.5}}, {"arguments": SALTS["arguments"]}),
        ({"arguments": {"rows": float("nan")}}, {"arguments": SALTS["arguments"]}),
        ({"arguments": {"rows": 2**60}}, {"arguments": SALTS["arguments"]}),
        ({"arguments": {"rows": "\ud800"}}, {"arguments": SALTS["arguments"]}),
        ({"tool": "x"}, {"tool": "00" * 32}),
    ],
)
def test_changed_values_and_salts_are_refused(shown, given):
    with pytest.raises(TreeError):
        verify_shown(SEALED, shown, given)


def test_swapped_and_missing_commitments_are_refused():
    swapped = {**SEALED, "actor": SEALED["note"], "note": SEALED["actor"]}
    with pytest.raises(ProofError):
        verify_shown(swapped, {"note": ""}, {"note": SALTS["note"]})
    for names in (MEMBERS[1:], (*MEMBERS, "tool")):
        with pytest.raises(ProofError):
            verify_shown(dict.fromkeys(names, "00" * 32), {}, {})


def test_a_seal_of_another_size_is_refused():
    for seal in (b"", SEAL[:31], SEAL + b"\x00"):
        with pytest.raises(ProofError):
            salts(seal)
    with pytest.raises(ProofError):
        commitment("note", SEAL[:31], "")


@given(st.binary(min_size=32, max_size=32))
def test_the_salts_are_hmacs_of_the_seal(seal):
    assert salts(seal) == {name: hmac.digest(seal, f"hoursmith-salt-2\n{name}".encode(), "sha256") for name in MEMBERS}
