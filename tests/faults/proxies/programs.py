"""nginx, Caddy and HAProxy as docs/proxies configures them, at a test's own ports, paths and certificate."""

import os
import shutil
import subprocess
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from pathlib import Path

from tests.paths import ROOT
from tests.postgres import end_with_parent

FOLDER = ROOT / "docs" / "proxies"
HOST = "console.example.com"
# Instead of ten seconds for a request's head: tests wait until they are over.
HEAD_S = 3
# Instead of thirty for the body of a request, and for a client that reads nothing.
WAIT_S = 2


def filled_in(name: str, **changes: str) -> str:
    """The file `name` of docs/proxies with each text of it replaced; fails the test where a text is not in it."""
    text = (FOLDER / name).read_text(encoding="utf-8")
    for before, after in changes.items():
        assert before in text, f"{name} has no {before!r}"
        text = text.replace(before, after)
    return text


def nginx(folder: Path, port: int, upstream: int, certificate: Path) -> tuple[list[str], dict[str, str]]:
    site = filled_in(
        "nginx.conf",
        **{
            "server 127.0.0.1:8000;": f"server 127.0.0.1:{upstream};",
            "listen 443 ssl;": f"listen 127.0.0.1:{port} ssl;",
            "/etc/ssl/console.pem": str(certificate),
            "/etc/ssl/console.key": str(certificate),
            "client_header_timeout 10s": f"client_header_timeout {HEAD_S}s",
            "client_body_timeout 30s": f"client_body_timeout {WAIT_S}s",
            "send_timeout 30s": f"send_timeout {WAIT_S}s",
        },
    )
    (folder / "site.conf").write_text(site, encoding="utf-8")
    kinds = ("client_body", "proxy", "fastcgi", "uwsgi", "scgi")
    paths = "".join(f"{kind}_temp_path {folder}/{kind};\n" for kind in kinds)
    user = "user root;" if os.geteuid() == 0 else ""
    (folder / "nginx.conf").write_text(
        f"{user}\ndaemon off; worker_processes 1; pid {folder}/pid; error_log stderr;\n"
        f"events {{ worker_connections 1024; }}\nhttp {{ access_log off;\n{paths}include {folder}/site.conf; }}\n",
        encoding="utf-8",
    )
    return ["nginx", "-p", str(folder), "-c", str(folder / "nginx.conf")], {}


def caddy(folder: Path, port: int, upstream: int, certificate: Path) -> tuple[list[str], dict[str, str]]:
    text = filled_in(
        "Caddyfile",
        **{
            "\n{\n": "\n{\n\tadmin off\n\tauto_https disable_redirects\n",
            f"{HOST} {{": f"{HOST}:{port} {{\n\tbind 127.0.0.1\n\ttls {certificate} {certificate}",
            "127.0.0.1:8000": f"127.0.0.1:{upstream}",
            "read_header 10s": f"read_header {HEAD_S}s",
            "read_body 35s": f"read_body {WAIT_S + 3}s",
        },
    )
    (folder / "Caddyfile").write_text(text, encoding="utf-8")
    command = ["caddy", "run", "--config", str(folder / "Caddyfile"), "--adapter", "caddyfile"]
    return command, {"HOME": str(folder), "XDG_DATA_HOME": str(folder), "XDG_CONFIG_HOME": str(folder)}


def haproxy(folder: Path, port: int, upstream: int, certificate: Path) -> tuple[list[str], dict[str, str]]:
    text = filled_in(
        "haproxy.cfg",
        **{
            "bind :443 ssl crt /etc/haproxy/console.pem": f"bind 127.0.0.1:{port} ssl crt {certificate}",
            # One node, as the file says.
            "    server b 10.0.0.12:8000\n": "",
            "10.0.0.11:8000": f"127.0.0.1:{upstream}",
            "timeout http-request 10s": f"timeout http-request {HEAD_S}s",
        },
    )
    if os.geteuid() != 0:
        text = text.replace("    user haproxy\n    group haproxy\n", "")
    (folder / "haproxy.cfg").write_text(text, encoding="utf-8")
    return ["haproxy", "-db", "-f", str(folder / "haproxy.cfg")], {}


PROXIES = {"nginx": nginx, "caddy": caddy, "haproxy": haproxy}


def require(needs: Callable[[bool, str], None]) -> None:
    """Skip where a proxy is not installed."""
    for name, package in {"nginx": "nginx-light", "caddy": "caddy", "haproxy": "haproxy"}.items():
        needs(shutil.which(name) is not None, f"{name} is not installed (Debian: {package}).")


@contextmanager
def running(name: str, folder: Path, port: int, upstream: int, certificate: Path) -> Iterator[None]:
    """The proxy `name` at `port`, in front of what listens at `upstream`."""
    folder.mkdir()
    command, environment = PROXIES[name](folder, port, upstream, certificate)
    with (folder / "log").open("wb") as log:
        process = subprocess.Popen(
            command, env={**os.environ, **environment}, stdout=log, stderr=log, preexec_fn=end_with_parent
        )
    try:
        yield
    finally:
        process.kill() if name == "caddy" else process.terminate()
        process.wait(timeout=10)
