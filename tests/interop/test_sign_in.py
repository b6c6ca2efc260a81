"""Clients sign in by themselves at a served console, refresh their access, and are refused once it was ended.

All of them go through this at the same time, each with a token of its own; the tests look at what became of each.
"""

import subprocess
import sys
import threading
import time
from collections.abc import Callable, Iterator
from concurrent.futures import Future, ThreadPoolExecutor
from pathlib import Path

import httpx
import pytest

from mcpbridge.tools import READ_TOOLS, TOOLS
from tests.interop.conftest import UNLIMITED
from tests.interop.node import CONFORMANCE, Node, NodeUnavailableError, installed_node
from tests.interop.python_sdk_1 import ClientUnavailableError, installed_python
from tests.interop.sign_in import clients, consent
from tests.interop.sign_in.clients import DOCUMENT, Site, Story
from tests.servers import Served, free_port, served_console

LIFETIME_S = 5.0
REVISIONS = ("2025-03-26", "2025-06-18", "2025-11-25", "2026-07-28")
Client = Callable[[Site, Path], Story]
OFFICIAL = {
    "python-2-registered": "",
    "python-2-pinned": "/readonly",
    "python-1-registered": "",
    "python-1-pinned": "/readonly",
    "typescript-2-registered": "",
    "typescript-2-pinned": "/readonly",
    "typescript-1-registered": "",
    "typescript-1-pinned": "/readonly",
}
PROGRAMS = {"mcp-remote": "", "inspector": "/readonly", "claude-code": ""}
STORIES = {**OFFICIAL, **PROGRAMS}
END = (
    "from mcpbridge.grants.ending import end_grants_of_token as end; from mcpbridge.models import EndReason, Grant;"
    "grant = Grant.objects.get(prefix={prefix!r}, ended_at=None);"
    "print(end(env=grant.env, prefix=grant.prefix, org_id=grant.org_id, why=EndReason.MEMBER, actor='The tests'))"
)


@pytest.fixture(scope="module")
def console(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Served]:
    """A console on two workers whose access tokens expire in a moment."""
    env = {**UNLIMITED, "OAUTH": "on", "OAUTH_ACCESS_HOURS": str(LIFETIME_S / 3600)}
    with served_console(tmp_path_factory.mktemp("sign-in"), env=env, workers=2) as served:
        yield served
        assert "Traceback" not in served.output()


def _clients() -> dict[str, Client]:
    """Return what each client does. Raises where it is missing only when it is called."""

    def python_1(site: Site, home: Path, *, pinned: bool) -> Story:
        return clients.python(installed_python(), site, home, pinned=pinned)

    def python_2(site: Site, home: Path, *, pinned: bool) -> Story:
        return clients.python(Path(sys.executable), site, home, pinned=pinned)

    def typescript(sdk: int) -> Callable[..., Story]:
        return lambda site, home, *, pinned: clients.typescript(installed_node(), site, home, sdk=sdk, pinned=pinned)

    kinds = {"python-1": python_1, "python-2": python_2, "typescript-1": typescript(1), "typescript-2": typescript(2)}
    return {
        **{
            f"{name}-{how}": lambda site, home, kind=kind, how=how: kind(site, home, pinned=how == "pinned")
            for name, kind in kinds.items()
            for how in ("registered", "pinned")
        },
        "mcp-remote": lambda site, home: clients.mcp_remote(installed_node(), site, home),
        "inspector": lambda site, home: clients.inspector(installed_node(), site, home),
        "claude-code": lambda site, home: clients.claude_code(installed_node(), site, home),
    }


@pytest.fixture(scope="module")
def futures(console: Served, tmp_path_factory: pytest.TempPathFactory) -> Iterator[dict[str, Future[Story]]]:
    one_at_a_time = threading.Lock()

    def end(token: str) -> None:
        with one_at_a_time:
            assert console.shell(END.format(prefix=token.split("_")[2])) == 1

    tokens = {name: console.mint_for("OWNER", name) for name in STORIES}
    with ThreadPoolExecutor(len(STORIES)) as pool:
        started = {}
        for name, act in _clients().items():
            site = Site(
                url=console.mcp_url + STORIES[name],
                token=tokens[name],
                wait=lambda: time.sleep(LIFETIME_S + 1),
                end=lambda token=tokens[name]: end(token),
            )
            started[name] = pool.submit(act, site, tmp_path_factory.mktemp(name))
        yield started


