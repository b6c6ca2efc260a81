"""Connecting an assistant in a real browser, while a real client calls: the fault is named, then the call is seen."""

import re
from collections.abc import Iterator
from contextlib import contextmanager

from playwright.sync_api import Dialog, Page, expect

from tests.browser.authorizing import allow, give_token, hosted_assistant
from tests.browser.clicks import FORGET_SIGN_IN, Person
from tests.browser.conftest import Visit, Visitor
from tests.faults.mcp import call_tool
from tests.secret_markers import Canaries, files_of
from tests.servers import Served

MOST_CLICKS, MOST_FIELDS = 6, 1
SLUG = re.compile(r"/connections/([a-z0-9]{12})/")
MINTED = (
    "from hoursmith_console.tokens.models import TokenClaim;import json;"
    "print(json.dumps(TokenClaim.objects.filter(source='minted').count()))"
)


@contextmanager
def member(console: Served, visit: Visitor) -> Iterator[tuple[Visit, Person]]:
    """A Member on the overview, whose sign-in is not recent."""
    password = [each for each in console.people if each["role"] == "MEMBER"][-1]["password"]
    with visit("MEMBER") as window:
        window.goto("/")
        console.shell(FORGET_SIGN_IN)
        yield window, Person(window.page, password)


def test_an_assistant_is_connected_and_its_first_call_is_seen(
    console: Served, visit: Visitor, tokens: dict[str, str]
) -> None:
    before, canaries = console.shell(MINTED), Canaries()
    with member(console, visit) as (window, person):
        page: Page = window.page
        person.click("Connections", within="nav")
        person.click("Connect an assistant")
        # The password comes here, before anything is filled in.
        person.click(page.get_by_role("link", name="Claude Code", exact=True))
        expect(page.get_by_role("radio", name="Read only")).to_be_checked()
        expect(page.locator("main")).to_contain_text("Full also lets the assistant create, change, archive and delete")
        person.click("Create token")
        slug = SLUG.search(page.url)
        assert slug
        path = f"/mcp/c/{slug[1]}/readonly"
        token = page.locator("#minted-token").inner_text()
        canaries.token("the minted token", token)
        # A reference needs no token: the configuration still has none, only the variable's line does.
        assert token in page.locator(".setup").inner_text()
        assert token not in page.get_by_text('"mcpServers"').first.inner_text()
        evidence = page.locator("#evidence")
        expect(evidence).to_contain_text("Waiting for the first call from Claude Code")

        call_tool(console, "${HOURSMITH_API_TOKEN}", "get_me", path=path, client="Claude Code")
        expect(evidence).to_contain_text("Environment variable not expanded", timeout=10_000)
        expect(evidence).to_contain_text("In Claude Code, write ${HOURSMITH_API_TOKEN}")

        call_tool(console, token, "get_me", path=path, client="Claude Code")
        expect(evidence).to_contain_text("called get_me as MEMBER", timeout=10_000)
        # Whoever was seen needs no more looking.
        assert page.locator("#evidence[hx-get]").count() == 0
        assert person.clicks <= MOST_CLICKS, person.story
        assert person.typed <= MOST_FIELDS, person.story

        # The main button is below all that contains the token.
        end = page.locator("main").get_by_role("link", name="Continue")
        assert page.locator("main .button").last.inner_text() == "Continue"
        end.click()
        expect(page.locator("main")).to_contain_text("Who am I in Hoursmith?")
        page.get_by_role("link", name="Done").click()
        expect(page.locator("h1")).to_contain_text("Working")
        assert console.shell(MINTED) == before + 1
        assert window.complaints == []
    found = {name: canaries.traces(content) for name, content in files_of(console)}
    assert not {name: traces for name, traces in found.items() if traces}


def test_leaving_a_new_token_asks_once_and_a_reload_says_what_to_do(console: Served, visit: Visitor) -> None:
    asked: list[str] = []

    def stay(dialog: Dialog) -> None:
        asked.append(dialog.type)
        dialog.dismiss()

    with member(console, visit) as (window, person):
        page: Page = window.page
        window.goto("/connections/new/details/?client=cursor")
        person.type("Password", person.password)
        person.click("Continue")
        person.click("Create token")
        secret = page.locator("#minted-token").inner_text().rsplit("_", 1)[1]
        page.on("dialog", stay)
        page.get_by_role("link", name="Connections").first.click()
        expect(page.locator("#minted-token")).to_be_visible()
        assert asked == ["beforeunload"]
        # It was asked; this time one goes.
        page.reload()
        person.sees("The new token was shown once and can’t be shown again.")
        assert asked == ["beforeunload"]
        for move in (lambda: page.goto(f"{console.url}/connections/"), page.go_back, page.reload):
            move()
            expect(page.locator("h1")).to_be_visible()
            assert secret not in page.content()
        person.sees("If not, create another one and revoke the first.")
        person.click("Create another token")
        person.click("Create token")
        # What was copied is kept: leaving asks nothing.
        page.get_by_role("button", name="Copy the token", exact=True).click()
        page.get_by_role("link", name="Connections").first.click()
        page.wait_for_url(f"{console.url}/connections/")
        assert asked == ["beforeunload"]
        assert window.complaints == []


