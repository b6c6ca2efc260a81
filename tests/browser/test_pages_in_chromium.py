"""Every page in a real browser: no complaint, no stranger, no sideways scrolling, no script needed."""

import pytest

from tests.browser.conftest import SENTENCE, Visitor
from tests.servers import Served

MOST_BYTES = 150_000
LISTS = ["/", "/tokens/", "/audit/", "/activity/", "/accounts/password/change/", "/activity/?kind=read&q=nothing"]


def _details(visit: Visitor) -> list[str]:
    """The newest detail page of each area."""
    found = []
    with visit() as window:
        for area in ("tokens", "audit", "activity"):
            window.goto(f"/{area}/")
            address = window.page.locator(".rows .what a").first.get_attribute("href")
            assert address is not None
            found.append(address)
    return found


def test_no_page_makes_the_browser_complain_asks_anybody_else_or_scrolls_sideways(
    visit: Visitor, console: Served
) -> None:
    with visit() as window:
        for address in [*LISTS, *_details(visit)]:
            window.goto(address)
            assert window.complaints == [], address
            assert all(request.startswith(console.url) for request in window.requests), address
            assert window.transferred < MOST_BYTES, address
            for width in (320, 360, 768, 1440):
                window.page.set_viewport_size({"width": width, "height": 800})
                beyond = window.page.evaluate(
                    "document.documentElement.scrollWidth - document.documentElement.clientWidth"
                )
                assert beyond <= 0, f"{address} is {beyond} px too wide at {width}"


@pytest.mark.parametrize("role", ["MEMBER", None])
def test_first_pages_are_as_clean(visit: Visitor, console: Served, role: str | None) -> None:
    with visit(role) as window:
        window.goto("/" if role else "/accounts/login/")
        assert window.complaints == []
        assert all(request.startswith(console.url) for request in window.requests)
        if role:
            assert "Connect an assistant" in window.text()


def test_a_page_that_is_not_there_looks_like_ours(visit: Visitor) -> None:
    with visit() as window:
        window.goto("/audit/0b6fd4f6-0000-4000-8000-000000000000/")
        assert "Page not found" in window.text()
        # Chromium reports the status itself; anything else would be a fault of the page.
        assert all("404" in complaint for complaint in window.complaints)


def test_lists_become_cards_on_a_phone(visit: Visitor) -> None:
    with visit(viewport={"width": 360, "height": 800}) as window:
        window.goto("/activity/")
        row = window.page.locator(".rows tbody tr").first
        what, who = row.locator(".what").bounding_box(), row.locator(".who").bounding_box()
        assert what is not None
        assert who is not None
        assert who["y"] >= what["y"] + what["height"]
        # To a screen reader it stays a table.
        assert window.page.get_by_role("table").count() == 1
        assert window.page.get_by_role("columnheader", name="Result").count() == 1


def test_everything_works_without_script(visit: Visitor, console: Served) -> None:
    person = next(each for each in console.people if each["role"] == "ADMIN")
    with visit(None, java_script_enabled=False) as window:
        page = window.page
        page.goto(f"{console.url}/audit/")
        page.get_by_label("Email").fill(person["email"])
        page.get_by_label("Password").fill(person["password"])
        page.get_by_role("button", name="Sign in", exact=True).click()
        assert page.url == f"{console.url}/audit/"
        page.get_by_label("Search", exact=True).fill("Vandelay")
        page.get_by_text("+ Filter").click()
        page.get_by_role("search", name="Filter").get_by_label("Type").select_option("destroyed")
        page.get_by_role("button", name="Apply").click()
        page.get_by_role("link", name=SENTENCE).first.click()
        assert f"deleted client {SENTENCE}" in window.text()
        assert page.locator(".needs-script:visible").count() == 0
        page.locator("summary", has_text="ADMIN").click()
        page.get_by_role("button", name="Sign out").click()
        page.goto(f"{console.url}/")
        assert page.url.startswith(f"{console.url}/accounts/login/")
