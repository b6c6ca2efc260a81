"""What the page on reliability names is there, and each fault says what it costs and which test makes it happen."""

import re

import pytest

from tests.docs.test_security_page import functions_of, rows
from tests.paths import ROOT

PAGE = (ROOT / "docs/reliability.md").read_text(encoding="utf-8")
NAMED = sorted(set(re.findall(r"`(tests/[\w/]+\.py)::(\w+)`", PAGE)))
FAULTS = [row for row in rows(PAGE.partition("## Soak test")[0]) if row[0] != "Fault"]


@pytest.mark.parametrize(("path", "name"), NAMED, ids=lambda value: value.rpartition("/")[2])
def test_a_test_that_is_named_is_there(path: str, name: str) -> None:
    assert name in functions_of(path)


def test_every_fault_says_what_is_seen_and_lost_and_names_a_test() -> None:
    assert len(FAULTS) > 25
    for row in FAULTS:
        assert len(row) == 5, row[0]
        assert all(row), row[0]
        assert "::test_" in row[4], row[0]


def test_every_test_of_a_fault_is_on_the_page() -> None:
    """Whoever writes a new one says here what it means for those who call and those who run it."""
    files = (
        "hoursmith_away",
        "unwritable_audit_log",
        "ends_of_processes",
        "rolling_restart",
        "many_connections",
        "clock",
        "hammer",
    )
    tests = {
        f"tests/faults/test_{file}.py::{name}"
        for file in files
        for name in functions_of(f"tests/faults/test_{file}.py")
        if name.startswith("test_")
    }
    named = {f"{path}::{name}" for path, name in NAMED}
    assert tests - named <= {
        # The same fault by a quicker way, or another side of it.
        "tests/faults/test_unwritable_audit_log.py::test_a_full_disk",
        "tests/faults/test_unwritable_audit_log.py::test_a_token_never_seen_before_can_read_while_the_database_is_locked",
    }
