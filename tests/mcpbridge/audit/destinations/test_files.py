"""Files get whole lines only, wherever a crash or a rotation falls, and lie nowhere but in the operator's folder."""

import json
import os
import resource
import signal
from pathlib import Path
from typing import Any

import pytest

from mcpbridge.audit.destinations.errors import UndeliveredError
from mcpbridge.audit.destinations.transports.factory import send_batch
from mcpbridge.audit.destinations.transports.file import append_to_file, file_path
from tests.databases import RecordDatabase
from tests.mcpbridge.audit.destinations.conftest import AWKWARD, AWKWARD_KEPT, Fresh, World


@pytest.fixture
def database(sqlite_database: RecordDatabase) -> RecordDatabase:
    """One of them is enough here: it is the receiver that matters."""
    return sqlite_database


def sequences(path: Path) -> list[int]:
    return [json.loads(line)["sequence"] for line in path.read_bytes().splitlines()]


def test_rows_are_lines_of_a_file_for_its_owner_alone(world: World, fresh: Fresh) -> None:
    world.write(4, target_label=AWKWARD)
    destination = world.destination("audit.jsonl", kind="file")
    world.round()
    world.write(2)
    world.round()
    path = file_path("org-1", "audit.jsonl")
    assert sequences(path) == world.rows() == list(range(1, 8))
    assert json.loads(path.read_bytes().splitlines()[0])["target_label"] == AWKWARD_KEPT
    assert oct(path.stat().st_mode)[-3:] == "600"
    assert oct(path.parent.stat().st_mode)[-3:] == "700"
    assert fresh(destination).acked == 7


def test_what_a_crash_left_of_a_line_is_taken_away(world: World) -> None:
    world.write(2)
    world.destination("audit.jsonl", kind="file")
    world.round()
    path = file_path("org-1", "audit.jsonl")
    with path.open("ab") as file:
        file.write(b'{"type":"event","sequence":4,"at":"20')
    world.write(2)
    world.round()
    assert sequences(path) == [1, 2, 3, 4, 5]


def test_a_file_that_is_nothing_but_a_torn_line_begins_anew(tmp_path: Path) -> None:
    path = tmp_path / "torn"
    path.write_bytes(b"x" * 200_000)
    append_to_file(path, b"whole\n")
    assert path.read_bytes() == b"whole\n"


def test_a_file_may_be_moved_away_at_any_time(world: World) -> None:
    world.destination("audit.jsonl", kind="file")
    world.round()
    path = file_path("org-1", "audit.jsonl")
    path.rename(path.with_name("audit.jsonl.1"))
    world.write(2)
    world.round()
    assert sequences(path.with_name("audit.jsonl.1")) == [1]
    assert sequences(path) == [2, 3]


def test_a_disk_that_is_full_keeps_the_rows_waiting(
    world: World, fresh: Fresh, monkeypatch: pytest.MonkeyPatch
) -> None:
    import resource

    world.write(20)
    destination = world.destination("audit.jsonl", kind="file")
    limits = resource.getrlimit(resource.RLIMIT_FSIZE)
    before = signal.signal(signal.SIGXFSZ, signal.SIG_IGN)
    monkeypatch.setattr("mcpbridge.audit.destinations.delivery.send_batch", _within(limits, 4096))
    try:
        world.round()
    finally:
        signal.signal(signal.SIGXFSZ, before)
    assert "cannot be written: File too large" in fresh(destination).fault
    monkeypatch.undo()
    world.wait(seconds=5)
    world.round()
    assert sequences(file_path("org-1", "audit.jsonl")) == world.rows()


def _within(limits: tuple[int, int], size: int) -> Any:
    """Sending while no file may grow beyond `size`: the database's own are larger already."""

    def send(*args: Any, **more: Any) -> None:
        resource.setrlimit(resource.RLIMIT_FSIZE, (size, limits[1]))
        try:
            send_batch(*args, **more)
        finally:
            resource.setrlimit(resource.RLIMIT_FSIZE, limits)

    return send


def test_neither_links_nor_pipes_are_written_to(tmp_path: Path) -> None:
    target = tmp_path / "target"
    target.write_bytes(b"")
    link, pipe = tmp_path / "link", tmp_path / "pipe"
    link.symlink_to(target)
    os.mkfifo(pipe)
    for path, why in ((link, "it is a symbolic link"), (tmp_path, "Is a directory")):
        with pytest.raises(UndeliveredError, match=why):
            append_to_file(path, b"x\n")
    with pytest.raises(UndeliveredError):
        append_to_file(pipe, b"x\n")
    assert target.read_bytes() == b""


@pytest.mark.parametrize(
    "name", ["", ".", "..", "../x", "a/b", "/etc/passwd", ".hidden", "a\0b", "a\nb", "x" * 101, "ö"]
)
def test_names_lead_nowhere_else(name: str) -> None:
    with pytest.raises(ValueError, match="letters, digits"):
        file_path("org-1", name)


@pytest.mark.parametrize("org_id", ["..", ".", "../../etc", "a/b", "", "ö\0", "workspace-a"])
def test_whatever_a_workspace_is_called_it_has_a_folder_of_its_own(settings: Any, tmp_path: Path, org_id: str) -> None:
    settings.LOG_DESTINATION_FILES_DIR = tmp_path
    path = file_path(org_id, "audit.jsonl")
    assert path.parent.parent == tmp_path
    assert path.resolve().is_relative_to(tmp_path.resolve())
    assert file_path("a%2Fb", "x").parent != file_path("a/b", "x").parent
