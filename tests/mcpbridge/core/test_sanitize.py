"""What callers send is made fit to be written down, whatever it is."""

import json
import time
from typing import Any

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from mcpbridge.core.sanitize import (
    ARGUMENT_LIMITS,
    NOT_RECORDED,
    SNAPSHOT_LIMITS,
    _Shortener,
    sanitize_arguments,
    sanitize_snapshot,
    sanitize_text,
    sanitized_columns,
)
from tests.call_records import a_call
from tests.generated import examples
from tests.token_shapes import assembled_token

# Surrogates and NUL included: JSON can carry them, databases cannot.
TEXT = st.text(st.characters(), max_size=30) | st.text(st.characters(), max_size=12).map(lambda text: text * 40)
SCALARS = st.none() | st.booleans() | st.integers() | st.floats() | TEXT | st.just(10**400)
JSON = st.recursive(
    SCALARS,
    lambda inner: st.lists(inner, max_size=12) | st.dictionaries(TEXT, inner, max_size=12),
    max_leaves=20,
)
ARGUMENTS = st.dictionaries(TEXT, JSON, max_size=8)


def strings(value: Any) -> list[str]:
    if isinstance(value, dict):
        return [text for key, item in value.items() for text in [key, *strings(item)]]
    if isinstance(value, list):
        return [text for item in value for text in strings(item)]
    return [value] if isinstance(value, str) else []


@settings(max_examples=examples(60), deadline=None)
@given(ARGUMENTS)
def test_any_arguments_become_storable_and_short(arguments: dict[str, Any]) -> None:
    kept = sanitize_arguments(arguments, "full")
    stored = json.dumps(kept, allow_nan=False)
    assert len(stored) <= ARGUMENT_LIMITS.size
    for text in strings(kept):
        assert len(text) <= ARGUMENT_LIMITS.text
        assert "\x00" not in text
        text.encode("utf-8")


@settings(max_examples=examples(50), deadline=None)
@given(JSON)
def test_any_record_becomes_storable(record: Any) -> None:
    kept = sanitize_snapshot(record)
    assert len(json.dumps(kept, allow_nan=False)) <= SNAPSHOT_LIMITS.size
    for text in strings(kept):
        text.encode("utf-8")


@settings(max_examples=examples(60), deadline=None)
@given(before=TEXT, after=TEXT, wrap=st.integers(0, 6))
def test_no_token_survives_at_any_place(before: str, after: str, wrap: int) -> None:
    token = assembled_token(secret="Zq9Xw8Vu7Ts6Rp5On4Ml3Kj2")
    value: Any = f"{before} {token} {after}"
    for level in range(wrap):
        value = [value] if level % 2 else {f"k{token}": value}
    for kept in (sanitize_arguments({"note": value}, "full"), sanitize_snapshot({"note": value})):
        stored = json.dumps(kept)
        secret = token[22:]
        assert not any(secret[start : start + 8] in stored for start in range(len(secret) - 7))


def test_ordinary_arguments_are_kept_as_they_are() -> None:
    arguments = {"id": "4f8a", "limit": 50, "billable": True, "taskId": None, "tags": ["a", "b"], "rate": 12.5}
    assert sanitize_arguments(arguments, "full") == arguments


def test_an_ordinary_record_is_kept_whole() -> None:
    record = {"name": "Globex", "notes": "line\n" * 3000, "tags": [str(number) for number in range(300)], "rate": None}
    assert sanitize_snapshot(record) == record
    assert sanitize_snapshot(None) is None


FLAT = st.dictionaries(
    st.one_of(TEXT, st.sampled_from(["id", "hsk_live", "Bearer"]), st.integers()),
    st.one_of(
        TEXT, st.none(), st.booleans(), st.integers(), st.floats(), st.sampled_from(["hsk_x", "Bearer", "q" * 9])
    ),
    max_size=60,
)


@given(FLAT)
def test_the_quick_look_at_a_flat_object_changes_nothing(value: dict[Any, Any]) -> None:
    assert sanitize_snapshot(value) == _Shortener(SNAPSHOT_LIMITS).value(value)
    assert sanitize_arguments(value, "full") == _Shortener(ARGUMENT_LIMITS).value(value)


def test_policies_keep_names_or_nothing() -> None:
    arguments = {"name": "Globex", "notes": "private"}
    assert sanitize_arguments(arguments, "names") == {"name": NOT_RECORDED, "notes": NOT_RECORDED}
    assert sanitize_arguments(arguments, "none") == {}


def test_what_was_left_out_is_said() -> None:
    kept = sanitize_arguments({"note": "x" * 5000, "tags": ["t"] * 80, "deep": [[[[[[[[["bottom"]]]]]]]]]}, "full")
    assert kept["note"].startswith("xxxx")
    assert kept["note"].endswith("… (5,000 characters)")
    assert len(kept["note"]) == 200
    assert kept["tags"][50:] == ["… 30 more"]
    assert "bottom" not in json.dumps(kept)
    assert "…" in strings(kept["deep"])


def test_many_long_values_stay_within_the_whole_limit() -> None:
    kept = sanitize_arguments({f"field{number}": ["é" * 200] * 50 for number in range(50)}, "full")
    assert len(json.dumps(kept)) <= ARGUMENT_LIMITS.size
    assert "field0" in kept


@pytest.mark.parametrize(
    "arguments",
    [
        {"note": "x" * 4_000_000},
        {"note": "hsk_" * 1_000_000},
        {"list": [[[["x"] * 50] * 50] * 50] * 50},
        {f"key{number}": number for number in range(200_000)},
    ],
    ids=["long text", "many half tokens", "many nodes", "many keys"],
)
def test_megabytes_cost_no_more_than_what_is_kept(arguments: dict[str, Any]) -> None:
    started = time.thread_time()
    sanitize_arguments(arguments, "full")
    # Reading all of it would take a hundred times as long.
    assert time.thread_time() - started < 0.1


def test_a_very_deep_value_does_not_exhaust_the_stack() -> None:
    value: Any = "bottom"
    for _ in range(100_000):
        value = [value]
    assert sanitize_arguments({"deep": value}, "full")["deep"]


@given(TEXT, st.integers(1, 50))
def test_storable_text_fits(text: str, limit: int) -> None:
    kept = sanitize_text(text, limit)
    assert len(kept) <= limit
    assert kept.encode("utf-8").decode("utf-8") == kept
    assert "\x00" not in kept


def test_columns_that_are_fine_are_kept_as_they_are() -> None:
    call = a_call(target_label="Café Müller 日本")
    assert sanitized_columns(call) == {**call.columns(), "kind": "destructive"}


def test_columns_that_are_too_long_are_cut() -> None:
    call = a_call(tool="t" * 100, target_type="y" * 100, caller={"transport": "z" * 20, "env": "livelive"})
    columns = sanitized_columns(call)
    assert (len(columns["tool"]), len(columns["target_type"]), len(columns["transport"])) == (64, 32, 8)
    assert columns["env"] == "live"
