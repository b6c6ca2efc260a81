"""`make run` in a folder that has nothing but the product: it prepares what is missing, and serves."""

import os
import shutil
import signal
import subprocess
import sys
import urllib.error
import urllib.request
from pathlib import Path

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
    """What is in `folder`, or the folder itself, that somebody else may read; but for what is served to everybody."""
    private = [path for path in folder.rglob("*") if not path.is_relative_to(folder / "static")]
    return [path for path in (folder, *private) if path.stat().st_mode & 0o077]


def test_a_fresh_copy_without_any_setting_makes_its_secrets_and_serves(tmp_path: Path) -> None:
    for name in ("hoursmith_console", "mcpbridge", "templates", "static", "docs"):
        # With what is compiled already: it says nothing that a fresh copy would not compile to.
        shutil.copytree(ROOT / name, tmp_path / name)
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
            lambda: served.poll() is not None or _is_ready(port), 60, told=lambda: log.read_text(errors="replace")
        )
        assert served.poll() is None, log.read_text(errors="replace")
        assert "Example token of" in log.read_text(errors="replace")
        assert kept_from_others(tmp_path / "var") == []
    finally:
        served.send_signal(signal.SIGTERM)
        served.wait(30)
