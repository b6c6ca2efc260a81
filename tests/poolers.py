"""pgbouncer in front of PostgreSQL servers of the tests, with the configuration that the documentation shows.

With TEST_POOLER=transaction (or session) everything that the tests serve or make `default` on PostgreSQL goes through
one: `make test-pooled`. What the tests themselves ask of a database does not.
"""

import atexit
import functools
import os
import re
import shutil
import socket
import subprocess
import tempfile
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from pathlib import Path
from urllib.parse import urlsplit

import psycopg

from tests.paths import ROOT
from tests.postgres import as_nobody, end_with_parent
from tests.servers import free_port
from tests.waiting import eventually

MODE = os.environ.get("TEST_POOLER", "")
_PROGRAM = shutil.which("pgbouncer", path="/usr/sbin:/usr/bin:/usr/local/bin")


def behind_pooler(url: str) -> tuple[str, str]:
    """The URL to use for the database at `url`, and its direct URL if that one is a pooler in transaction mode."""
    parts = urlsplit(url)
    if not MODE or not parts.scheme.startswith("postgres") or parts.hostname != "127.0.0.1" or parts.port in _started:
        return url, ""
    assert _PROGRAM is not None, "TEST_POOLER is set, but pgbouncer is not installed."
    pooled = f"postgres://{parts.username}@127.0.0.1:{_port_before(int(parts.port or 0))}{parts.path}"
    return pooled, url if MODE == "transaction" else ""


@contextmanager
def pgbouncer(url: str, needs: Callable[[bool, str], None], *, mode: str) -> Iterator[str]:
    """The URL under which a pooler in `mode` answers for the database at `url`."""
    needs(_PROGRAM is not None, "pgbouncer")
    parts = urlsplit(url)
    with tempfile.TemporaryDirectory(prefix="console-pooler-") as folder:
        process, port = _started_in(Path(folder), int(parts.port or 0), mode)
        pooled = f"postgres://{parts.username}@127.0.0.1:{port}{parts.path}"
        try:
            eventually(lambda: _answers(pooled), 20)
            yield pooled
        finally:
            process.kill()
            process.wait(10)


# The ports of the poolers themselves: what is behind one already goes through no second one.
_started: set[int | None] = set()


@functools.cache
def _port_before(server: int) -> int:
    """The port of this process's pooler in front of the server at the port `server`."""
    folder = tempfile.mkdtemp(prefix="console-pooler-")
    process, port = _started_in(Path(folder), server, MODE)

    def end() -> None:
        process.kill()
        process.wait(10)
        shutil.rmtree(folder, ignore_errors=True)

    atexit.register(end)
    eventually(lambda: _listens(port), 20)
    return port


def _listens(port: int) -> bool:
    try:
        socket.create_connection(("127.0.0.1", port), timeout=2).close()
    except OSError:
        return False
    return True


def _started_in(folder: Path, server: int, mode: str) -> tuple["subprocess.Popen[bytes]", int]:
    port = free_port()
    folder.chmod(0o755)
    settings = folder / "pgbouncer.ini"
    settings.write_text(_configuration(port, server, mode), encoding="utf-8")
    process = subprocess.Popen(
        [str(_PROGRAM), str(settings)], stderr=subprocess.DEVNULL, preexec_fn=end_with_parent, **as_nobody()
    )
    _started.add(port)
    return process, port


def _configuration(port: int, server: int, mode: str) -> str:
    shown = re.search(
        r"```ini\n(\[databases\]\n.*?)```", (ROOT / "docs" / "operating.md").read_text("utf-8"), re.DOTALL
    )
    assert shown is not None
    text = shown[1]
    for before, after in {
        "console = host=10.0.0.20 port=5432 dbname=console": f"* = host=127.0.0.1 port={server} user=console",
        "listen_addr = 10.0.0.15": "listen_addr = 127.0.0.1",
        "listen_port = 6432": f"listen_port = {port}\nunix_socket_dir =",
        "auth_type = scram-sha-256\nauth_file = /etc/pgbouncer/userlist.txt": "auth_type = any",
        "pool_mode = transaction": f"pool_mode = {mode}",
    }.items():
        assert before in text
        text = text.replace(before, after)
    return text


def _answers(url: str) -> bool:
    try:
        psycopg.connect(url, connect_timeout=2).close()
    except psycopg.OperationalError:
        return False
    return True
