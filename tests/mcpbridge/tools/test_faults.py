"""Faulty arguments: all of them named at once, with the rule and never the value."""

import json
from typing import Any

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from mcpbridge.tools import TOOLS, Tool
from tests.generated import examples
from tests.mcpbridge.tools.examples import EXAMPLES, ID

every_tool = pytest.mark.parametrize("tool", TOOLS.values(), ids=lambda tool: tool.name)


def of(tool: str, /, **arguments: Any) -> dict[str, str]:
    """The faults of `arguments` put over a good call of `tool`."""
    return TOOLS[tool].faults({**EXAMPLES[tool][0], **arguments})


@every_tool
def test_a_good_call_has_no_fault(tool: Tool) -> None:
    assert tool.faults(EXAMPLES[tool.name][0]) == {}


@every_tool
def test_every_required_argument_is_missed_by_name(tool: Tool) -> None:
    missing = tool.faults({})
    assert {name for name, reason in missing.items() if reason == "required"} == set(tool.required)
    assert bool(missing) is bool(tool.required)


@every_tool
def test_every_argument_of_a_wrong_type_is_named_with_what_would_fit(tool: Tool) -> None:
    for wrong in ({"a": "hunter2hunter2"}, ["hunter2hunter2"], "\x00", float("nan"), float("inf"), 10**400):
        for name in tool.arguments:
            if isinstance(wrong, list) and tool.arguments[name].item is not None:
                continue
            faults = tool.faults({**EXAMPLES[tool.name][0], name: wrong})
            assert set(faults) == {name}, (name, faults)
            assert "hunter2" not in json.dumps(faults)


@every_tool
def test_null_clears_a_field_or_says_nothing(tool: Tool) -> None:
    for name, argument in tool.arguments.items():
        given = {**EXAMPLES[tool.name][0], name: None}
        faults = tool.faults(given)
        if "null" in argument.schema["type"]:
            assert faults == {}
            assert tool.request(given).body[name] is None
        elif tool.method == "PATCH":
            # To clear what cannot be empty, or to leave it: only the model knows what it meant.
            assert set(faults) == {name}
        else:
            left_out = {key: value for key, value in given.items() if key != name}
            assert faults == tool.faults(left_out)
            if not faults:
                got, expected = tool.request(given), tool.request(left_out)
                assert (got.path, got.query, got.body) == (expected.path, expected.query, expected.body)


@every_tool
def test_what_models_write_for_a_value_is_taken_where_it_means_one_thing(tool: Tool) -> None:
    written = {
        "integer": ("2", 2),
        "boolean": ("True", True),
        "array": ('["6f1c2a52-94c4-4f0e-8d5b-0c7a3a1d9e11"]', ["6f1c2a52-94c4-4f0e-8d5b-0c7a3a1d9e11"]),
    }
    for name, argument in tool.arguments.items():
        kinds = argument.schema["type"]
        kind = kinds if isinstance(kinds, str) else next(each for each in kinds if each != "null")
        if kind not in written or "string" in kinds:
            continue
        text, value = written[kind]
        faults = tool.faults({**EXAMPLES[tool.name][0], name: text})
        assert faults == {}, (name, faults)
        assert argument.read(text) == value


@pytest.mark.parametrize("wrong", ["2.5", "two", " 2", "0x2", "\u0662", "9" * 30, "1e3"])
def test_what_could_mean_something_else_is_refused(wrong: str) -> None:
    assert of("list_clients", limit=wrong) == {"limit": "must be a whole number"}


def test_a_list_in_a_text_is_one_only_where_it_is_whole() -> None:
    assert set(of("create_task", tags="print, web")) == {"tags"}
    assert set(of("create_task", tags="[print]")) == {"tags"}
    assert set(of("create_task", tags='[["print"]]')) == {"tags[0]"}


@every_tool
def test_over_long_text_is_told_its_limit_or_its_shape(tool: Tool) -> None:
    for name, argument in tool.arguments.items():
        if "string" not in argument.schema["type"]:
            continue
        faults = tool.faults({**EXAMPLES[tool.name][0], name: "x" * 1_000_000})
        most = argument.schema.get("maxLength")
        assert set(faults) == {name}
        assert faults[name] == (f"at most {most} characters" if most else argument.shape)


@every_tool
def test_an_enum_refuses_other_values_by_naming_its_own(tool: Tool) -> None:
    for name, argument in tool.arguments.items():
        if "enum" in argument.schema:
            values = [value for value in argument.schema["enum"] if value]
            faults = tool.faults({**EXAMPLES[tool.name][0], name: "SOMETHING_ELSE"})
            assert faults[name].startswith(f"must be one of {', '.join(values)}")
            assert tool.faults({**EXAMPLES[tool.name][0], name: values[0].upper()}) == {}
            assert tool.faults({**EXAMPLES[tool.name][0], name: values[0].lower()}) == {}


@every_tool
def test_an_extra_argument_is_refused(tool: Tool) -> None:
    assert tool.faults({**EXAMPLES[tool.name][0], "frobnicate": 1}) == {"frobnicate": "unknown argument"}


