"""A morning at the console: what was lost in the night, who did it, what is done about it, and how that is proved."""

import json
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path
from typing import Any
from zipfile import ZipFile

import pytest
from playwright.sync_api import Page, expect

from tests.browser.clicks import Person
from tests.browser.conftest import Visit, Visitor
from tests.browser.rotating import PATIENCE_MS, Assistant, Walker
from tests.faults.conftest import prefix_of
from tests.faults.mcp import call_tool
from tests.interop.clients import python_over_http
from tests.outsiders import Outsider
from tests.servers import Served
from tests.verifiers import given_keys, run_standalone

CLIENT, LOST = "Night Shift", "Soylent Corporation"


@pytest.fixture
def night(console: Served) -> Assistant:
    """An assistant that made a client and deleted it, with the official MCP client, while nobody looked."""
    person = [each for each in console.people if each["role"] == "MANAGER"][-1]
    assistant = Assistant(console, CLIENT, console.mint(person["email"], "Night laptop"))
    made = {"name": LOST, "notes": "Green, mostly.", "currency": "USD"}
    steps = (("create_client", made), ("delete_client", {"id": "$id:create_client"}))
    with ThreadPoolExecutor(1) as pool:
        url = f"{console.url}/mcp"
        pool.submit(python_over_http, url, assistant.token, mode="auto", name=CLIENT, steps=steps).result(60)
    return assistant


def sign_in(window: Visit, person: dict[str, Any]) -> Walker:
    page = window.page
    window.goto("/accounts/login/")
    page.get_by_label("Email").fill(person["email"])
    page.get_by_label("Password").fill(person["password"])
    page.get_by_role("button", name="Sign in", exact=True).click()
    page.wait_for_url(f"{window.url}/")
    return Walker(window, person["password"])


def export(page: Page, path: Path) -> list[dict[str, Any]]:
    """What the page hands out as JSON Lines, kept at `path`."""
    page.get_by_label("JSON Lines").check()
    with page.expect_download() as downloading:
        page.get_by_role("button", name="Export").click()
    downloading.value.save_as(path)
    return [json.loads(line) for line in path.read_bytes().splitlines()]


def answers_from_the_entry(ben: Person, night: Assistant, folder: Path) -> str:
    """All that the morning is about, from the page of the deletion itself, which is one click from the overview.

    What was deleted, by whom, what was lost, the proof; then the token is blocked, its rotation requested, and the
    evidence taken. Return the address of the entry.
    """
    page = ben.page
    ben.click(page.locator("main").get_by_role("link", name=LOST).first)
    entry = page.url
    ben.sees(f"{CLIENT}, with Night laptop (MANAGER, hsk_live_{prefix_of(night.token)}_••••), deleted client {LOST} on")
    ben.sees("Green, mostly.")
    ben.sees("Hash valid")
    assert night.calls().status == 200
    ben.click("Block token")
    ben.type("Reason", "Deleted a client in the night")
    ben.click("Block token")
    expect(page).to_have_url(entry)
    ben.sees("Deleted a client in the night")
    refused = night.calls()
    assert (refused.status, refused.body["error"]["data"]["fault"]) == (401, "blocked")
    ben.click("Request rotation")
    ben.click("Send request")
    expect(page).to_have_url(entry)
    ben.sees("Rotation in progress")
    with page.expect_download() as downloading:
        ben.click("Download evidence")
    downloading.value.save_as(folder / "evidence.zip")
    assert ben.clicks <= 6, ben.story
    return entry


def proves_the_deletion(ben: Person, url: str, folder: Path) -> None:
    """With one command on an outsider's computer, which has the evidence, the verifier and the key's fingerprint."""
    keys = ben.page.request.get(f"{url}/audit/key").json()["keys"]
    outsider, evidence, forged = Outsider(folder), folder / "evidence.zip", folder / "forged.zip"
    assert all(outsider.lacks(module) for module in ("django", "mcpbridge", "hoursmith_console"))
    assert outsider.verify(evidence, keys[0]["fingerprint"])["code"] == 0
    with ZipFile(evidence) as read, ZipFile(forged, "w") as written:
        for name in read.namelist():
            written.writestr(name, read.read(name).replace(b"Green, mostly.", b"Green, partly."))
        assert b"Green, mostly." in read.read("report.html")
    found = outsider.verify(forged, keys[0]["fingerprint"])
    assert (found["code"], found["ok"]) == (1, False)


