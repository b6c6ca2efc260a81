"""A watcher and a witness of a log that is restored: they find it, and follow the epoch that an operator accepts."""

import hashlib
import importlib.util
from pathlib import Path
from typing import Any

import pytest
from django.core.management import call_command

from hoursmith_console.audit.watchers.logs import served_log
from mcpbridge.audit.signing import configured_key
from mcpbridge.audit.tree.errors import TreeError
from mcpbridge.audit.tree.notes import key_named
from mcpbridge.audit.tree.tiles import parse_tile_path
from mcpbridge.audit.witnesses.submission import WitnessSubmitter
from mcpbridge.models import SigningHead, WitnessStatus
from tests.databases import RecordDatabase
from tests.mcpbridge.audit.anchors.conftest import WORKSPACE, Restart, found, sign, write
from tests.mcpbridge.audit.epochs.conftest import Backup
from tests.paths import ROOT
from tests.witness_server import WitnessServer


@pytest.fixture
def database(sqlite_database: RecordDatabase) -> RecordDatabase:
    return sqlite_database


class _Watcher:
    """The stand-alone watcher, which reads what would be served."""

    def __init__(self, monkeypatch: pytest.MonkeyPatch) -> None:
        spec = importlib.util.spec_from_file_location("watch_audit_restores", ROOT / "docs/watch_audit.py")
        assert spec is not None
        assert spec.loader is not None
        self.module = importlib.util.module_from_spec(spec)
        spec.loader.exec_module(self.module)
        monkeypatch.setattr(self.module.Log, "ask", self._ask)
        monkeypatch.setenv("WATCH_KEY", "key")

    def _ask(self, origin: str, path: str, limit: int, body: bytes | None = None) -> bytes:
        log = served_log(WORKSPACE, hashlib.sha256(origin.encode()).hexdigest())
        if log is None:
            raise self.module.NoAnswerError("404")
        if path == "checkpoint":
            return log.head.signed_note.encode()
        if path == "checkpoint.json":
            return log.dated()
        tile, _, width = parse_tile_path(path)
        assert tile is not None
        try:
            return log.tile(tile, width)
        except TreeError as error:
            raise self.module.NoAnswerError(str(error)) from None

    def look(self, vkey: str, *more: str) -> int:
        return int(self.module.main(["--log", "https://console.example.com/audit/log", "--vkey", vkey, *more]))


def test_watcher_and_witness_follow_a_restore_that_was_accepted(
    signed: RecordDatabase, backup: Backup, restart: Restart, settings: Any, tmp_path: Path,
    monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str],
) -> None:  # fmt: skip
    monkeypatch.chdir(tmp_path)
    settings.LOG_DESTINATION_PRIVATE_NETWORKS = ["127.0.0.0/8"]
    watcher, first = _Watcher(monkeypatch), SigningHead.objects.order_by("id").values_list("origin", flat=True)[0]
    vkey = str(key_named(first, configured_key()))
    assert watcher.look(vkey) == 0
    restore = backup()
    write(4)
    assert sign() == 12
    assert watcher.look(vkey) == 0
    restore()
    restart()
    fault = found()
    assert fault is not None
    assert watcher.look(vkey) == 1
    assert "behind: the log ends at 8" in capsys.readouterr().out
    call_command("audit_accept_restore", "--reason", "restored the backup")
    write(6)
    sign()
    for more in ((), ("--accept-epoch", "3")):
        assert watcher.look(vkey, *more) == 1
        assert "new epoch: the log was restored and is at epoch 2" in capsys.readouterr().out
    assert watcher.look(vkey, "--accept-epoch", "2") == 0
    assert "epoch 2 continues from entry 8 of epoch 1" in capsys.readouterr().out
    assert watcher.look(vkey) == 0
    # The witness has to be told of the new origin first.
    second = first.removesuffix("1") + "2"
    with WitnessServer() as witness:
        settings.AUDIT_WITNESSES = witness.setting
        WitnessSubmitter(lock_path=None).submit()
        assert WitnessStatus.objects.get().refusal == "configuration"
        witness.trusts[second] = key_named(second, configured_key())
        WitnessSubmitter(lock_path=None).submit()
        assert (WitnessStatus.objects.get().refusal, list(witness.latest)) == ("", [second])
