"""The Containerfile is built, and its image run as compose.yaml says: not as root, and with nothing to write to but its
volume; by buildah and crun, on a base of this machine's Debian packages instead of the one that it names.
"""

import re
import secrets
import signal
import subprocess
from collections.abc import Callable, Iterator
from contextlib import ExitStack
from dataclasses import dataclass
from pathlib import Path
from types import SimpleNamespace
from typing import Any

import httpx
import pytest
import yaml

from tests.deployment.containers import Running, Runtime, Sandbox, require
from tests.deployment.images import Image, built_image
from tests.faults.many_machines.machines import Machines, why_not
from tests.faults.mcp import call_tool
from tests.faults.upstream import Hoursmith, serving
from tests.paths import ROOT
from tests.postgres import own_cluster, prepared_files
from tests.prepared import EMPTY
from tests.servers import Served
from tests.waiting import eventually

COMPOSE = yaml.safe_load((ROOT / "compose.yaml").read_text(encoding="utf-8"))
CONSOLE = COMPOSE["services"]["console"]
CONTAINERFILE = (ROOT / "Containerfile").read_text(encoding="utf-8")
HOST = "console.example.com"
PROXY = CONSOLE["environment"]["TRUSTED_PROXIES"]


@pytest.fixture(scope="module")
def image(tmp_path_factory: pytest.TempPathFactory, needs: Callable[[bool, str], None]) -> Iterator[Image]:
    require(needs, "buildah", "crun")
    if reason := why_not():
        # Nothing that could be installed would change that.
        pytest.skip(reason)
    with built_image(tmp_path_factory.mktemp("images")) as built:
        yield built


@dataclass
class Site:
    """A host with its own network, on which PostgreSQL runs, Hoursmith, and containers."""

    machines: Machines
    runtime: Runtime
    sandbox: Sandbox
    environment: dict[str, str]
    image: Image
    hoursmith: Hoursmith
    database: Any

    @property
    def health_check(self) -> list[str]:
        kind, *command = self.image.config["Healthcheck"]["Test"]
        assert kind == "CMD"
        return command

    def run(self, *command: str) -> tuple[int, str]:
        with self.machines.inside("host"):
            return self.runtime.run(self.sandbox, command, self.environment)


@pytest.fixture(scope="module")
def site(image: Image, tmp_path_factory: pytest.TempPathFactory, needs: Callable[[bool, str], None]) -> Iterator[Site]:
    folder, files = tmp_path_factory.mktemp("host"), prepared_files(needs)
    with ExitStack() as stack:
        machines = Machines()
        stack.callback(machines.close)
        machines.add("host")
        with machines.inside("host"):
            cluster = own_cluster(needs, files=files, network="")
            stack.callback(cluster.discard)
            hoursmith = stack.enter_context(serving())
            url = cluster.create_database("console", template=EMPTY)
        given = {"database_url": url, "secret_key": secrets.token_urlsafe(48), "audit_signing_key": secrets.token_hex()}
        binds = {}
        for name in CONSOLE["secrets"]:
            path = Path(folder / "secrets" / name)
            path.parent.mkdir(mode=0o700, exist_ok=True)
            path.write_text(given[name] + "\n", encoding="utf-8")
            path.chmod(0o444)
            binds[f"/run/secrets/{name}"] = (path, False)
        user, group = map(int, image.config["User"].split(":"))
        (volume,) = CONSOLE["volumes"]
        # A named volume begins as a copy of what the image has there.
        subprocess.run(["cp", "-a", f"{image.root}{volume.split(':')[1]}", str(folder / "volume")], check=True)
        binds[volume.split(":")[1]] = (folder / "volume", True)
        sandbox = Sandbox(
            image.root,
            (user, group),
            is_read_only=CONSOLE["read_only"],
            may_gain_privileges="no-new-privileges:true" not in CONSOLE["security_opt"],
            capabilities=() if CONSOLE["cap_drop"] == ["ALL"] else ("CAP_CHOWN",),
            most_files=CONSOLE["ulimits"]["nofile"],
            binds=binds,
            tmpfs=CONSOLE["tmpfs"],
        )
        # What an operator fills in.
        filled = {"PUBLIC_URL": f"https://{HOST}", "HOURSMITH_API_URL": hoursmith.url, "WEB_CONCURRENCY": "1"}
        environment = dict(each.split("=", 1) for each in image.config["Env"]) | CONSOLE["environment"] | filled
        with machines.inside("host"):
            ip = ("ip", "address", "add", f"{PROXY}/32", "dev", "lo")
            subprocess.run(ip, check=True)
        yield Site(machines, Runtime(folder / "containers"), sandbox, environment, image, hoursmith, cluster)


