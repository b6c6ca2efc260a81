"""The systemd unit is valid, confines the console, and the console runs under it.

No service manager runs where the tests do: the limits of the unit are read from it and set by crun, and system calls
are those that systemd itself lists for the unit's filters.
"""

import os
import re
import secrets
import shutil
import signal
import subprocess
import sys
from collections.abc import Callable, Iterator
from contextlib import suppress
from pathlib import Path
from typing import Any

import httpx
import pytest

from tests.deployment.containers import Running, Runtime, Sandbox, require
from tests.paths import ROOT
from tests.prepared import empty_databases
from tests.servers import free_port, gunicorn_number
from tests.waiting import eventually

UNIT = ROOT / "docs/systemd/hoursmith-console.service"
TEXT = UNIT.read_text(encoding="utf-8")
# In tenths: systemd's own grade of what a service may still do, from 0 (nothing) to 100.
MOST_EXPOSED = 15
# Not `nobody`, whose files are those of other tests.
USER = 61_234


def said(name: str) -> list[str]:
    return re.findall(rf"^{name}=(.*)$", TEXT, re.MULTILINE)


@pytest.fixture(scope="module")
def systemd(needs: Callable[[bool, str], None]) -> None:
    needs(shutil.which("systemd-analyze") is not None, "systemd-analyze is not installed (Debian: systemd).")


def test_systemd_reads_the_unit(systemd: None, tmp_path: Path) -> None:
    # The program is not installed here.
    path = tmp_path / UNIT.name
    path.write_text(TEXT.replace("/opt/hoursmith-console/bin/hoursmith-console", "/bin/true"), encoding="utf-8")
    done = subprocess.run(["systemd-analyze", "verify", "--man=no", str(path)], capture_output=True, text=True)
    assert (done.returncode, done.stdout + done.stderr) == (0, "")


def test_the_manual_shows_the_unit() -> None:
    manual = (ROOT / "docs/operating.md").read_text(encoding="utf-8")
    assert f"```ini\n{TEXT}```\n" in manual


def test_the_service_is_hardly_exposed(systemd: None) -> None:
    grade = ("systemd-analyze", "security", "--offline=yes", "--no-pager")
    done = subprocess.run([*grade, f"--threshold={MOST_EXPOSED}", str(UNIT)], capture_output=True, text=True)
    assert done.returncode == 0, done.stdout + done.stderr


def test_it_is_given_time_and_files() -> None:
    assert int(said("TimeoutStopSec")[0]) > gunicorn_number("graceful_timeout") + 5
    assert int(said("LimitNOFILE")[0]) >= gunicorn_number("worker_connections") + 400


def allowed_calls() -> list[str]:
    """The system calls of the unit's filters, as systemd lists them."""
    allowed: set[str] = set()
    for line in said("SystemCallFilter"):
        names = {call for each in line.lstrip("~").split() for call in _calls_in(each)}
        allowed = allowed - names if line.startswith("~") else allowed | names
    return sorted(allowed)


def _calls_in(name: str) -> set[str]:
    if not name.startswith("@"):
        return {name}
    done = subprocess.run(["systemd-analyze", "syscall-filter", name], capture_output=True, text=True, check=True)
    lines = (line.strip() for line in done.stdout.splitlines()[1:])
    found = [line for line in lines if line and not line.startswith("#")]
    return {call for each in found for call in _calls_in(each)}


