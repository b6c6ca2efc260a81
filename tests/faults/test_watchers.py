"""A watcher and a witness beside a served console: what only they find, and a log that stands still."""

import hashlib
import os
import shutil
import subprocess
import sys
import urllib.request
from collections.abc import Iterator
from pathlib import Path

import pytest

from mcpbridge.audit.signing import key_pair
from mcpbridge.audit.tree.checkpoints import open_checkpoint
from mcpbridge.audit.tree.notes import VerifierKey, key_named
from tests.faults.conftest import Bench, bench
from tests.faults.mcp import call_tool
from tests.faults.upstream import Hoursmith
from tests.paths import ROOT
from tests.witness_server import WitnessServer

LOG_NAME = "audit.example.com"


class _Site:
    """The console, its witness, and a watcher with a folder of its own."""

    def __init__(self, running: Bench, hoursmith: Hoursmith, witness: WitnessServer, folder: Path) -> None:
        self.running, self.hoursmith, self.witness, self.folder = running, hoursmith, witness, folder
        self.token = hoursmith.mint()
        self.destroy()
        org_id = running.rows("auditevent")[0]["org_id"]
        key = key_pair(running.served.environment["AUDIT_SIGNING_KEY"])
        self.vkey = key_named(f"{LOG_NAME}/{org_id}/1", key)
        witness.trusts[self.vkey.name] = self.vkey
        create = f"create_watch_key(org_id={org_id!r}, name='NAS', actor='Ana')"
        self.watch_key = running.served.shell(
            "import json; from hoursmith_console.audit.watchers.services import create_watch_key;"
            f" print(json.dumps({create}[1]))"
        )

    def destroy(self) -> dict[str, object]:
        record_id = self.hoursmith.record_for("delete_client")
        return call_tool(self.running.served, self.token, "delete_client", {"id": record_id}).result

    @property
    def last(self) -> int:
        return int(self.running.rows("auditevent", "ORDER BY sequence DESC LIMIT 1")[0]["sequence"])

    def wait_until_signed(self) -> None:
        """Wait until all entries are signed."""
        self.running.eventually(
            lambda: bool(self.running.rows("signinghead", "WHERE origin <> '' AND sequence = ?", self.last)), seconds=20
        )

    def wait_until_cosigned(self) -> None:
        self.running.eventually(lambda: self.witness.latest[self.vkey.name][0].size == self.last, seconds=20)

    def watch(self, *more: str) -> tuple[int, str]:
        """Run the watcher once; its exit code and what it says."""
        command = [sys.executable, "-I", str(ROOT / "docs/watch_audit.py"), "--vkey", str(self.vkey), *more]
        command += ["--log", f"{self.running.served.url}/audit/log", "--keep", str(self.folder / "watched")]
        environment = {"PATH": os.environ["PATH"], "WATCH_KEY": self.watch_key}
        done = subprocess.run(command, capture_output=True, text=True, timeout=60, env=environment, cwd=self.folder)
        assert done.stderr == ""
        return done.returncode, done.stdout

    def note(self) -> bytes:
        """The checkpoint as it is served."""
        log = hashlib.sha256(self.vkey.name.encode()).hexdigest()
        request = urllib.request.Request(f"{self.running.served.url}/audit/log/{log}/checkpoint")
        request.add_header("Authorization", f"Bearer {self.watch_key}")
        with urllib.request.urlopen(request, timeout=10) as answer:
            return bytes(answer.read())


@pytest.fixture
def site(hoursmith: Hoursmith, tmp_path: Path) -> Iterator[_Site]:
    with (
        WitnessServer() as witness,
        bench(
            tmp_path / "console",
            hoursmith,
            AUDIT_CHECKPOINT_ROWS="1",
            AUDIT_WRITE_TIMEOUT_MS="2000",
            AUDIT_LOG_NAME=LOG_NAME,
            AUDIT_WITNESSES=witness.setting,
            LOG_DESTINATION_PRIVATE_NETWORKS="127.0.0.0/8",
        ) as running,
    ):
        yield _Site(running, hoursmith, witness, tmp_path)


def test_an_old_database_with_its_old_anchors_is_found_by_watcher_and_witness_alone(site: _Site) -> None:
    running, served = site.running, site.running.served
    site.wait_until_signed()
    code, said = site.watch("--cosign", "cosigner.key")
    assert code == 0, said
    assert site.watch("--period", "0.0001")[0] == 3
    served.stop()
    backup = site.folder / "backup"
    shutil.copytree(served.var, backup)
    served.start()
    site.destroy()
    site.wait_until_signed()
    site.wait_until_cosigned()
    code, said = site.watch("--cosign", "cosigner.key")
    assert code == 0, said
    cosigner = VerifierKey.parse(said.split("cosigning as ")[1].splitlines()[0])
    found = open_checkpoint(site.note(), site.vkey, cosigners=[cosigner, site.witness.vkey])
    assert set(found.cosigned) == {cosigner, site.witness.vkey}
    served.stop()
    known = site.witness.latest[site.vkey.name][0]
    shutil.rmtree(served.var)
    shutil.copytree(backup, served.var)
    served.start()
    # The node notices nothing by itself: it takes the call and signs the other history with its real key.
    assert site.destroy()["isError"] is False
    site.wait_until_signed()
    assert site.last >= known.size
    code, said = site.watch()
    assert (code, said.split(":")[0]) == (1, "changed")
    # The witness refuses, which stops the node.
    running.eventually(lambda: site.destroy()["isError"] is True, seconds=20)
    (status,) = running.rows("witnessstatus")
    assert status["refusal"] in ("changed", "behind")
    assert site.witness.latest[site.vkey.name][0] == known
    served.stop()
    assert site.watch()[0] == 3