@pytest.fixture(scope="module")
def unserved(site: Site) -> int:
    """The exit code of the health check while nothing serves."""
    return site.run(*site.health_check)[0]


@pytest.fixture(scope="module")
def console(site: Site, unserved: int, tmp_path_factory: pytest.TempPathFactory) -> Iterator[Running]:
    command = [*site.image.config["Entrypoint"], *site.image.config["Cmd"]]
    log = tmp_path_factory.mktemp("log") / "console.log"
    with ExitStack() as stack:
        with site.machines.inside("host"):
            started = site.runtime.running(site.sandbox, command, site.environment, log)
            console = stack.enter_context(started)
        eventually(lambda: site.run(*site.health_check)[0] == 0, 120, told=console.output)
        yield console
        console.signal(signal.Signals[site.image.config["StopSignal"]])
        assert console.process.wait(timeout=60) == 0, console.output()


def test_the_health_check_fails_while_nothing_serves(unserved: int) -> None:
    assert unserved == 1


def test_it_serves_on_postgresql_behind_the_gateway(site: Site, console: Running) -> None:
    reached = SimpleNamespace(connection=Served(Path(), 8000, {}, 1).connection)
    said = {"Host": HOST, "X-Forwarded-Proto": "https", "X-Forwarded-For": "203.0.113.7"}
    record = site.hoursmith.record_for("delete_client")
    with site.machines.inside("host"):
        ready = httpx.get("http://127.0.0.1:8000/readyz")
        assert (ready.status_code, ready.json()) == (200, {"status": "ok"})
        token = site.hoursmith.mint()
        answer = call_tool(reached, token, "delete_client", {"id": record}, headers=said)
        assert answer.result["isError"] is False
        rows = site.database.execute("SELECT phase FROM mcpbridge_auditevent WHERE kind = 'destructive'", "console")
        assert sorted(rows) == [("intent",), ("outcome",)]
        transport = httpx.HTTPTransport(local_address=PROXY)
        with httpx.Client(transport=transport, base_url="http://127.0.0.1:8000", headers=said) as browser:
            page = browser.get("/accounts/login/")
            assert page.status_code == 200
            for address in re.findall(r'(?:href|src)="(/static/[^"]+)"', page.text):
                assert browser.get(address).status_code == 200, address


def test_it_is_not_root_and_writes_to_its_volume_alone(site: Site) -> None:
    places = ("/", "/opt/hoursmith-console", "/etc", "/run/secrets", "/usr/bin")
    script = "".join(f"touch {place}/x 2>/dev/null && echo wrote {place};" for place in places)
    script += "id -u; touch /var/lib/hoursmith-console/x && touch /tmp/x && echo volume;"
    script += 'while read name value; do [ "$name" = CapBnd: ] && echo "$value"; done < /proc/self/status;'
    script += "stat -c %a%u /var/lib/hoursmith-console"
    assert site.run("sh", "-c", script)[1].split() == ["10001", "volume", "0" * 16, "70010001"]


def test_management_commands_run_in_it(site: Site, console: Running) -> None:
    code, said = site.run("hoursmith-console", "manage", "audit_verify")
    assert code == 0, said


def test_the_image_has_no_file_of_the_operator_s_and_no_secret(image: Image) -> None:
    assert "of the operator" not in image.description
    named = {"SECRET_KEY", "AUDIT_SIGNING_KEY", "OAUTH_SEALING_KEY", "DATABASE_URL", "METRICS_TOKEN"}
    assert not named & {each.split("=")[0] for each in image.config["Env"]}
    # Those that the runtime mounts secrets on are empty.
    names = (".env", "secret_key", "database_url", "notes")
    assert [path for path in image.root.rglob("*") if path.name in names and path.lstat().st_size] == []
    # Nor what it was built of.
    assert not (image.root / "build").exists()
    owners = {path.lstat().st_uid for path in (image.root / "opt/hoursmith-console").rglob("*")}
    assert owners == {0}