def takes_the_evidence(ben: Walker, folder: Path) -> None:
    """What was filtered and the whole record, each proved by an outsider who has the public key alone."""
    page, keys = ben.page, folder / "key.json"
    keys.write_bytes(page.request.get(f"{ben.window.url}/audit/key").body())
    ben.window.goto("/audit/")
    page.get_by_text("+ Filter").click()
    page.get_by_label("Tool", exact=True).select_option("delete_client")
    ben.press("Apply")
    ben.press("Export filtered results")
    ben.sees("Only entries that match the list’s filters")
    some = export(page, folder / "some.jsonl")
    ben.press("Export all")
    everything = export(page, folder / "all.jsonl")
    assert {row["tool"] for row in some if row["type"] == "event"} == {"delete_client"}
    assert {"console.token_block", "console.campaign_start"} <= {row.get("tool") for row in everything}
    assert run_standalone(str(folder / "some.jsonl"), *given_keys(keys)).returncode == 2
    told = run_standalone(str(folder / "some.jsonl"), *given_keys(keys), "--partial")
    assert (told.returncode, b"BAD: unsigned" in told.stdout) == (1, True)
    proved = run_standalone(str(folder / "all.jsonl"), *given_keys(keys), "--json")
    assert (proved.returncode, json.loads(proved.stdout)["ok"]) == (0, True)
    forged = (folder / "all.jsonl").read_bytes().replace(b"delete_client", b"archive_clien", 1)
    assert run_standalone("-", *given_keys(keys), given=forged).returncode == 1


def follows_the_record(ben: Walker, night: Assistant, token: str) -> None:
    """A deletion that comes meanwhile appears by itself; what another one removed is one click away."""
    ben.window.goto("/audit/?what=destroyed&live=1")
    call_tool(night.served, token, "delete_client", {"id": "11111111-1111-4111-8111-111111111111"}, client="Follower")
    row = ben.page.locator("#followed-rows > tr").first
    expect(row).to_contain_text("Follower", timeout=PATIENCE_MS)
    expect(row).to_contain_text("Refused", timeout=PATIENCE_MS)
    lost = ben.page.locator("#followed-rows > tr", has_text=LOST).first
    lost.get_by_text("Contents", exact=True).click()
    contents = ben.page.locator("#followed-rows > .contents-row")
    expect(contents).to_contain_text("Green, mostly.", timeout=PATIENCE_MS)
    lost.get_by_text("Contents", exact=True).click()
    expect(contents).to_be_hidden()


def of_others(ben: Walker, token: str) -> list[str]:
    """Addresses of the Owner's token and of what was done with it."""
    found = []
    for area in ("tokens", "audit", "activity"):
        ben.window.goto(f"/{area}/?q=hsk_live_{prefix_of(token)}")
        found.append(str(ben.page.locator(".rows .what a").first.get_attribute("href")))
    return found


def test_an_admin_and_a_member_spend_their_morning(
    visit: Visitor, console: Served, tokens: dict[str, str], night: Assistant, tmp_path: Path
) -> None:
    with visit(None) as window:
        ben = sign_in(window, console.person("ADMIN"))
        person = Person(window.page, password=ben.password)
        deletion = answers_from_the_entry(person, night, tmp_path).removeprefix(window.url)
        token = str(window.page.locator("main .facts .chip a").first.get_attribute("href"))
        proves_the_deletion(person, window.url, tmp_path)
        takes_the_evidence(ben, tmp_path)
        follows_the_record(ben, night, tokens["OWNER"])
        foreign = of_others(ben, tokens["OWNER"])
        assert window.complaints == []
    with visit("MANAGER") as window:
        window.goto("/")
        asked = window.page.locator(".todo li", has_text="Rotate your token")
        expect(asked.filter(has_text="Night laptop")).to_be_visible()
        window.goto(deletion)
        assert f"deleted client {LOST}" in window.text()
        assert "Green, mostly." not in window.text()
        window.goto(token)
        assert "Deleted a client in the night" in window.text()
        for address, status in [*((each, 404) for each in foreign), ("/rotations/campaigns/", 403)]:
            answer = window.page.goto(window.url + address)
            assert answer is not None
            assert answer.status == status, address