def test_a_misspelt_argument_is_recognised() -> None:
    assert of("list_projects", client_id=ID) == {"client_id": "unknown argument, did you mean clientId?"}


def test_what_hoursmith_sets_by_itself_is_no_argument() -> None:
    for name in ("id", "orgId", "currency", "invoiceId", "createdAt"):
        assert of("create_expense", **{name: "x"}) == {name: "unknown argument"}


def test_an_argument_name_that_could_be_a_value_is_not_repeated() -> None:
    secret = "S3cr3t" * 6
    faults = of("get_me", **{secret: 1, "x" * 10_000: 2, "a\x00b": 3, "\ud800": 4, "": 5})
    assert faults == {"(unreadable name)": "unknown argument"}


def test_all_faults_come_at_once() -> None:
    faults = TOOLS["create_expense"].faults(
        {"clientId": "nobody", "amount": "12,50", "category": "FUN", "billable": "yes", "description": "", "tip": 1}
    )
    assert faults == {
        "tip": "unknown argument",
        "clientId": "must be an id (UUID), as the list tools give them",
        "amount": "must be a number, or a decimal string such as 120.50, with at most 2 decimals",
        "category": "must be one of TRAVEL, MEALS, SOFTWARE, EQUIPMENT, CONTRACTORS, OTHER",
        "billable": "must be true or false",
        "description": "must not be empty",
        "expenseDate": "required",
    }


def test_faults_are_never_more_than_a_person_can_read() -> None:
    assert len(TOOLS["get_me"].faults({f"{'x' * (1 + place % 28)}{place % 10}": 1 for place in range(5000)})) == 30
    assert len(of("create_task", assigneeIds=["nobody"] * 5000)) == 30


def test_an_entry_of_a_list_is_named_by_its_place() -> None:
    assert of("create_task", assigneeIds=[ID, "nobody"]) == {
        "assigneeIds[1]": "must be an id (UUID), as the list tools give them"
    }
    assert of("create_task", tags=["fine", "bad\x00", 3, "x" * 101, ""]) == {
        "tags[1]": "must not hold control characters or broken Unicode"
    }
    assert of("create_task", tags=["fine", 3, "x" * 101, ""]) == {
        "tags[1]": "must be text",
        "tags[2]": "at most 100 characters",
        "tags[3]": "must not be empty",
    }
    assert of("create_task", tags="urgent") == {"tags": "must be a list"}
    assert of("create_task", tags=["x"] * 100_000) == {"tags": "at most 50 entries"}


def test_a_deep_value_is_a_wrong_type_like_any_other() -> None:
    deep: Any = {}
    for _ in range(100_000):
        deep = {"a": [deep]}
    assert of("create_client", name=deep) == {"name": "must be text"}
    assert of("create_task", tags=[deep]) == {"tags[0]": "must be text"}


@pytest.mark.parametrize("value", ["a\x00b", "a\x1b[31m", "\ud83d", "\x7f", "\x9b"])
def test_control_characters_and_broken_unicode_are_refused(value: str) -> None:
    assert of("create_client", name=value) == {"name": "must not hold control characters or broken Unicode"}


def test_line_breaks_tabs_and_every_script_are_text() -> None:
    assert of("create_client", name="Ærø 日本 😀", notes="one\r\n\ttwo\u2028three") == {}


@pytest.mark.parametrize("value", ["2026-02-29", "2026-13-01", "2026-1-1", "01.02.2026", "2026-02-03\n", "٢٠٢٦-٠٢-٠٣"])
def test_a_date_must_be_in_the_calendar(value: str) -> None:
    assert of("create_time_entry", entryDate=value) == {"entryDate": "must be a date, YYYY-MM-DD"}


@pytest.mark.parametrize("value", ["2026-01-31", "2026-01-31T09:30:00Z", "2026-01-31T09:30:00.123+02:00"])
def test_a_range_takes_a_date_or_an_instant(value: str) -> None:
    assert of("list_tasks", createdAtFrom=value) == {}


@pytest.mark.parametrize(
    "value", ["2026-02-30", "2026-01-31T25:00:00Z", "2026-01-31T09:30:00", "yesterday", "2026-W01-1"]
)
def test_a_range_takes_nothing_else(value: str) -> None:
    assert set(of("list_tasks", createdAtFrom=value)) == {"createdAtFrom"}


@pytest.mark.parametrize("value", ["2026-01-31", "2026-02-30T09:30:00Z", "09:30"])
def test_a_timer_begins_at_an_instant(value: str) -> None:
    shape = "must be an instant such as 2026-01-31T09:30:00Z"
    assert of("create_time_entry", startedAt=value) == {"startedAt": shape}
    assert of("create_time_entry", startedAt="2026-01-31T09:30:00+01:00") == {}


@pytest.mark.parametrize("value", ["EURO", "€", "E1R", "", "EU"])
def test_a_currency_is_three_letters(value: str) -> None:
    assert of("create_client", currency=value) == {"currency": "must be three letters, such as EUR"}