@pytest.fixture
def story_of(futures: dict[str, Future[Story]], needs: Callable[[bool, str], None]) -> Callable[[str], Story]:
    def find(name: str) -> Story:
        try:
            return futures[name].result()
        except (NodeUnavailableError, ClientUnavailableError) as error:
            needs(False, str(error))
            raise

    return find


@pytest.mark.parametrize("name", STORIES)
def test_the_client_signs_in_once_and_lists_the_tools_of_its_address(
    story_of: Callable[[str], Story], name: str
) -> None:
    story = story_of(name)

    assert story.tools == set(READ_TOOLS if STORIES[name] else TOOLS)
    # Its tokens expired meanwhile, and it called again.
    assert story.asked == 1


@pytest.mark.parametrize("name", STORIES)
def test_the_client_is_refused_with_a_word_once_its_access_has_ended(
    story_of: Callable[[str], Story], name: str
) -> None:
    refusal = story_of(name).refusal

    assert "denied" in refusal, refusal


@pytest.mark.parametrize("name", OFFICIAL)
def test_the_client_holds_ciphertext_and_renews_it(story_of: Callable[[str], Story], name: str) -> None:
    story = story_of(name)

    assert story.client == DOCUMENT if name.endswith("pinned") else story.client.startswith("hse_d1_")
    assert story.first["access"] != story.last["access"]
    for held in (story.first, story.last):
        assert held["access"].startswith("hse_a1_")
        assert held["refresh"].startswith("hse_r1_")


@pytest.mark.parametrize("name", OFFICIAL)
def test_the_console_says_that_the_access_has_ended(
    console: Served, story_of: Callable[[str], Story], name: str
) -> None:
    story = story_of(name)
    hello = {"jsonrpc": "2.0", "id": 1, "method": "ping"}

    answer = httpx.post(console.mcp_url, json=hello, headers={"Authorization": f"Bearer {story.last['access']}"})
    form = {"grant_type": "refresh_token", "refresh_token": story.last["refresh"], "client_id": story.client}
    renewal = httpx.post(f"{console.url}/token", data=form)

    assert answer.status_code == 401
    assert "resource_metadata" in answer.headers["WWW-Authenticate"]
    assert "ended" in answer.json()["error"]["message"], answer.text
    assert (renewal.status_code, renewal.json()["error"]) == (400, "invalid_grant")
    assert "ended" in renewal.json()["error_description"], renewal.text


@pytest.mark.parametrize("revision", REVISIONS)
def test_the_conformance_suite_finds_no_fault(console: Served, node: Node, tmp_path: Path, revision: str) -> None:
    port = free_port()
    registration = {
        "client_name": "Conformance",
        "redirect_uris": [f"http://127.0.0.1:{port}/callback"],
        "token_endpoint_auth_method": "none",
    }
    client = httpx.post(f"{console.url}/register", json=registration).json()["client_id"]
    token = console.mint_for("OWNER", f"Conformance {revision}")

    shown = _run_suite(node, console, token, tmp_path, client, port, revision)

    assert "2 passed, 0 failed" in shown, shown


def _run_suite(node: Node, console: Served, token: str, folder: Path, client: str, port: int, revision: str) -> str:
    """Return what the suite printed; its user opens the address that it prints."""
    where = ("--url", console.url, "--resource", console.mcp_url, "--client-id", client, "--port", str(port))
    command = [str(node.binary), str(CONFORMANCE), "authorization", *where, "--spec-version", revision]
    with subprocess.Popen(
        command, stdout=subprocess.PIPE, stderr=subprocess.STDOUT, text=True, cwd=folder, env={"HOME": str(folder)}
    ) as process:
        shown = []
        try:
            for line in process.stdout or ():
                shown.append(line)
                if f"{console.url}/authorize?" in line:
                    address = line[line.index(f"{console.url}/authorize?") :].strip()
                    httpx.get(consent.decide(address, token), timeout=30)
        finally:
            process.kill()
    return "".join(shown)
