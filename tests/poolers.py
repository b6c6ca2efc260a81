"""pgbouncer in front of a PostgreSQL server of the tests."""

import shutil
import subprocess
import tempfile
import time
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from pathlib import Path
from urllib.parse import urlsplit

import psycopg

from tests.postgres import as_nobody, end_with_parent
from tests.servers import free_port


@contextmanager
def pgbouncer(url: str, needs: Callable[[bool, str], None], *, mode: str) -> Iterator[str]:
    """The URL under which a pooler in `mode` answers for the database at `url`."""
    program = shutil.which("pgbouncer", path="/usr/sbin:/usr/bin:/usr/local/bin")
    needs(program is not None, "pgbouncer")
    parts, port = urlsplit(url), free_port()
    name = parts.path.removeprefix("/")
    with tempfile.TemporaryDirectory(prefix="console-pooler-") as folder:
        Path(folder).chmod(0o755)
        settings = Path(folder, "pgbouncer.ini")
        settings.write_text(
            f"[databases]\n{name} = host={parts.hostname} port={parts.port} dbname={name} user={parts.username}\n"
            f"[pgbouncer]\nlisten_addr = 127.0.0.1\nlisten_port = {port}\nunix_socket_dir =\nauth_type = any\n"
            f"pool_mode = {mode}\nmax_client_conn = 100\ndefault_pool_size = 10\n"
        )
        process = subprocess.Popen(
            [str(program), str(settings)], stderr=subprocess.DEVNULL, preexec_fn=end_with_parent, **as_nobody()
        )
        pooled = f"postgres://{parts.username}@127.0.0.1:{port}/{name}"
        try:
            until = time.monotonic() + 20
            while not _answers(pooled):
                assert time.monotonic() < until
                assert process.poll() is None
                time.sleep(0.05)
            yield pooled
        finally:
            process.kill()
            process.wait(10)


def _answers(url: str) -> bool:
    try:
        psycopg.connect(url, connect_timeout=2).close()
    except psycopg.OperationalError:
        return False
    return True
