"""HAProxy in front of nodes of the tests, as docs/proxies configures it."""

import os
import subprocess
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

from tests.faults.proxies.programs import filled_in
from tests.postgres import end_with_parent


@contextmanager
def balancer(folder: Path, *, at: str, nodes: dict[str, str]) -> Iterator[int]:
    """HAProxy at the address `at` in front of the nodes `a` and, if it is there, `b`; its pid.

    It starts in the caller's network, and says in a header which node answered.
    """
    configuration = folder / "haproxy.cfg"
    configuration.write_text(_configuration(at, nodes), encoding="utf-8")
    with (folder / "haproxy.log").open("wb") as log:
        process = subprocess.Popen(
            ["haproxy", "-db", "-f", str(configuration)], stdout=log, stderr=log, preexec_fn=end_with_parent
        )
    try:
        yield process.pid
    finally:
        process.kill()
        process.wait(timeout=10)


def _configuration(at: str, nodes: dict[str, str]) -> str:
    bind = f"bind {at}\n    http-response set-header X-Served-By %[srv_name]"
    changes = {
        "bind :443 ssl crt /etc/haproxy/console.pem": bind,
        "10.0.0.11:8000": nodes["a"],
        # One node, as the file says.
        **({"10.0.0.12:8000": nodes["b"]} if "b" in nodes else {"    server b 10.0.0.12:8000\n": ""}),
    }
    text = filled_in("haproxy.cfg", **changes)
    return text if os.geteuid() == 0 else text.replace("    user haproxy\n    group haproxy\n", "")
