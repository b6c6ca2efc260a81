"""Following the activity live in a real browser, with real calls."""

from tests.browser.conftest import Visitor
from tests.faults.mcp import call_tool
from tests.servers import Served


def test_a_call_comes_in_on_top_until_the_list_is_paused(
    visit: Visitor, console: Served, tokens: dict[str, str]
) -> None:
    with visit() as window:
        window.goto("/activity/?tool=get_organization")
        window.page.get_by_role("link", name="Live tail").click()
        first = window.page.locator("#followed-rows > tr, .panel.nothing").first
        first.wait_for()
        call_tool(console, tokens["OWNER"], "get_organization", {}, client="Followed Assistant")
        window.page.locator("#followed-rows > tr").first.get_by_text("Followed Assistant").wait_for()
        window.page.get_by_role("link", name="Pause").click()
        window.page.get_by_role("link", name="Resume").wait_for()
        shown = window.page.locator("#followed-rows > tr").count()
        call_tool(console, tokens["OWNER"], "get_organization", {}, client="Meanwhile")
        window.page.get_by_role("link", name="Resume").click()
        window.page.locator("#followed-rows > tr").first.get_by_text("Meanwhile").wait_for()
        assert window.page.locator("#followed-rows > tr").count() == shown + 1
        window.page.locator("#tail-news", has_text="1 new call").wait_for(state="attached")
        assert window.complaints == []
