"""A served console signs its record, follows an announced change of key, and says when one was not announced."""

import json
import subprocess
import sys
import urllib.request
from pathlib import Path
from typing import Any

from mcpbridge.audit.signing import key_pair
from tests.faults.conftest import Bench, bench
from tests.faults.mcp import call_tool
from tests.faults.upstream import Hoursmith
from tests.paths import ROOT


def published(running: Bench) -> dict[str, Any]:
    with urllib.request.urlopen(f"{running.served.url}/audit/key", timeout=10) as answer:
        found = json.load(answer)
    assert isinstance(found, dict)
    return found


def logged(running: Bench) -> list[dict[str, Any]]:
    """The checkpoints that the log has."""
    lines = running.served.output().splitlines()
    return [
        json.loads(line.split("mcpbridge.checkpoint: ", 1)[1]) for line in lines if "mcpbridge.checkpoint: " in line
    ]


def destroy(running: Bench, token: str) -> None:
    record_id = running.hoursmith.record_for("delete_client")
    assert call_tool(running.served, token, "delete_client", {"id": record_id}).result["isError"] is False


def test_a_console_changes_its_key_and_outsiders_follow(hoursmith: Hoursmith, tmp_path: Path) -> None:
    with bench(tmp_path, hoursmith, workers=2, AUDIT_CHECKPOINT_ROWS="2", AUDIT_WRITE_TIMEOUT_MS="2000") as running:
        served, token = running.served, hoursmith.mint()
        first = key_pair(served.environment["AUDIT_SIGNING_KEY"]).key_id
        destroy(running, token)
        running.eventually(lambda: bool(logged(running)), seconds=20)
        assert published(running)["current"] == first
        text = served.manage("audit_keygen", "--rotate").strip()
        destroy(running, token)
        assert served.stop() == 0
        # Both workers end; one of them signs what came since.
        ends = [head for head in logged(running) if head["reason"] == "shutdown"]
        assert {head["key_id"] for head in logged(running)} == {first}
        rows = running.rows("auditevent", "ORDER BY sequence DESC")
        assert max(head["sequence"] for head in logged(running)) == rows[0]["sequence"] == 5
        assert len({head["sequence"] for head in ends}) == len(ends)
        served.environment["AUDIT_SIGNING_KEY"] = text
        served.start()
        destroy(running, token)
        running.eventually(lambda: logged(running)[-1]["key_id"] == key_pair(text).key_id, seconds=20)
        assert [key["announced_by"] for key in published(running)["keys"]] == ["", first]

        (tmp_path / "key.json").write_text(json.dumps(published(running)))
        (tmp_path / "export.jsonl").write_text(served.manage("audit_export", "--format", "jsonl"))
        last = logged(running)[-1]
        command = [sys.executable, str(ROOT / "docs" / "verify_audit.py"), "export.jsonl", "key.json"]
        command += ["--fingerprint", published(running)["keys"][0]["fingerprint"]]
        head = f"{last['sequence']}:{last['hash']}"
        done = subprocess.run([*command, "--head", head], capture_output=True, text=True, timeout=60, cwd=tmp_path)
        assert done.returncode == 0, done.stdout + done.stderr


def test_a_key_that_nobody_announced_signs_nothing_and_stops_nothing(hoursmith: Hoursmith, tmp_path: Path) -> None:
    with bench(tmp_path, hoursmith, AUDIT_CHECKPOINT_ROWS="1", AUDIT_WRITE_TIMEOUT_MS="2000") as running:
        token = hoursmith.mint()
        destroy(running, token)
        running.eventually(lambda: bool(logged(running)), seconds=20)
        running.served.stop()
        signed = len(running.rows("signinghead"))
        running.served.environment["AUDIT_SIGNING_KEY"] = "somebody else's"
        running.served.start()
        destroy(running, token)
        running.eventually(lambda: "changed without announcement" in running.served.output(), seconds=20)
        assert len(running.rows("signinghead")) == signed
        assert len(published(running)["keys"]) == 1
