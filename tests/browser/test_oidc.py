"""Sign-in with OpenID Connect in a real browser, whose policy holds redirects after forms to our own address."""

from pathlib import Path

from playwright.sync_api import Browser

from tests.oidc_provider import CLIENT_ID, CLIENT_SECRET, oidc_provider
from tests.servers import served_console


def test_an_owner_signs_in_with_the_provider_and_back(chromium: Browser, tmp_path: Path) -> None:
    with oidc_provider() as provider:
        settings = {
            "OIDC_ISSUER": provider.issuer,
            "OIDC_CLIENT_ID": CLIENT_ID,
            "OIDC_CLIENT_SECRET": CLIENT_SECRET,
            "OIDC_NAME": "Example",
        }
        with served_console(tmp_path, env=settings) as console:
            owner = console.person("OWNER")
            provider.person = {"sub": "1", "email": owner["email"], "email_verified": True}
            context = chromium.new_context()
            page, complaints = context.new_page(), []
            page.on("console", lambda message: complaints.append(message.text) if message.type == "error" else None)
            # The sandbox's sign-ins prove no address, so the owner links the provider from inside first.
            page.goto(f"{console.url}/accounts/login/?next=/accounts/openid/")
            page.locator("[name=login]").fill(owner["email"])
            page.locator("[name=password]").fill(owner["password"])
            page.get_by_role("button", name="Sign in", exact=True).click()
            page.get_by_role("button", name="Link ").click()
            page.get_by_text("You can now sign in with Example").wait_for()
            context.clear_cookies()
            page.goto(f"{console.url}/audit/")
            page.get_by_role("button", name="Sign in with Example").click()
            page.wait_for_url(f"{console.url}/audit/")
            assert owner["name"] in page.locator("#header").inner_text()
            assert complaints == []
            context.close()
