"""Clients sign in by themselves at a served console, refresh their access, and are refused once it was ended.

All of them go through this at the same time, each with a token of its own; the tests look at what became of each.
"""

import sqlite3
import sys
import time
from collections.abc import Callable, Iterator
from concurrent.futures import Future, ThreadPoolExecutor
from contextlib import closing
from pathlib import Path
from typing import Any

import httpx
import pytest

from mcpbridge.tools import READ_TOOLS, TOOLS
from tests.hoursmith_console.connections.test_served import field, signed_in
from tests.interop.conftest import UNLIMITED
from tests.interop.node import NodeUnavailableError, installed_node
from tests.interop.python_sdk_1 import ClientUnavailableError, installed_python
from tests.interop.sign_in import clients
from tests.interop.sign_in.clients import DOCUMENT, OfficialStory, Site, Story
from tests.servers import Served, served_console

LIFETIME_S = 15.0
CHECKS = {"authorization-server-metadata", "authorization-code-grant"}
# From 2025-11-25 on.
CIMD_CHECK = "authorization-server-metadata-cimd"
REVISIONS = ("2025-03-26", "2025-06-18", "2025-11-25", "2026-07-28")
Client = Callable[[Site, Path], Story]
ResultOf = Callable[[str], Any]
OFFICIAL = {
    "python-2-registered": "",
    "python-2-pinned": "/readonly",
    "python-1-registered": "",
    "python-1-pinned": "/readonly",
    "typescript-2-pinned": "/readonly",
    "typescript-1-registered": "",
}
PROGRAMS = {"mcp-remote": "", "inspector": "/readonly", "claude-code": ""}
STORIES = {**OFFICIAL, **PROGRAMS}
# One process for all tokens, since each would start Django.
MINT = (
    "import io, json; from django.core.management import call_command; outs = [io.StringIO() for _ in range({count})];"
    "[call_command('sandbox_mint', email='{email}', name=f'Sign-in {{n}}', stdout=out) for n, out in enumerate(outs)];"
    "print(json.dumps([out.getvalue().strip() for out in outs]))"
)
# Some ask their user to sign in again, who denies it here; others say why they could not renew the access.
DENIED, ENDED = "denied", "This access has ended. Connect again."
REFUSALS = dict.fromkeys(STORIES, (DENIED, ENDED)) | {"claude-code": ("Needs authentication",)}


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
            if f"{name}-{how}" in OFFICIAL
        },
        "mcp-remote": lambda site, home: clients.mcp_remote(installed_node(), site, home),
        "inspector": lambda site, home: clients.inspector(installed_node(), site, home),
        "claude-code": lambda site, home: clients.claude_code(installed_node(), site, home),
    }


@pytest.fixture(scope="module")
def futures(console: Served, tmp_path_factory: pytest.TempPathFactory) -> Iterator[dict[str, Future[Any]]]:
    owner = console.person("OWNER")
    *minted, token = console.shell(MINT.format(email=owner["email"], count=len(STORIES) + 1))
    tokens = dict(zip(STORIES, minted, strict=True))
    with (
        signed_in(console, owner["email"], owner["password"]) as browser,
        ThreadPoolExecutor(len(STORIES) + len(REVISIONS)) as pool,
    ):
        started = {}
        for name, act in _clients().items():
            site = Site(
                url=console.mcp_url + STORIES[name],
                token=tokens[name],
                wait=lambda: time.sleep(LIFETIME_S + 1),
                end=lambda token=tokens[name]: _end(console, browser, token),
            )
            started[name] = pool.submit(act, site, tmp_path_factory.mktemp(name))
        for revision in REVISIONS:
            folder = tmp_path_factory.mktemp(revision)
            started[revision] = pool.submit(_conformance, console.url, revision, token, folder)
        yield started


def _conformance(url: str, revision: str, token: str, folder: Path) -> dict[str, str]:
    return clients.conformance(installed_node(), url, revision, token, folder)


def _end(console: Served, browser: httpx.Client, token: str) -> None:
    """End the access that `token` gave, on its page in the console."""
    with closing(sqlite3.connect(f"file:{console.var}/console.sqlite3?mode=ro", uri=True)) as database:
        # mcp-remote sometimes begins a second sign-in at the same moment, and collects only one of the two.
        query = "SELECT id FROM mcpbridge_grant WHERE prefix = ? AND ended_at IS NULL AND redeemed_at IS NOT NULL"
        ((grant,),) = database.execute(query, (token.split("_")[2],)).fetchall()
    address = f"/connections/authorizations/{grant}/end/"
    form = {"csrfmiddlewaretoken": field(browser.get(address).text, "csrfmiddlewaretoken")}
    answer = browser.post(address, data=form)
    assert answer.status_code == 200, answer.text
    assert "ended" in answer.text


@pytest.fixture
def result_of(futures: dict[str, Future[Any]], needs: Callable[[bool, str], None]) -> ResultOf:
    """Waits for what became of one client, or of a run of the suite."""

    def find(name: str) -> Any:
        try:
            return futures[name].result()
        except (NodeUnavailableError, ClientUnavailableError) as error:
            needs(False, str(error))
            raise

    return find


@pytest.mark.parametrize("name", STORIES)
def test_the_client_signs_in_once_and_lists_the_tools_of_its_address(result_of: ResultOf, name: str) -> None:
    story = result_of(name)

    assert story.tools == set(READ_TOOLS if STORIES[name] else TOOLS)
    # Its tokens expired meanwhile, and it called again. On a busy machine mcp-remote begins twice, before it has any.
    assert story.asked == 1 or (name == "mcp-remote" and story.asked == 2)


@pytest.mark.parametrize("name", STORIES)
def test_the_client_is_refused_with_a_word_once_its_access_has_ended(result_of: ResultOf, name: str) -> None:
    refusal = result_of(name).refusal

    assert any(word in refusal for word in REFUSALS[name]), refusal


@pytest.mark.parametrize("name", OFFICIAL)
def test_the_client_holds_ciphertext_and_renews_it(result_of: ResultOf, name: str) -> None:
    story = result_of(name)

    assert isinstance(story, OfficialStory)
    assert story.client == DOCUMENT if name.endswith("pinned") else story.client.startswith("hse_d1_")
    assert story.first["access"] != story.last["access"]
    for held in (story.first, story.last):
        assert held["access"].startswith("hse_a1_")
        assert held["refresh"].startswith("hse_r1_")


@pytest.mark.parametrize("name", OFFICIAL)
def test_the_console_says_that_the_access_has_ended(result_of: ResultOf, name: str) -> None:
    story = result_of(name)

    assert isinstance(story, OfficialStory)
    assert story.ended.status_code == 401
    assert "resource_metadata" in story.ended.headers["WWW-Authenticate"]
    assert "ended" in story.ended.json()["error"]["message"], story.ended.text
    assert (story.renewal.status_code, story.renewal.json()["error"]) == (400, "invalid_grant")
    assert "ended" in story.renewal.json()["error_description"]


@pytest.mark.parametrize("revision", REVISIONS)
def test_the_conformance_suite_finds_no_fault(result_of: ResultOf, revision: str) -> None:
    checks = result_of(revision)

    assert checks == dict.fromkeys(CHECKS | ({CIMD_CHECK} if revision >= "2025-11-25" else set()), "")
