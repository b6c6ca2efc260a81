"""Containerfile, compose.yaml and .dockerignore agree with each other and with the product's settings."""

import os
import re
import shutil
import subprocess
from collections.abc import Callable

import pytest
import yaml

from tests.paths import ROOT
from tests.servers import gunicorn_number

COMPOSE = yaml.safe_load((ROOT / "compose.yaml").read_text(encoding="utf-8"))
SERVICES = COMPOSE["services"]
CONTAINERFILE = (ROOT / "Containerfile").read_text(encoding="utf-8")
SETTINGS = set(re.findall(r"^# ([A-Z_]+)=", (ROOT / ".env.example").read_text(encoding="utf-8"), re.MULTILINE))
OF_PYTHON = {"PATH", "PYTHONDONTWRITEBYTECODE", "PYTHONUNBUFFERED"}


def stages() -> tuple[str, str]:
    first, second = CONTAINERFILE.split("\nFROM ")[1:]
    return first, second


def environment() -> dict[str, str]:
    (block,) = re.findall(r"^ENV ((?:.*\\\n)*.*)$", stages()[1], re.MULTILINE)
    return dict(each.split("=", 1) for each in block.replace("\\\n", " ").split())


def test_every_setting_in_them_exists() -> None:
    named = set(environment()) - OF_PYTHON | set(SERVICES["console"]["environment"])
    assert len(named) > 8
    assert {name.removesuffix("_FILE") for name in named} - SETTINGS == set()


def test_compose_builds_the_containerfile() -> None:
    # Docker looks for another name.
    assert SERVICES["console"]["build"] == {"context": ".", "dockerfile": "Containerfile"}


def test_ports_and_paths_are_the_same_everywhere() -> None:
    found, console = environment(), SERVICES["console"]
    assert console["ports"] == [f"127.0.0.1:8000:{found['PORT']}"]
    assert re.findall(r"^EXPOSE (\d+)$", CONTAINERFILE, re.MULTILINE) == [found["PORT"]]
    assert re.findall(r"^VOLUME (\S+)$", CONTAINERFILE, re.MULTILINE) == [found["VAR_DIR"]]
    assert console["volumes"] == [f"console:{found['VAR_DIR']}"]
    # No caller on the network is a proxy but the gateway, through which the proxy on the host comes.
    assert COMPOSE["networks"]["front"]["ipam"]["config"][0]["gateway"] == console["environment"]["TRUSTED_PROXIES"]


def test_calls_in_progress_have_time_to_finish() -> None:
    assert int(SERVICES["console"]["stop_grace_period"].removesuffix("s")) > gunicorn_number("graceful_timeout") + 5


@pytest.mark.parametrize("name", sorted(SERVICES))
def test_every_service_is_confined(name: str) -> None:
    service = SERVICES[name]
    assert (service["read_only"], service["cap_drop"]) == (True, ["ALL"])
    assert service["security_opt"] == ["no-new-privileges:true"]
    assert "privileged" not in service
    secrets = {f"/run/secrets/{each}" for each in service["secrets"]}
    assert secrets == {value for key, value in service["environment"].items() if key.endswith("_FILE")}
    assert set(service["secrets"]) <= set(COMPOSE["secrets"])
    # A secret in the environment is shown by `inspect`.
    assert not [
        key for key in service["environment"] if re.search("KEY|PASSWORD|SECRET|URL_FILE", key) and key[-5:] != "_FILE"
    ]


def test_the_database_is_reached_by_the_console_alone_and_first() -> None:
    assert SERVICES["database"]["networks"] == ["back"]
    assert COMPOSE["networks"]["back"] == {"internal": True}
    assert "ports" not in SERVICES["database"]
    assert SERVICES["console"]["depends_on"] == {"database": {"condition": "service_healthy"}}
    assert SERVICES["database"]["healthcheck"]["test"][0] == "CMD"


def test_compose_reads_it(needs: Callable[[bool, str], None]) -> None:
    needs(shutil.which("docker-compose") is not None, "docker-compose is not installed (Debian: docker-compose).")

    def read(**more: str) -> "subprocess.CompletedProcess[str]":
        variables = {"PATH": os.environ["PATH"], **more}
        command = ["docker-compose", "--file", str(ROOT / "compose.yaml"), "config", "--quiet"]
        return subprocess.run(command, env=variables, capture_output=True, text=True)

    done = read(PUBLIC_URL="https://console.example.com")
    assert (done.returncode, done.stderr) == (0, "")
    refused = read()
    assert refused.returncode != 0
    assert "Set PUBLIC_URL to the address of the console" in refused.stderr


def test_nothing_but_what_is_copied_reaches_the_builder() -> None:
    ignored = (ROOT / ".dockerignore").read_text(encoding="utf-8").splitlines()
    assert ignored[1] == "*"
    allowed = {line[1:] for line in ignored if line.startswith("!")} - {"dist"}
    copied = set(re.findall(r"^COPY (?!--from)(\S+) ", CONTAINERFILE, re.MULTILINE))
    assert copied == allowed


def test_every_package_is_installed_by_its_hash() -> None:
    installs = re.findall(r"pip install (.+)", CONTAINERFILE)
    assert len(installs) == 2
    assert all("--require-hashes" in each or {"--no-deps", "--no-index"} <= set(each.split()) for each in installs)


def test_the_image_is_never_run_as_root() -> None:
    (user,) = re.findall(r"^USER (\d+):(\d+)$", stages()[1], re.MULTILINE)
    assert all(int(number) > 0 for number in user)
    assert CONTAINERFILE.index("\nUSER ") > CONTAINERFILE.rindex("\nRUN ")
