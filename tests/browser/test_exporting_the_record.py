"""From the sign-in to a file that an outsider verifies: the export page as people and their auditors use it."""

import json
from pathlib import Path
from typing import Any

import pytest
from playwright.sync_api import Page

from tests.browser.conftest import Visitor
from tests.servers import Served
from tests.verifiers import run_standalone

pytestmark = pytest.mark.slow

# What an hour at lunch does to the time of everybody's last sign-in.
AN_HOUR_LATER = """
import json
from django.contrib.sessions.models import Session
from django.contrib.sessions.backends.db import SessionStore
aged = 0
for row in Session.objects.all():
    session = SessionStore(session_key=row.session_key)
    for given in session.get("account_authentication_methods", []):
        given["at"] -= 3600
        aged += 1
    session.save()
print(json.dumps(aged))
"""


@pytest.fixture
def keys(console: Served, visit: Visitor, tmp_path: Path) -> Path:
    """The key file, as anybody gets it without signing in."""
    path = tmp_path / "key.json"
    with visit(None) as stranger:
        answer = stranger.page.request.get(f"{console.url}/audit/key")
        assert answer.ok
        path.write_bytes(answer.body())
    return path


def sign_in(page: Page, url: str, person: dict[str, Any]) -> None:
    page.goto(f"{url}/accounts/login/")
    page.get_by_label("Email").fill(person["email"])
    page.get_by_label("Password").fill(person["password"])
    page.get_by_role("button", name="Sign in", exact=True).click()
    page.wait_for_url(f"{url}/")


def export(page: Page, path: Path) -> list[dict[str, Any]]:
    """What the page hands out as JSON Lines, kept at `path`."""
    page.get_by_label("JSON Lines").check()
    with page.expect_download() as downloading:
        page.get_by_role("button", name="Export").click()
    downloading.value.save_as(path)
    assert downloading.value.suggested_filename.endswith(".jsonl")
    return [json.loads(line) for line in path.read_bytes().splitlines()]


def test_an_admin_exports_what_was_filtered_and_an_outsider_verifies_it(
    console: Served, visit: Visitor, tokens: dict[str, str], keys: Path, tmp_path: Path
) -> None:
    person = console.person("ADMIN")
    with visit(None) as window:
        page = window.page
        sign_in(page, console.url, person)
        window.goto("/audit/")
        page.get_by_label("Tool", exact=True).select_option("delete_client")
        page.get_by_role("button", name="Apply").click()
        page.wait_for_url("**/audit/?tool=delete_client")
        assert console.shell(AN_HOUR_LATER) > 0
        page.get_by_role("link", name="Export what fits").click()
        assert "Is it you?" in page.locator("h1").inner_text()
        page.get_by_label("Password").fill(person["password"])
        page.get_by_role("button", name="Go on").click()
        page.wait_for_url("**/audit/export/?tool=delete_client")
        assert "Only the rows that fit the list's filters" in window.text()
        some = export(page, tmp_path / "some.jsonl")
        page.get_by_role("link", name="Export all").click()
        everything = export(page, tmp_path / "all.jsonl")
    assert {row["tool"] for row in some if row["type"] == "event"} == {"delete_client"}
    assert some[0]["filters"] == {"page": "tool=delete_client"}
    exports = [row for row in everything if row.get("tool") == "console.export"]
    assert [row["actor"] for row in exports][-2:] == [f"{person['name']} <{person['email']}>"] * 2
    assert run_standalone(str(tmp_path / "some.jsonl"), str(keys)).returncode == 2
    assert run_standalone(str(tmp_path / "some.jsonl"), str(keys), "--partial").returncode == 0
    proved = run_standalone(str(tmp_path / "all.jsonl"), str(keys), "--json")
    assert (proved.returncode, json.loads(proved.stdout)["ok"]) == (0, True)
    forged = (tmp_path / "all.jsonl").read_bytes().replace(b"delete_client", b"archive_clien", 1)
    assert run_standalone("-", str(keys), given=forged).returncode == 1