def filters() -> dict[str, Any]:
    """The unit's filters of system calls as a profile for a container runtime."""
    families = {"AF_UNIX": 1, "AF_INET": 2, "AF_INET6": 10}
    allowed = set(allowed_calls()) - {"socket", "mmap", "mprotect", "pkey_mprotect"}
    (known,) = said("RestrictAddressFamilies")

    def allows(name: str, *arguments: dict[str, Any]) -> dict[str, Any]:
        return {"names": [name], "action": "SCMP_ACT_ALLOW", "args": list(arguments)}

    def argument(index: int, value: int, op: str, masked: int = 0) -> dict[str, Any]:
        return {"index": index, "value": value, "valueTwo": masked, "op": op}

    rules = [{"names": sorted(allowed), "action": "SCMP_ACT_ALLOW"}]
    rules += [allows("socket", argument(0, families[each], "SCMP_CMP_EQ")) for each in known.split()]
    # MemoryDenyWriteExecute: no memory that is or was writable becomes executable. Of the protection, the bits of
    # `value` must be `masked`.
    assert said("MemoryDenyWriteExecute") == ["yes"]
    write, execute = 2, 4
    rules += [
        allows("mmap", argument(2, execute, "SCMP_CMP_MASKED_EQ", 0)),
        allows("mmap", argument(2, write | execute, "SCMP_CMP_MASKED_EQ", execute)),
        allows("mprotect", argument(2, execute, "SCMP_CMP_MASKED_EQ", 0)),
    ]
    return {"defaultAction": "SCMP_ACT_ERRNO", "defaultErrnoRet": 1, "syscalls": rules}


class Service:
    """The unit's program, installed where the unit says, in a root of its own."""

    def __init__(self, folder: Path) -> None:
        self.port, self.state, self.log = free_port(), folder / "state", folder / "log"
        installed, settings, root = folder / "opt", folder / "settings", folder / "root"
        (start,) = said("ExecStart")
        self.command = start.split()
        script = installed / "bin" / Path(self.command[0]).name
        script.parent.mkdir(parents=True)
        # What a wheel would install; the test's own Python has the packages.
        script.write_text(
            f"#!{sys.executable}\nimport os, sys\nos.environ['PYTHONPATH'] = {str(ROOT)!r}\n"
            f"sys.path.insert(0, {str(ROOT)!r})\nfrom hoursmith_console.command_line import main\nmain()\n",
            encoding="utf-8",
        )
        script.chmod(0o755)
        self._write_settings(settings)
        self.state.mkdir(mode=int(said("StateDirectoryMode")[0], 8))
        # Migrated already, which takes a while.
        for path in empty_databases().glob("*.sqlite3"):
            Path(shutil.copy(path, self.state)).chmod(0o600)
        for path in (settings, *settings.iterdir(), self.state, *self.state.iterdir()):
            os.chown(path, USER, USER)
        root.mkdir()
        binds = {
            each: (Path(each), False) for each in ("/usr", "/lib", "/lib64", "/bin", "/etc/ssl") if Path(each).exists()
        }
        for each in {ROOT, Path(sys.prefix), Path(sys.prefix).resolve(), Path(sys.base_prefix)}:
            binds[str(each)] = (each, False)
        binds["/opt/hoursmith-console"] = (installed, False)
        binds["/etc/hoursmith-console"] = (settings, False)
        binds[f"/var/lib/{said('StateDirectory')[0]}"] = (self.state, True)
        self.sandbox = Sandbox(
            root,
            (USER, USER),
            is_read_only=said("ProtectSystem") == ["strict"],
            may_gain_privileges=said("NoNewPrivileges") != ["yes"],
            capabilities=said("CapabilityBoundingSet")[0].split(),
            most_files=int(said("LimitNOFILE")[0]),
            umask=int(said("UMask")[0], 8),
            binds=binds,
            tmpfs=["/tmp"] if said("PrivateTmp") == ["yes"] else [],  # noqa: S108
            seccomp=filters(),
        )

    def _write_settings(self, folder: Path) -> None:
        folder.mkdir(mode=0o700)
        for name in ("secret_key", "audit_signing_key"):
            (folder / name).write_text(secrets.token_urlsafe(48), encoding="utf-8")
        (folder / "environment").write_text(
            f"PORT={self.port}\nWEB_CONCURRENCY=1\nVAR_DIR=/var/lib/{said('StateDirectory')[0]}\n"
            "SECRET_KEY_FILE=/etc/hoursmith-console/secret_key\n"
            "AUDIT_SIGNING_KEY_FILE=/etc/hoursmith-console/audit_signing_key\n",
            encoding="utf-8",
        )
        for path in folder.iterdir():
            path.chmod(0o600)

    @property
    def environment(self) -> dict[str, str]:
        """What systemd sets: the unit's own variables and few of its own, none of this process's."""
        (variable,) = said("Environment")
        return {"PATH": "/usr/local/bin:/usr/bin:/bin", "LANG": "C.UTF-8", **dict([variable.split("=", 1)])}


