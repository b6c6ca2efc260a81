"""Records read as labelled fields, whatever shape they have."""

import pytest
from django.template import Context, Template
from hypothesis import given
from hypothesis import strategies as st

from hoursmith_console.audit.call_descriptions import describe_call
from hoursmith_console.core.record_fields import label_of, labelled

JSON = st.recursive(
    st.none() | st.booleans() | st.integers() | st.floats(allow_nan=False) | st.text(max_size=40),
    lambda inner: st.lists(inner, max_size=4) | st.dictionaries(st.text(max_size=20), inner, max_size=4),
    max_leaves=20,
)


@pytest.mark.parametrize(
    ("key", "label"),
    [
        ("name", "Name"),
        ("billingLine1", "Billing line 1"),
        ("defaultTaxRate", "Default tax rate"),
        ("orgId", "Org id"),
        ("snake_case", "Snake case"),
        ("URL", "URL"),
        ("§§", "§§"),
        ("größe", "Größe"),
        ("", ""),
    ],
)
def test_keys_become_labels(key: str, label: str) -> None:
    assert label_of(key) == label


@pytest.mark.parametrize(
    ("record", "label", "kind", "value"),
    [
        ({"billable": False}, "Billable", "text", "no"),
        ({"durationSeconds": 5400}, "Duration", "text", "1 h 30 min"),
        ({"durationSeconds": 61}, "Duration", "text", "1 min 01 s"),
        ({"estimatedHours": 1234567}, "Estimated hours", "number", 1234567),
        ({"tags": ["a", "b"]}, "Tags", "text", "a, b"),
        ({"data": {"name": "Globex"}}, "Name", "text", "Globex"),
        ({"date": "2026-99-99T99:99"}, "Date", "text", "2026-99-99T99:99"),
        ("plain", "Value", "text", "plain"),
    ],
)
def test_values_are_shown_by_what_they_are(record: object, label: str, kind: str, value: object) -> None:
    field = labelled(record).filled[0]
    assert (field.label, field.kind, field.value) == (label, kind, value)


def test_empty_fields_are_only_named() -> None:
    fields = labelled({"name": "x", "notes": None, "tags": [], "phone": ""})
    assert [field.label for field in fields.filled] == ["Name"]
    assert fields.empty == ["Notes", "Tags", "Phone"]


@given(JSON)
def test_any_record_can_be_shown(record: object) -> None:
    page = Template('{% include "console/_fields.html" %}').render(Context({"record": record}))
    assert "Raw" in page


def test_verbs_are_formed_for_every_destructive_tool() -> None:
    def verbs(tool: str) -> tuple[str, str, str]:
        facts = {"tool": tool, "target_type": "time_entry", "response": "204", "may_be_done": False}
        return (
            describe_call(state="succeeded", **facts).title,
            describe_call(state="refused", **facts).verb,
            describe_call(state="under_way", **facts).verb,
        )

    assert verbs("delete_time_entry") == ("Deleted time entry", "tried to delete", "is deleting")
    assert verbs("archive_time_entry") == ("Archived time entry", "tried to archive", "is archiving")
