"""What people do: copy a prefix, page, switch colours, use the keyboard."""

from datetime import datetime
from zoneinfo import ZoneInfo

import pytest

from tests.browser.conftest import SENTENCE, Visitor
from tests.token_shapes import assembled_token


def test_a_manager_sees_their_own_work_and_nothing_else(visit: Visitor, tokens: dict[str, str]) -> None:
    with visit("MANAGER") as window:
        for address in ("/", "/tokens/", "/audit/", "/activity/"):
            window.goto(address)
            assert SENTENCE not in window.text()
            assert tokens["OWNER"].split("_")[2] not in window.page.content()
        window.goto("/activity/")
        assert "get_project" in window.text()


def test_an_attempt_with_a_wrong_secret_is_shown_as_a_strangers(visit: Visitor, tokens: dict[str, str]) -> None:
    with visit("MANAGER") as window:
        window.goto("/")
        assert not window.page.locator(".todo li", has_text="rejected request").count()
        window.goto(f"/tokens/?q={tokens['MANAGER'].split('_')[2]}")
        window.page.get_by_role("link", name="Manager's laptop").first.click()
        refused = window.page.locator("#refused").inner_text()
        assert "Cursor" in refused
        assert "prefix only" in refused


def test_the_public_part_of_a_token_is_copied(visit: Visitor, tokens: dict[str, str]) -> None:
    with visit(permissions=["clipboard-read", "clipboard-write"]) as window:
        window.goto(f"/tokens/?q={tokens['OWNER'].split('_')[2]}")
        window.page.get_by_role("button", name="Copy the token prefix").click()
        copied = window.page.evaluate("navigator.clipboard.readText()")
        assert copied == "_".join(tokens["OWNER"].split("_")[:3])


def test_a_pasted_token_never_leaves_the_browser_whole(visit: Visitor) -> None:
    token = assembled_token(secret="Zq7" * 11)
    with visit() as window:
        window.goto("/tokens/")
        window.page.get_by_label("Search", exact=True).fill(token)
        window.page.locator(".filters").get_by_role("button", name="Search").click()
        window.page.wait_for_url("**/tokens/?q=*")
        assert window.page.get_by_label("Search", exact=True).input_value() == "hsk_live_4f8a2c1bdedf"
        assert not [request for request in window.requests if "Zq7" in request]


def test_filters_leave_a_short_address_that_can_be_shared(visit: Visitor) -> None:
    with visit() as window:
        window.goto("/activity/")
        window.page.locator(".filter-menu > summary").click()
        window.page.get_by_label("Tool", exact=True).select_option("get_project")
        window.page.get_by_role("button", name="Apply").click()
        window.page.wait_for_url("**/activity/?tool=get_project")
        assert set(window.page.locator(".rows .what code").all_inner_texts()) == {"get_project"}


def test_one_pages_to_older_calls_and_back(visit: Visitor) -> None:
    with visit("MANAGER") as window:
        window.goto("/activity/")
        first = window.page.locator(".rows .what a").first.get_attribute("href")
        window.page.get_by_role("link", name="Older").click()
        assert window.page.locator(".rows .what a").first.get_attribute("href") != first
        window.page.get_by_role("link", name="Newer").click()
        assert window.page.locator(".rows .what a").first.get_attribute("href") == first


def test_the_chosen_colours_stay(visit: Visitor) -> None:
    with visit(color_scheme="light") as window:
        window.goto("/")
        ground = "getComputedStyle(document.body).backgroundColor"
        assert window.page.evaluate(ground) == "rgb(251, 251, 249)"
        window.page.get_by_role("button", name="Change theme").click()
        assert window.page.evaluate(ground) == "rgb(20, 23, 28)"
        window.goto("/tokens/")
        assert window.page.evaluate(ground) == "rgb(20, 23, 28)"


def test_the_keyboard_reaches_the_content_and_closes_menus(visit: Visitor) -> None:
    with visit() as window:
        window.goto("/tokens/")
        window.page.keyboard.press("Tab")
        assert window.page.evaluate("document.activeElement.className") == "skip-to-content-link"
        window.page.keyboard.press("Enter")
        window.page.keyboard.press("Tab")
        assert window.page.evaluate("document.querySelector('main').contains(document.activeElement)")
        menu = window.page.locator("#header details.menu").last
        menu.locator("summary").focus()
        window.page.keyboard.press("Enter")
        assert window.page.get_by_role("button", name="Sign out").is_visible()
        window.page.keyboard.press("Escape")
        assert not window.page.get_by_role("button", name="Sign out").is_visible()


