"""What is changed in the middle of a log is found while the log is verified again, some rows at a time."""

import os
from pathlib import Path
from typing import Any

import pytest
from django.utils import timezone

from mcpbridge.audit.anchors import rounds
from mcpbridge.audit.anchors.memory import node_anchors
from mcpbridge.audit.anchors.rounds import OldRows
from mcpbridge.audit.retention import prune_audit_log
from tests.databases import RecordDatabase
from tests.mcpbridge.audit.anchors.conftest import EVENTS, WORKSPACE, Restart, Sql, found, sign, write


@pytest.fixture(autouse=True)
def three_at_a_time(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(rounds, "ROWS", 3)
    monkeypatch.setattr(rounds, "_ROWS_PER_LOG", 0)


def place_file() -> Path:
    folder = node_anchors().folder
    assert folder is not None
    return folder.path / ".round"


def go_on(times: int = 1) -> None:
    for _ in range(times):
        if node_anchors().folder is not None and place_file().exists():
            os.utime(place_file(), (0, 0))
        OldRows("default").verify_some()


MIDDLE = {
    "facts changed": f"UPDATE {EVENTS} SET role = 'MEMBER' WHERE sequence = 3",
    "a row removed": f"DELETE FROM {EVENTS} WHERE sequence = 5",
    "rows removed": f"DELETE FROM {EVENTS} WHERE sequence BETWEEN 2 AND 7",
    "the beginning removed": f"DELETE FROM {EVENTS} WHERE sequence < 4",
    "hash changed": f"UPDATE {EVENTS} SET hash = previous_hash WHERE sequence = 4",
    "number changed": f"UPDATE {EVENTS} SET sequence = 90 WHERE sequence = 2",
}


@pytest.mark.parametrize("name", MIDDLE)
@pytest.mark.parametrize("before", [0, 1, 2])
def test_a_change_in_the_middle_is_found_by_itself(name: str, before: int, sql: Sql, restart: Restart) -> None:
    go_on(before)
    sql(MIDDLE[name])
    restart()
    if name != "number changed":
        assert found() is None, "the anchor does not see it"
    go_on(8)
    fault = found()
    assert fault is not None
    assert (fault.kind, fault.workspace) == ("changed", WORKSPACE)


def test_an_untouched_log_is_verified_round_and_round(signed: RecordDatabase, restart: Restart) -> None:
    write(3, "org-2")
    sign("org-2")
    places = set()
    for _ in range(12):
        go_on()
        places.add(place_file().read_bytes())
        restart()
        assert found() is None
    assert len({place.split(b",")[1] for place in places}) > 2


def test_a_pruned_log_is_verified_from_its_cut(signed: RecordDatabase, tmp_path: Path, settings: Any) -> None:
    go_on()
    write(1)
    prune_audit_log(org_id=WORKSPACE, before=timezone.now(), export_to=tmp_path, actor="Ana")
    write(4)
    sign()
    go_on(5)
    assert found() is None


def test_a_place_that_was_changed_raises_no_alarm(signed: RecordDatabase) -> None:
    go_on()
    for garbage in (b"", b"{", b'["org-1", 2, "00"]', b'["org-9", 2, "00"]', b'["org-1", 7000, "00"]', b"[1, 2, 3]"):
        place_file().write_bytes(garbage)
        go_on(4)
        assert found() is None


def test_one_process_of_a_node_at_a_time(sql: Sql) -> None:
    go_on()
    sql(MIDDLE["facts changed"])
    place_file().write_bytes(b"[]")
    OldRows("default").verify_some()
    assert found() is None, "another process has just been at it"
    go_on()
    assert found() is not None


def test_without_a_folder_the_place_is_kept_in_memory(sql: Sql, settings: Any) -> None:
    settings.AUDIT_ANCHOR = "none"
    assert found() is None
    sql(f"UPDATE {EVENTS} SET role = 'MEMBER' WHERE sequence = 7")
    old_rows = OldRows("default")
    for _ in range(3):
        assert found() is None
        old_rows.verify_some()
    assert found() is not None