@pytest.mark.parametrize("value", ["12.50", "12", 12, 12.5, 19.99, 0.01, "0.01", "99999999999"])
def test_an_amount_is_a_number_or_a_decimal_string(value: Any) -> None:
    assert of("create_expense", amount=value) == {}


@pytest.mark.parametrize(
    ("value", "reason"),
    [
        (0, "must be above 0"),
        ("0.00", "must be above 0"),
        (-1, "must be above 0"),
        (1.005, "at most 2 decimals"),
        (1e-9, "at most 2 decimals"),
        (1e20, "at most 99999999999"),
    ],
)
def test_an_amount_is_above_nothing_with_two_decimals(value: Any, reason: str) -> None:
    assert of("create_expense", amount=value) == {"amount": reason}


@pytest.mark.parametrize("value", ["-1", "1.005", "1,5", "1e3", "NaN", "Infinity", "", " 1", "1" * 12, True])
def test_an_amount_is_nothing_else(value: Any) -> None:
    shape = "must be a number, or a decimal string such as 120.50, with at most 2 decimals"
    assert of("create_expense", amount=value) == {"amount": shape}


@pytest.mark.parametrize("value", ["1h30m", "1:30", "90m", "1.5h", "2h"])
def test_a_duration_reads_as_people_write_it(value: str) -> None:
    assert of("update_time_entry", duration=value) == {}


@pytest.mark.parametrize("value", ["", "h", "1:75", "90", "1h90", "-1h", "an hour", "1.5"])
def test_a_duration_reads_no_other_way(value: str) -> None:
    assert of("update_time_entry", duration=value) == {
        "duration": "must be a duration such as 1h30m, 1:30, 90m or 1.5h"
    }


def test_logged_time_needs_a_length_in_one_form() -> None:
    tool = TOOLS["create_time_entry"]
    bare = {"projectId": ID, "entryDate": "2026-11-02"}
    assert tool.faults(bare) == {"durationSeconds": "required, unless duration is given"}
    assert tool.faults({**bare, "duration": "90m"}) == {}
    assert tool.faults({**bare, "durationSeconds": 5400}) == {}
    assert tool.faults({**bare, "durationSeconds": 5400, "duration": "90m"}) == {}


@pytest.mark.parametrize("name", [name for name in TOOLS if name.startswith("update_")])
def test_an_update_changes_something(name: str) -> None:
    assert TOOLS[name].faults({"id": ID}) == {"(arguments)": "at least one field to change, besides id"}


@pytest.mark.parametrize("value", [0, -1, 201, 1.5, "50.5", "201", True, 2**70])
def test_a_page_holds_1_to_200(value: Any) -> None:
    assert set(of("list_clients", limit=value)) == {"limit"}


@pytest.mark.parametrize("value", ["", "a\r\nX-Evil: 1", "a\x00", "ключ", " a", "a ", "x" * 256])
def test_an_idempotency_key_is_fit_for_a_header(value: str) -> None:
    assert set(of("create_client", idempotencyKey=value)) == {"idempotencyKey"}


@pytest.mark.parametrize(
    "value", ["../me", "..", f"{ID}/archive", f"{ID}?x=1", f"{ID}#", "%2e%2e", f"{ID}\n", "running"]
)
def test_an_id_can_lead_nowhere_else(value: str) -> None:
    assert set(of("get_client", id=value)) == {"id"}


json_values = st.recursive(
    st.none()
    | st.booleans()
    | st.integers()
    | st.floats()
    | st.text(st.characters(exclude_categories=()))
    | st.sampled_from(["2026-11-02", ID, "90m", "12.5", "DRAFT", "active", "-name"]),
    lambda inner: st.lists(inner, max_size=4) | st.dictionaries(st.text(), inner, max_size=4),
    max_leaves=8,
)


@st.composite
def calls(draw: st.DrawFn) -> tuple[Tool, dict[str, Any]]:
    tool = TOOLS[draw(st.sampled_from(sorted(TOOLS)))]
    names = st.sampled_from(sorted(tool.arguments) or ["id"]) | st.text(
        st.characters(exclude_categories=()), max_size=8
    )
    base = draw(st.sampled_from([{}, EXAMPLES[tool.name][0]]))
    return tool, {**base, **draw(st.dictionaries(names, json_values, max_size=5))}


@given(calls())
@settings(max_examples=examples(600), deadline=None)
def test_any_arguments_get_faults_or_a_request_and_never_an_exception(call: tuple[Tool, dict[str, Any]]) -> None:
    tool, arguments = call
    faults = tool.faults(arguments)
    assert len(faults) <= 30
    assert all(isinstance(name, str) and isinstance(reason, str) and reason for name, reason in faults.items())
    json.dumps(faults).encode()
    if not faults:
        request = tool.request(arguments)
        assert ".." not in request.path
        assert request.path.count("/") == tool.path.count("/")
        json.dumps([request.query, request.body], ensure_ascii=False, allow_nan=False).encode()
