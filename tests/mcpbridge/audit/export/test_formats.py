"""Every value of a row is in every format, and can be restored unchanged."""

import json
from typing import Any

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from mcpbridge import __version__
from mcpbridge.audit.export import cef, csv, jsonl, ocsf, reading
from mcpbridge.audit.export.columns import COLUMNS
from mcpbridge.audit.hashchain import FACTS, FORMAT, canonical, genesis, row_hash
from mcpbridge.audit.tree.sealed import MEMBERS, commitments
from mcpbridge.audit.verification import Event
from mcpbridge.core.sanitize import sanitize_snapshot
from tests.audit_chains import a_chain, an_event, export_of, head_of
from tests.generated import examples
from tests.mcpbridge.audit.export.readers import (
    cef_extension,
    cef_header,
    rows_of_cef,
    rows_of_csv,
    rows_of_jsonl,
    rows_of_ocsf,
    unprotected,
)
from tests.verifiers import finding_in

AWKWARD = [
    "a|b",
    "a=b",
    "a\\b\\",
    "line\nline",
    "line\r\nline",
    "\n",
    '=HYPERLINK("http://example.com","x")',
    "+1",
    "-1",
    "@SUM(A1)",
    "\t=1",
    "\r=1",
    "\n=1",
    "\uff1dHYPERLINK(1)",
    "\uff0b1",
    "\uff0d1",
    "\uff20SUM(1)",
    "'",
    "'=1",
    "\u202egnp.exe",
    "\u200f\u2066x\u2069",
    "👩\u200d👩\u200d👧 emoji 🧾",
    "x" * 10_000,
    "|=\\\n" * 2_500,
    ' leading, "quoted" and trailing ',
    " a=1 b=2 externalId=no",
    "\u2028\u2029\x0b\x0c\x1c\x85",
    '{"json": [1]}',
    "null",
    "ﬁ\U0001f600",
    "\\n\\r\\=",
]
NAMES = st.sampled_from(AWKWARD) | st.text(st.characters(exclude_categories=["Cs"], exclude_characters="\0"))
NUMBERS = st.integers(-(2**60), 2**60) | st.floats(allow_nan=False)
VALUES = st.recursive(
    st.none() | st.booleans() | NUMBERS | NAMES,
    lambda inner: st.lists(inner, max_size=3) | st.dictionaries(NAMES, inner, max_size=3),
    max_leaves=6,
).map(sanitize_snapshot)
TEXTS = sorted(
    name
    for name, value in (an_event(genesis("org-1")).facts or {}).items()
    if isinstance(value, str) and name not in ("format", "workspace")
)
KINDS = ["read", "write", "destructive", "console"]


@st.composite
def events(draw: st.DrawFn) -> Event:
    texts = {name: draw(NAMES) for name in draw(st.lists(st.sampled_from(TEXTS), max_size=6))}
    more = {
        **texts,
        "kind": draw(st.sampled_from(KINDS)),
        "tool": draw(st.sampled_from(["delete_client", "archive_task", "get_me", "console.export"]) | NAMES),
        "arguments": draw(st.dictionaries(NAMES, VALUES, max_size=2)),
        "snapshot": draw(VALUES),
        "status": draw(st.none() | st.integers(0, 599)),
        "duration_ms": draw(st.none() | st.integers(0, 9) | st.floats(0.001, 1e6)),
    }
    return an_event(genesis(draw(NAMES)), draw(NAMES), epoch=draw(st.integers(0, 2)), **more)


def whole_row(event: Event) -> dict[str, Any]:
    """Every value of the row; its commitments follow from them."""
    assert event.facts is not None
    opened = {**(event.shown or {}), "seal": event.seal} if event.seal else {}
    said = {name: value for name, value in event.facts.items() if name != "sealed"}
    return {**said, **opened, "previous_hash": event.previous_hash, "hash": event.hash}


def facts_of(row: dict[str, Any]) -> dict[str, Any]:
    """What the hash of a row covers, made from its values."""
    names = (*FACTS, "format", "workspace")
    if row["format"] == FORMAT:
        return {name: row[name] for name in names}
    sealed = commitments(bytes.fromhex(row["seal"]), {name: canonical(row[name]) for name in MEMBERS})
    return {**{name: row[name] for name in (*names, "epoch") if name not in MEMBERS}, "sealed": sealed}


