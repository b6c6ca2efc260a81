"""A receiver of a restored log gets the statement before the new entries, and nothing looks like a repetition."""

import io
import json
import subprocess
import sys
from pathlib import Path

import pytest
from django.core.management import call_command

from mcpbridge.audit.anchors import memory
from mcpbridge.audit.anchors.memory import node_anchors
from mcpbridge.audit.anchors.watch import look
from mcpbridge.audit.checkpoints import make_checkpoints
from mcpbridge.audit.destinations.transports.file import file_path
from mcpbridge.audit.keyring import published_keys
from tests.databases import RecordDatabase
from tests.mcpbridge.audit.destinations.conftest import World
from tests.mcpbridge.audit.destinations.receivers import HttpReceiver, SyslogReceiver, parse_syslog
from tests.mcpbridge.audit.epochs.conftest import Backup, backup
from tests.paths import ROOT

__all__ = ["backup"]


@pytest.fixture
def database(sqlite_database: RecordDatabase) -> RecordDatabase:
    """One of them is enough here: it is the receiver that matters."""
    return sqlite_database


def lose_and_accept(world: World, backup: Backup, monkeypatch: pytest.MonkeyPatch) -> None:
    """Four rows that are kept, two that are delivered and lost, and two that are written before an operator accepts."""
    world.write(4)
    make_checkpoints(reason="rows", org_id="org-1")
    world.round()
    restore = backup()
    world.write(2)
    make_checkpoints(reason="rows", org_id="org-1")
    world.round()
    restore()
    monkeypatch.setattr(memory, "_current", None)
    look(node_anchors(), "default")
    world.write(2)
    world.round()
    call_command("audit_accept_restore", "--reason", "restored the backup of 11:00", stdout=io.StringIO())
    world.round()


def test_a_webhook_gets_the_statement_first_and_each_batch_under_its_own_id(
    world: World, backup: Backup, monkeypatch: pytest.MonkeyPatch
) -> None:
    with HttpReceiver() as receiver:
        world.destination(receiver.url)
        lose_and_accept(world, backup, monkeypatch)
    records = [record for request in receiver.requests for record in request.records]
    told = [
        (record["type"], record.get("epoch"), record.get("sequence"))
        for record in records
        if record["type"] in ("event", "restore") and record.get("tool") != "console.destination_create"
    ]
    first = told[0][2]
    assert isinstance(first, int)
    kept, at = first + 3, told.index(("restore", None, None))
    assert told[:at] == [("event", 1, kept + place) for place in (-3, -2, -1, 0, 1, 2)]
    # Nothing of the new epoch came before the statement; its entries take no place of another one.
    assert told[at + 1 :] == [("event", 2, kept + place) for place in (1, 2, 3)]
    statement = next(record for record in records if record["type"] == "restore")
    assert (statement["kept"]["sequence"], statement["from"]["sequence"]) == (kept, kept + 2)
    ids = [
        {name.lower(): value for name, value in request.headers.items()}["webhook-id"] for request in receiver.requests
    ]
    assert len(set(ids)) == len(ids)


def test_syslog_gets_the_statement_as_a_message_of_its_own(
    world: World, backup: Backup, monkeypatch: pytest.MonkeyPatch
) -> None:
    with SyslogReceiver() as receiver:
        world.destination(receiver.url, kind="syslog", format="cef")
        lose_and_accept(world, backup, monkeypatch)
    messages = [parse_syslog(each).message for each in receiver.frames]
    (statement,) = [message for message in messages if "|restore|" in message]
    assert "restored the backup of 11:00" in statement


def test_what_a_file_holds_of_a_restored_log_can_be_proved_as_the_docs_say(
    world: World, backup: Backup, monkeypatch: pytest.MonkeyPatch, tmp_path: Path
) -> None:
    world.destination("audit.jsonl", kind="file")
    lose_and_accept(world, backup, monkeypatch)
    make_checkpoints(reason="rows", org_id="org-1")
    world.round()
    text = (ROOT / "docs" / "audit-streaming.md").read_text(encoding="utf-8")
    assemble, key, export = (tmp_path / name for name in ("assemble.py", "key.json", "export.jsonl"))
    assemble.write_text(
        next(part for part in text.split("```python\n") if part.startswith("# assemble.py")).split("```")[0]
    )
    key.write_text(json.dumps(published_keys()))
    path = file_path("org-1", "audit.jsonl")
    made = subprocess.run([sys.executable, str(assemble), str(path), str(key)], capture_output=True, check=True)
    export.write_bytes(made.stdout)
    command = [sys.executable, str(ROOT / "docs" / "verify_audit.py"), str(export), str(key)]
    command += ["--fingerprint", published_keys()["keys"][0]["fingerprint"]]
    done = subprocess.run(command, capture_output=True, text=True, timeout=60)
    assert done.returncode == 0, done.stdout + done.stderr
    assert "restored the backup of 11:00" in done.stdout