def test_an_audit_entry_is_printed_without_controls_and_with_what_is_folded(visit: Visitor) -> None:
    with visit(color_scheme="dark") as window:
        window.goto("/audit/?what=destroyed")
        window.goto(window.page.locator(".rows .what > a").first.get_attribute("href") or "")
        window.page.emulate_media(media="print")
        for selector in ("#header", ".areas", ".crumbs", ".copy", "main .button"):
            assert not window.page.locator(selector).first.is_visible(), selector
        assert "Northwind Studio" in window.page.locator(".print-only").inner_text()
        assert window.page.locator(".proof pre").first.is_visible()
        assert window.page.evaluate("getComputedStyle(document.body).backgroundColor") == "rgb(255, 255, 255)"


def test_rows_are_walked_opened_and_explained_by_keys(visit: Visitor) -> None:
    with visit() as window:
        window.goto("/activity/")
        keys, rows = window.page.keyboard, window.page.locator(".rows .what > a")
        for key, row in (("j", 0), ("j", 1), ("j", 2), ("k", 1)):
            keys.press(key)
            assert rows.nth(row).evaluate("link => link === document.activeElement"), key
        address = rows.nth(1).get_attribute("href")
        keys.press("Enter")
        window.page.wait_for_url(f"**{address}")
        window.goto("/tokens/")
        dialog = window.page.get_by_role("dialog", name="Keyboard shortcuts")
        # Nothing happens while somebody types, or with a modifier.
        window.page.locator("main input[name=q]").first.focus()
        keys.type("jk?")
        assert window.page.locator("main input[name=q]").first.input_value() == "jk?"
        window.page.locator("main").focus()
        keys.press("Control+j")
        assert window.page.evaluate("document.activeElement.tagName") == "MAIN"
        assert not dialog.is_visible()
        keys.press("?")
        assert dialog.is_visible()
        keys.press("j")
        assert window.page.evaluate("document.getElementById('shortcuts').contains(document.activeElement)")
        window.page.get_by_label("Use shortcuts in this browser").uncheck()
        keys.press("Escape")
        keys.press("?")
        assert not dialog.is_visible()
        window.page.locator("#header details.menu summary").last.click()
        window.page.get_by_role("button", name="Keyboard shortcuts").click()
        window.page.get_by_label("Use shortcuts in this browser").check()
        window.page.get_by_role("button", name="Close").click()
        window.page.locator("main").focus()
        keys.press("j")
        assert rows.first.evaluate("link => link === document.activeElement")


def test_times_are_the_readers_own_and_say_utc_when_they_are_tapped(visit: Visitor) -> None:
    with visit(timezone_id="Asia/Tokyo", locale="en-GB") as window:
        # The first page tells the console the browser's zone.
        window.goto("/activity/")
        window.goto("/activity/")
        assert "Times in Asia/Tokyo" in window.page.locator("#footer").inner_text()
        time = window.page.locator(".when time").first
        instant = datetime.fromisoformat(time.get_attribute("datetime") or "")
        assert time.inner_text() == f"{instant.astimezone(ZoneInfo('Asia/Tokyo')):%a %-d %b %H:%M}"
        time.click()
        shown = time.evaluate("element => getComputedStyle(element, '::after').content")
        assert shown == f'"{instant:%a %-d %b %Y, %H:%M:%S} UTC"'


# What is this, is anything wrong, and what do I do: a sentence, the state, and a button.
ANSWERS = (".lead p", ".attention h2, .all-clear", ".attention .button, .lead .button")


@pytest.mark.parametrize(("width", "height"), [(1440, 900), (390, 844)])
def test_the_overview_answers_a_new_admin_without_scrolling(visit: Visitor, width: int, height: int) -> None:
    with visit("ADMIN", viewport={"width": width, "height": height}) as window:
        window.goto("/")
        for answer in ANSWERS:
            box = window.page.locator(answer).first.bounding_box()
            assert box is not None, answer
            assert box["width"] > 0, answer
            assert box["y"] >= 0, answer
            assert box["y"] + box["height"] <= height, answer


@pytest.mark.parametrize("scheme", ["light", "dark"])
def test_a_bar_of_the_chart_leads_to_its_calls_by_keyboard(visit: Visitor, scheme: str) -> None:
    with visit(color_scheme=scheme, java_script_enabled=False) as window:
        window.goto("/")
        bar = window.page.locator(".chart-links a").last
        calls = bar.get_attribute("data-count")
        bar.focus()
        assert bar.evaluate("bar => bar.matches(':focus-visible')")
        window.page.keyboard.press("Enter")
        window.page.wait_for_url("**/activity/?since=*")
        assert window.page.locator(".list-total").inner_text().startswith(f"{calls} calls")
