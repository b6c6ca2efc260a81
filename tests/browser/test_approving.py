"""An Owner lets calls wait, sees one come up without touching the page, and lets it through."""

from concurrent.futures import ThreadPoolExecutor

from playwright.sync_api import Page, expect

from tests.browser.conftest import Visitor
from tests.faults.mcp import call_tool
from tests.servers import Served


def show_who_it_is(page: Page, password: str) -> None:
    """Give the password once more, where it is asked for."""
    page.wait_for_load_state()
    if "/reauthenticate/" in page.url:
        page.get_by_label("Password").fill(password)
        page.get_by_role("button", name="Continue").click()


def test_a_held_deletion_comes_up_by_itself_and_is_let_through(visit: Visitor, console: Served) -> None:
    person = [each for each in console.people if each["role"] == "OWNER"][-1]
    token, password = console.mint(person["email"], "Waiting laptop"), person["password"]
    made = call_tool(console, token, "create_client", {"name": "Initech"}, client="Claude Desktop")
    wanted = made.result["structuredContent"]["data"]["id"]
    with visit() as window, ThreadPoolExecutor(1) as assistant:
        page = window.page
        window.goto("/approvals/policy/")
        page.get_by_label("Tokens").fill("_".join(token.split("_")[:3]))
        page.get_by_role("button", name="Save approval rules").click()
        show_who_it_is(page, password)
        expect(page.locator(".messagelist")).to_contain_text("Approval rules saved")
        window.goto("/approvals/")
        assert "No pending requests" in window.text()
        held = assistant.submit(call_tool, console, token, "delete_client", {"id": wanted}, timeout=60)
        waiting = page.locator("#waiting li")
        expect(waiting).to_contain_text("Initech", timeout=15_000)
        waiting.get_by_role("button", name="Approve").click()
        show_who_it_is(page, password)
        expect(page.locator(".messagelist")).to_contain_text("allowed once")
        assert not held.result(30).result["isError"]
        window.goto("/approvals/")
        assert "Approved and used" in window.text()
        assert window.complaints == []
