"""The leaked-tokens page in a real browser: pasted text stays there, whatever its size."""

from playwright.sync_api import Request

from tests.browser.conftest import Visitor
from tests.faults.mcp import call_tool
from tests.servers import Served
from tests.token_shapes import assembled_token

SECRET = "Zq7"


def test_only_prefixes_leave_the_browser_and_a_block_takes_effect_at_once(visit: Visitor, console: Served) -> None:
    leaked = console.mint_for("MANAGER", "Leaked laptop")
    assert call_tool(console, leaked, "get_me", client="Claude Desktop").status == 200
    prefix = leaked.split("_")[2]
    unknown = [assembled_token(prefix=f"{number:012x}", secret=SECRET) for number in range(3)]
    filler = "2026-11-25 10:42:07 INFO nothing to see here, hsk_live_short\n" * 9000
    pasted = f"{filler}Authorization: Bearer {leaked}\n{' '.join(unknown)}\n{leaked}{filler}"
    assert len(pasted) > 1_000_000
    sent: list[str] = []

    def keep(request: Request) -> None:
        sent.append(f"{request.url} {request.post_data or ''} {request.headers}")

    with visit(permissions=["clipboard-read", "clipboard-write"]) as window:
        page = window.page
        window.page.on("request", keep)
        window.goto("/rotations/leaked-tokens/")
        page.evaluate("text => navigator.clipboard.writeText(text)", pasted)
        page.get_by_label("Paste the text that contains it").press("Control+V")
        page.get_by_text(f"{len(pasted):,} characters searched. Found 4 tokens").wait_for()
        page.get_by_role("button", name="Report token").click()
        page.wait_for_url("**/rotations/leaked-tokens/?t=*")
        assert "1 of 4 reported tokens belongs to this workspace" in window.text()
        assert "by Claude Desktop" in window.text()
        page.go_back()
        assert page.get_by_label("Paste the text that contains it").input_value() == ""
        page.go_forward()
        page.get_by_role("button", name="Block token").click()
        _still_me(window, console)
        page.get_by_text("Blocked here").wait_for()
        assert call_tool(console, leaked, "get_me").status == 401
        secrets = [leaked.split("_")[3], SECRET * 3]
        seen = [
            *sent,
            page.content(),
            page.evaluate("JSON.stringify([history.state, location.href, {...sessionStorage}])"),
        ]
        assert any(f"live_{prefix}" in each for each in sent)
        assert not [each[:200] for each in seen for secret in secrets if secret in each]
        assert window.complaints == []


def _still_me(window: object, console: Served) -> None:
    """Re-authenticate if the page requires it."""
    page = window.page  # type: ignore[attr-defined]
    if "/accounts/reauthenticate/" in page.url:
        page.get_by_label("Password").fill(console.person("OWNER")["password"])
        page.get_by_role("button", name="Continue").click()


def test_a_text_without_tokens_is_not_sent(visit: Visitor) -> None:
    with visit() as window:
        window.goto("/rotations/leaked-tokens/")
        window.page.get_by_label("Paste the text that contains it").fill("nothing hsk_live_ here")
        window.page.get_by_role("button", name="Report token").click()
        assert "No Hoursmith token found" in window.text()
        assert not [request for request in window.requests if "found" in request]


def test_without_script_the_page_asks_for_the_prefix_only(visit: Visitor) -> None:
    token = assembled_token(prefix="abcdefabcdef", secret=SECRET)
    with visit(java_script_enabled=False) as window:
        page = window.page
        window.goto("/rotations/leaked-tokens/")
        assert page.locator("textarea:visible").count() == 0
        assert "JavaScript is off" in window.text()
        page.get_by_label("Token prefix").press_sequentially(token)
        assert page.get_by_label("Token prefix").input_value() == token[:21]
        page.get_by_role("button", name="Report token").click()
        assert "No reported token is known here" in window.text()
