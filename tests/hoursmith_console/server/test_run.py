"""`make run` in a folder that has nothing but the product: it prepares what is missing, and serves."""

import json
import os
import re
import shutil
import signal
import subprocess
import sys
import urllib.error
import urllib.request
from pathlib import Path
from typing import Any

from tests.paths import ROOT
from tests.servers import free_port
from tests.waiting import eventually


def _is_ready(port: int) -> bool:
    try:
        with urllib.request.urlopen(f"http://127.0.0.1:{port}/readyz", timeout=5) as answer:
            return bool(answer.status == 200)
    except (urllib.error.URLError, OSError):
        return False


def kept_from_others(folder: Path) -> list[Path]:
    """What is in `folder`, or the folder itself, that somebody else may read."""
    return [path for path in (folder, *folder.rglob("*")) if path.lstat().st_mode & 0o077]


def call(port: int, token: str, tool: str, **arguments: str) -> dict[str, Any]:
    """Call a tool over HTTP; what it returns."""
    body = {"jsonrpc": "2.0", "id": 1, "method": "tools/call", "params": {"name": tool, "arguments": arguments}}
    headers = {
        "Authorization": f"Bearer {token}",
        "Content-Type": "application/json",
        "Accept": "application/json, text/event-stream",
        "MCP-Protocol-Version": "2025-11-25",
    }
    request = urllib.request.Request(f"http://127.0.0.1:{port}/mcp", json.dumps(body).encode(), headers)
    with urllib.request.urlopen(request, timeout=30) as answer:
        found = json.loads(answer.read())["result"]["structuredContent"]
    assert isinstance(found, dict)
    return found


def left_open(var: Path) -> None:
    """What an earlier release or a copy left: folders and files that everybody may read."""
    for folder in (var, var / "anchors", var / "activity"):
        folder.mkdir()
        folder.chmod(0o755)
    for name in ("anchors/.lock", "activity/left", "note"):
        (var / name).touch()
        (var / name).chmod(0o644)


def test_a_fresh_copy_without_any_setting_makes_its_secrets_and_serves(tmp_path: Path) -> None:
    for name in ("hoursmith_console", "mcpbridge", "templates", "static", "docs"):
        # With what is compiled already: it says nothing that a fresh copy would not compile to.
        shutil.copytree(ROOT / name, tmp_path / name)
    left_open(tmp_path / "var")
    port = free_port()
    log = tmp_path / "log"
    with log.open("wb") as output:
        served = subprocess.Popen(
            [sys.executable, "-m", "hoursmith_console.server.run"],
            cwd=tmp_path,
            env={"PATH": os.environ["PATH"], "HOME": str(tmp_path), "PORT": str(port)},
            stdout=output,
            stderr=subprocess.STDOUT,
            umask=0o002,
        )
    try:
        eventually(
            lambda: served.poll() is not None or _is_ready(port), 120, told=lambda: log.read_text(errors="replace")
        )
        assert served.poll() is None, log.read_text(errors="replace")
        printed = log.read_text(errors="replace")
        assert "Example token of" in printed
        [token] = set(re.findall(r"^  (hsk_\w+)$", printed, flags=re.MULTILINE))
        client = call(port, token, "create_client", name="Of a moment")
        call(port, token, "delete_client", id=client["data"]["id"])
        anchors = tmp_path / "var/anchors"
        eventually(lambda: [path for path in anchors.iterdir() if path.name != ".lock"], 40)
        var = tmp_path / "var"
        made = {
            path.relative_to(var).parts[0].rpartition("-")[0] or path.relative_to(var).parts[0]
            for path in var.rglob("*")
        }
        assert {"console.sqlite3", "anchors", "metrics", "static", "restrictions", "secret_key"} <= made, made
        assert list(var.rglob("*-wal"))
        assert kept_from_others(var) == []
    finally:
        served.send_signal(signal.SIGTERM)
        served.wait(30)
