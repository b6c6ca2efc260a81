"""Connecting an assistant in a real browser, while a real client calls: the fault is named, then the call is seen."""

import re
from collections.abc import Iterator
from contextlib import contextmanager

from playwright.sync_api import Dialog, Page, expect

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
