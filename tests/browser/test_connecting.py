"""Connecting an assistant in a real browser, while a real client calls: the fault is named, then the call is seen."""

import re

from playwright.sync_api import Error, Page, expect

from tests.browser.conftest import Visitor
from tests.faults.mcp import call_tool
from tests.secret_markers import Canaries, files_of
from tests.servers import Served

SLUG = re.compile(r"/connections/([a-z0-9]{12})/")
MINTED = (
    "from hoursmith_console.tokens.models import TokenClaim;import json;"
    "print(json.dumps(TokenClaim.objects.filter(source='minted').count()))"
)


def go_on(page: Page) -> None:
    page.get_by_role("button", name="Continue", exact=True).click()


def mint(page: Page, password: str) -> None:
    """Press the button, and say once more who one is where that is asked."""
    page.get_by_role("button", name="Create token").click()
    if "/reauthenticate/" in page.url:
        page.get_by_label("Password").fill(password)
        go_on(page)


def test_an_assistant_is_connected_and_seen(console: Served, visit: Visitor, tokens: dict[str, str]) -> None:
    person = [each for each in console.people if each["role"] == "MEMBER"][-1]
    before, canaries = console.shell(MINTED), Canaries()
    with visit("MEMBER") as window:
        page: Page = window.page
        window.goto("/connections/")
        page.get_by_role("link", name="Connect an assistant").click()
        page.get_by_role("radio", name="Claude Code").focus()
        page.keyboard.press("Space")
        page.keyboard.press("Enter")
        page.get_by_label("Name").fill("Claude Code on the night train")
        go_on(page)
        slug = SLUG.search(page.url)
        assert slug
        path = f"/mcp/c/{slug[1]}"

        form = {name: page.locator(f"[name={name}]").last.input_value() for name in ("csrfmiddlewaretoken", "mark")}
        mint(page, person["password"])
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

        check_it_is_shown_once(page, token)
        address = f"{console.url}/connections/{slug[1]}/token/"
        again = page.request.post(address, form=form, headers={"Referer": address})
        assert again.status == 409
        assert "A token was already created from this form" in again.text()
        assert token not in again.text()
        assert console.shell(MINTED) == before + 1
        window.goto(f"/connections/{slug[1]}/setup/")
        page.get_by_role("link", name="Continue").click()
        expect(page.locator("main")).to_contain_text("Who am I in Hoursmith?")
        page.get_by_role("link", name="Done").click()
        expect(page.locator("h1")).to_contain_text("Working")
        assert not [each for each in window.complaints if "409" not in each], window.complaints
    found = {name: canaries.traces(content) for name, content in files_of(console)}
    assert not {name: traces for name, traces in found.items() if traces}


def check_it_is_shown_once(page: Page, token: str) -> None:
    """Neither reload nor the way back and forward show the token again."""
    for move in (page.reload, page.go_back, page.go_forward):
        try:
            move()
            expect(page.locator("h1")).to_be_visible()
        except Error as error:
            # The browser keeps no answer to a form, would have to send the form again, and shows a page of its own.
            if "ERR_CACHE_MISS" not in str(error):
                raise
            expect(page.locator("body")).to_be_attached()
            continue
        assert token.rsplit("_", 1)[1] not in page.content()