READERS = {
    "csv": (csv.lines, rows_of_csv),
    "cef": (cef.lines, rows_of_cef),
    "ocsf": (ocsf.lines, rows_of_ocsf),
    "jsonl": (jsonl.record_lines, rows_of_jsonl),
}


@pytest.mark.parametrize("name", READERS)
@settings(max_examples=examples(150), deadline=None)
@given(st.lists(events(), max_size=3))
def test_every_row_comes_back_from_every_format_with_its_hash(name, rows):
    write, read = READERS[name]
    came_back = read(b"".join(write(rows)))
    told = [row.pop("sealed", None) for row in came_back]
    if name == "jsonl":
        assert told == [(row.facts or {}).get("sealed") for row in rows]
    assert [canonical(row) for row in came_back] == [canonical(whole_row(row)) for row in rows]
    for row in came_back:
        assert row_hash(canonical(facts_of(row)), row["previous_hash"]) == row["hash"]


@pytest.mark.parametrize("text", AWKWARD)
@pytest.mark.parametrize("name", READERS)
def test_each_awkward_name_comes_back_from_every_text_column(name, text):
    write, read = READERS[name]
    row = an_event(genesis("org-1"), **{column: text for column in TEXTS if column not in ("kind", "id")})
    (came_back,) = read(b"".join(write([row])))
    assert came_back == whole_row(row)


def test_an_export_full_of_awkward_names_still_proves_itself():
    rows, head = [], genesis("org-1")
    for text in AWKWARD:
        row = an_event(head, target_label=text, actor=text, snapshot={text: [text]}, arguments={text: text})
        rows.append(row)
        head = head_of(row)
    assert finding_in(a_chain(0, [0, len(rows)], rows=rows)) is None


@settings(max_examples=examples(100), deadline=None)
@given(events())
def test_json_lines_carry_each_fact_under_its_own_name(row):
    *_, line, end = export_of([row])
    sealed = {"sealed": row.facts["sealed"]} if row.seal else {}
    assert json.loads(line) == {"type": "event", **whole_row(row), **sealed}
    (read,) = list(reading.Export(export_of([row])).records())
    assert read == row
    assert json.loads(end) == {"type": "end", "lines": 1}


@given(NAMES)
def test_no_cell_begins_like_a_formula_and_every_cell_can_be_got_back(text):
    cell = csv.protected(text)
    assert not cell.startswith(("=", "+", "-", "@", "\uff1d", "\uff0b", "\uff0d", "\uff20", "\t", "\r", "\n"))
    assert unprotected(cell) == text


def test_a_csv_has_a_line_of_names_and_lines_that_end_as_the_standard_says():
    first, second = csv.lines([an_event(genesis("org-1"))])
    assert first == ",".join(COLUMNS).encode() + b"\r\n"
    assert second.endswith(b"\r\n")
    assert set(COLUMNS) == {*FACTS, "workspace", "epoch", "seal", "hash", "previous_hash"}


def cef_line(**more: Any) -> str:
    (line,) = cef.lines([an_event(genesis("org-1"), **more)])
    return line.decode().rstrip("\n")


def test_a_cef_line_names_the_event_in_its_header():
    line = cef_line(tool="delete|client\\", result="succeeded", phase="outcome")
    assert line.startswith(f"CEF:0|Hoursmith|Hoursmith Console|{__version__}|")
    assert "delete\\|client\\\\:succeeded" in line
    assert cef_header(line)[4:] == ["delete|client\\:succeeded", "delete|client\\ succeeded", "5"]


@pytest.mark.parametrize(
    ("more", "severity"),
    [
        ({"phase": "unknown", "result": "unknown"}, "8"),
        ({"phase": "intent", "result": ""}, "3"),
        ({"phase": "outcome", "result": "refused"}, "3"),
        ({"phase": "event", "result": "succeeded", "kind": "console"}, "3"),
    ],
)
def test_cef_severity_rises_with_what_is_at_stake(more, severity):
    assert cef_header(cef_line(**more))[6] == severity