@pytest.fixture(scope="module")
def service(systemd: None, tmp_path_factory: pytest.TempPathFactory, needs: Callable[[bool, str], None]) -> Service:
    require(needs, "crun")
    needs(os.geteuid() == 0, "Only root can be another user.")
    return Service(tmp_path_factory.mktemp("service"))


@pytest.fixture(scope="module")
def runtime(tmp_path_factory: pytest.TempPathFactory) -> Runtime:
    return Runtime(tmp_path_factory.mktemp("containers"))


@pytest.fixture(scope="module")
def serving(service: Service, runtime: Runtime) -> Iterator[Running]:
    with runtime.running(service.sandbox, service.command, service.environment, service.log) as running:
        eventually(lambda: "Application startup complete" in running.output() or _is_over(running), 120)
        yield running
        running.signal(signal.SIGTERM)
        assert running.process.wait(timeout=int(said("TimeoutStopSec")[0])) == 0, running.output()


def _is_over(running: Running) -> bool:
    assert running.process.poll() is None, running.output()
    return False


def test_the_console_runs_under_the_unit_s_limits(service: Service, serving: Running) -> None:
    with httpx.Client(base_url=f"http://127.0.0.1:{service.port}", timeout=30) as client:
        assert client.get("/readyz").json() == {"status": "ok"}
        page = client.get("/accounts/login/")
        assert page.status_code == 200
        for address in re.findall(r'(?:href|src)="(/static/[^"]+)"', page.text):
            assert client.get(address).status_code == 200, address
        (token,) = re.findall(r"hsk_\w+", serving.output())[:1]
        headers = {"Authorization": f"Bearer {token}", "MCP-Protocol-Version": "2025-11-25"}
        headers["Accept"] = "application/json, text/event-stream"
        call = {"jsonrpc": "2.0", "id": 1, "method": "tools/call", "params": {"name": "list_clients", "arguments": {}}}
        assert client.post("/mcp", json=call, headers=headers).json()["result"]["isError"] is False
    # Static files are public, and in a folder that is not.
    modes = {service.state: service.state.stat().st_mode}
    for path in service.state.rglob("*"):
        # It writes meanwhile: what it has replaced since is gone.
        with suppress(FileNotFoundError):
            if path.is_file() and "static" not in path.parts:
                modes[path] = path.stat().st_mode
    assert len(modes) > 6
    assert [path for path, mode in modes.items() if mode & 0o077] == []


def test_it_replaces_its_workers(service: Service, serving: Running) -> None:
    assert said("ExecReload") == ["/bin/kill -HUP $MAINPID"]
    serving.signal(signal.SIGHUP)
    eventually(lambda: "Worker shutting down" in serving.output() or _is_over(serving), 90)
    # The old worker has gone, and the new one may still be loading.
    assert httpx.get(f"http://127.0.0.1:{service.port}/healthz", timeout=60).status_code == 200


@pytest.mark.parametrize(
    "code",
    [
        "open('/usr/x', 'w')",
        "open('/etc/hoursmith-console/x', 'w')",
        "import socket; socket.socket(socket.AF_NETLINK, socket.SOCK_RAW)",
        "import mmap; mmap.mmap(-1, 4096, prot=mmap.PROT_WRITE | mmap.PROT_EXEC)",
        "import os; os.chown('/tmp', 0, 0)",
        "import os; os.nice(-1)",
    ],
)
def test_the_limits_are_in_force(service: Service, runtime: Runtime, code: str) -> None:
    done, printed = runtime.run(service.sandbox, ["/usr/bin/python3", "-c", code], service.environment)
    assert done == 1, printed
    assert re.search(r"(OSError|PermissionError): .*(Read-only file system|not permitted|Permission denied)", printed)