GRANTS = "from mcpbridge.models import Grant;import json;print(json.dumps(Grant.objects.count()))"
BLOCK = """
import json
from hoursmith_console.workspaces.models import Workspace
from mcpbridge.auth.restrictions.blocks import block_token
org_id = Workspace.objects.get().org_id
block_token(env="live", prefix={prefix!r}, org_id=org_id, actor="Ana", reason="lost")
print(json.dumps(None))
"""


def test_an_assistant_signs_in_from_its_own_window(console: Served, visit: Visitor) -> None:
    token, canaries = console.mint_for("MEMBER", "Probe's token"), Canaries()
    canaries.token("the token on the page", token)
    with hosted_assistant(console) as assistant, visit(None) as window:
        page = window.page
        page.goto(assistant.start)
        with page.expect_popup() as opened:
            page.get_by_role("button", name="Connect").click()
        popup = opened.value
        expect(popup.locator("main")).to_contain_text("An assistant that calls itself Probe wants to work in Hoursmith")
        expect(popup.locator("main")).to_contain_text("Continue only if you just started this on this computer.")
        give_token(popup, token)
        expect(popup.locator("h1")).to_have_text("Allow access?")
        assert token.rsplit("_", 1)[1] not in popup.content()
        shown = popup.content().encode()
        allow(popup, assistant)
        # The window that opened it still hears from it, after pages of two sites.
        expect(page).to_have_title("connected")
        assert popup.evaluate("window.opener !== null")
        made = assistant.tokens()
        assert (assistant.answers[-1]["state"], assistant.answers[-1]["iss"]) == ("its own", console.url)
        assert call_tool(console, made["access_token"], "get_me", client="Probe").status == 200
        for name in ("access_token", "refresh_token"):
            canaries.watch(name, made[name])
        kept = str([page.context.cookies(), page.context.storage_state()]).encode()
        assert not canaries.traces(shown)
        assert not canaries.traces(kept)
    with visit("OWNER") as window:
        window.goto("/connections/authorizations/")
        expect(window.page.locator(".rows")).to_contain_text("Probe")
        # The newest of that name is on top.
        window.page.get_by_role("link", name="Probe", exact=True).first.click()
        window.page.locator("main").get_by_role("link", name="End access").click()
        window.page.get_by_role("button", name="End access").click()
        expect(window.page.locator("h1")).to_contain_text("Ended")
        assert window.complaints == []
    refused = call_tool(console, made["access_token"], "get_me", client="Probe")
    assert refused.status == 401
    assert "ended" in refused.text
    found = {name: canaries.traces(content) for name, content in files_of(console)}
    assert not {name: traces for name, traces in found.items() if traces}


def test_signing_in_needs_no_script(console: Served, visit: Visitor) -> None:
    token = console.mint_for("MEMBER", "Another token")
    with hosted_assistant(console) as assistant, visit(None, java_script_enabled=False) as window:
        page = window.page
        page.goto(assistant.address)
        give_token(page, token, access="Read only")
        allow(page, assistant)
        assert "code" in assistant.answers[-1]
        page.goto(assistant.address)
        page.get_by_role("button", name="Deny access").click()
        page.wait_for_url(f"{assistant.callback}?**")
        assert assistant.answers[-1]["error"] == "access_denied"
        assert window.complaints == []


def test_detours_of_a_person_who_signs_an_assistant_in(console: Served, visit: Visitor) -> None:
    token, blocked = console.mint_for("MEMBER", "Third token"), console.mint_for("MEMBER", "Blocked token")
    console.shell(BLOCK.format(prefix=blocked.split("_")[2]))
    before = console.shell(GRANTS)
    with hosted_assistant(console) as assistant, visit(None) as window:
        page = window.page
        page.goto(assistant.address)
        give_token(page, token)
        # Back, and on again; meanwhile the same in another tab.
        page.go_back()
        assert page.locator("#authorize-token").input_value() == ""
        give_token(page, token)
        other = page.context.new_page()
        other.goto(assistant.address)
        give_token(other, token, access="Read only")
        allow(page, assistant)
        allow(other, assistant)
        assert len(assistant.answers) == 2
        page.goto(assistant.address)
        for wrong, said in (("hsk_live_wrong", "The token is incomplete."), (blocked, "This token is blocked")):
            give_token(page, wrong)
            expect(page.get_by_role("alert")).to_contain_text(said)
            assert page.locator("#authorize-token").input_value() == ""
            assert wrong.rsplit("_", 1)[1] not in page.content()
        # A page that is too old, or was another browser's.
        give_token(page, token)
        page.context.clear_cookies(name="authorizing")
        page.get_by_role("button", name="Allow access").click()
        expect(page.locator("main")).to_contain_text("This page has expired.")
        assert (console.shell(GRANTS), len(assistant.answers)) == (before + 2, 2)