def test_cef_uses_the_dictionary_where_it_has_a_key():
    extension = cef_extension(cef_line(address="192.0.2.1", result="succeeded", actor="Ana"))
    assert extension["src"] == "192.0.2.1"
    assert extension["suser"] == "Ana"
    assert extension["act"] == "delete_client"
    assert extension["rt"] == "1795430528123"
    assert extension["start"] == "1795430528123"
    assert (extension["cn1"], extension["cn1Label"]) == ("1", "sequence")
    assert all(key.isalnum() for key in extension)
    later = cef_extension(cef_line(address="2001:db8::1"))
    assert (later["c6a2"], later["c6a2Label"]) == ("2001:db8::1", "Source IPv6 Address")
    assert "src" not in later
    assert "src" not in cef_extension(cef_line(address=""))


def ocsf_event(**more: Any) -> dict[str, Any]:
    return ocsf.event_of(an_event(genesis("org-1"), **more))


def test_an_ocsf_event_names_the_product_and_its_version():
    product = {"name": "Hoursmith Console", "vendor_name": "Hoursmith", "version": __version__}
    assert ocsf_event()["metadata"]["product"] == product


REQUIRED = {"activity_id", "category_uid", "class_uid", "metadata", "severity_id", "time", "type_uid"}


@pytest.mark.parametrize(
    ("tool", "kind", "expected"),
    [
        ("delete_client", "destructive", (3004, 4)),
        ("archive_task", "destructive", (3004, 9)),
        ("get_me", "read", (6003, 2)),
        ("list_tasks", "read", (6003, 2)),
        ("create_task", "write", (6003, 1)),
        ("update_task", "write", (6003, 3)),
        ("console.token_block", "console", (6003, 99)),
    ],
)
def test_an_ocsf_event_is_of_the_class_and_activity_of_its_tool(tool, kind, expected):
    event = ocsf_event(tool=tool, kind=kind)
    class_uid, activity_id = expected
    assert (event["class_uid"], event["activity_id"]) == expected
    assert event["type_uid"] == class_uid * 100 + activity_id
    assert event["category_uid"] == class_uid // 1000
    assert event.keys() >= REQUIRED
    assert event["metadata"].keys() >= {"version", "product"}
    assert event["time"] == 1795430528123
    if class_uid == 3004:
        assert event["entity"]["uid"] == "6b1f"
        assert "api" not in event
    else:
        assert event.keys() >= {"actor", "api", "src_endpoint"}
        assert event["api"]["operation"] == tool
        assert event["api"]["request"]["uid"] == "r-1"
        assert "entity" not in event


@pytest.mark.parametrize(
    ("more", "status_id", "status"),
    [
        ({"phase": "intent", "result": ""}, 99, "intent"),
        ({"phase": "outcome", "result": "succeeded"}, 1, "Success"),
        ({"phase": "outcome", "result": "refused"}, 2, "Failure"),
        ({"phase": "outcome", "result": "failed"}, 2, "Failure"),
        ({"phase": "unknown", "result": "unknown"}, 0, "Unknown"),
        ({"phase": "resolution", "result": ""}, 99, "resolution"),
    ],
)
def test_an_ocsf_status_says_how_the_call_ended(more, status_id, status):
    event = ocsf_event(**more)
    assert (event["status_id"], event["status"]) == (status_id, status)


@pytest.mark.parametrize("address", ["", "not an address", "192.0.2.1", "2001:db8::1"])
def test_ocsf_objects_hold_at_least_what_the_schema_asks_for(address):
    nobody = {"target_id": "", "target_label": "", "target_type": "", "token_name": "", "client_name": "", "role": ""}
    for kind in KINDS:
        event = ocsf_event(address=address, kind=kind, **nobody)
        assert {"ip", "name"} & event["src_endpoint"].keys()
        assert event["actor"]["user"]["name"]
        if "entity" in event:
            assert event["entity"]["org"]["uid"] == "org-1"
            assert event["entity"]["type_id"] == 0
        else:
            assert "resources" not in event


@pytest.mark.parametrize("write", [csv.lines, cef.lines, ocsf.lines])
def test_a_row_that_cannot_be_read_is_still_named(write):
    broken = Event("org-1", 7, "an id", None, "0" * 64, "1" * 64)
    (line,) = list(write([broken]))[-1:]
    assert b"an id" in line
    assert b"1" * 64 in line


def test_the_formats_hold_one_row_at_a_time():
    def endless():
        chain = a_chain(1)
        while True:
            yield chain[-1]

    for write in (csv.lines, cef.lines, ocsf.lines, jsonl.record_lines):
        lines = iter(write(endless()))
        assert all(next(lines) for _ in range(50))
