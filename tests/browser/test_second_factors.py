"""Second factors in a real browser: a passkey of a virtual authenticator, and the codes of an app."""

import re
import time
from collections.abc import Iterator

import pytest
from allauth.mfa.totp.internal.auth import format_hotp_value, hotp_value
from playwright.sync_api import Browser, BrowserContext, Page

from tests.servers import Served

PASSWORD = "correct horse battery staple"


INVITE = """
import json
from hoursmith_console.sign_in.invitation_views import invitation_path
from hoursmith_console.workspaces.invitations import invite
from hoursmith_console.workspaces.models import Workspace
found = {}
for number in range(2):
    email = f"newcomer-{number}@example.com"
    workspace = Workspace.objects.get()
    facts = {"role": "MEMBER", "channel": "operator", "actor": "the test", "allow_unlisted": True}
    _, secret = invite(workspace=workspace, email=email, **facts)
    found[email] = invitation_path(secret)
print(json.dumps(found))
"""


@pytest.fixture(scope="module")
def invitations(console: Served) -> dict[str, str]:
    """Addresses with an invitation that nobody has used; a test takes one out."""
    found: dict[str, str] = console.shell(INVITE)
    return found


@pytest.fixture
def newcomer(
    console: Served, chromium: Browser, invitations: dict[str, str]
) -> Iterator[tuple[BrowserContext, str, list[str]]]:
    """A window of somebody who has just used their invitation, their address, and what the browser complained of."""
    email, link = invitations.popitem()
    # Browsers make passkeys for names only.
    context = chromium.new_context(base_url=f"http://localhost:{console.port}")
    page, complaints = context.new_page(), []
    page.on("console", lambda message: complaints.append(message.text) if message.type == "error" else None)
    page.on("pageerror", lambda error: complaints.append(str(error)))
    page.goto(link)
    page.get_by_label("New password", exact=True).fill(PASSWORD)
    page.get_by_label("New password confirmation").fill(PASSWORD)
    page.get_by_role("button", name="Create account").click()
    page.wait_for_url(re.compile(r"\d/$"))
    yield context, email, complaints
    context.close()


def _virtual_authenticator(page: Page) -> None:
    session = page.context.new_cdp_session(page)
    session.send("WebAuthn.enable")
    session.send(
        "WebAuthn.addVirtualAuthenticator",
        {
            "options": {
                "protocol": "ctap2",
                "transport": "internal",
                "hasResidentKey": True,
                "hasUserVerification": True,
                "isUserVerified": True,
                "automaticPresenceSimulation": True,
            }
        },
    )


def _sign_out(page: Page) -> None:
    page.goto("/accounts/logout/")
    page.get_by_role("button", name="Sign out").click()
    page.goto("/accounts/login/")


def test_a_passkey_is_made_and_signs_in_alone_and_as_second_factor(
    newcomer: tuple[BrowserContext, str, list[str]],
) -> None:
    context, email, complaints = newcomer
    page = context.pages[0]
    _virtual_authenticator(page)
    page.goto("/accounts/2fa/passkeys/add/")
    page.get_by_label("Name").fill("The laptop's finger")
    page.get_by_role("button", name="Continue").click()
    page.wait_for_url("**/2fa/codes/")
    assert page.locator(".codes code").count() == 10
    _sign_out(page)
    page.get_by_role("button", name="Sign in with a passkey").click()
    page.wait_for_url(re.compile(r"\d/$"))
    assert "You haven’t connected an assistant yet" in page.locator("main").inner_text()
    _sign_out(page)
    page.get_by_label("Email").fill(email)
    page.get_by_label("Password").fill(PASSWORD)
    page.get_by_role("button", name="Sign in", exact=True).click()
    page.get_by_role("button", name="Use a passkey").click()
    page.wait_for_url(re.compile(r"\d/$"))
    page.goto("/accounts/2fa/passkeys/")
    assert "The laptop's finger" in page.locator("main").inner_text()
    # Re-authentication takes the passkey too; a sign-in of a moment ago needs none.
    page.goto("/accounts/reauthenticate/?next=/accounts/2fa/passkeys/")
    page.get_by_role("link", name="a passkey").click()
    page.get_by_role("button", name="Use a passkey").click()
    page.get_by_role("link", name="Remove").click()
    page.get_by_role("button", name="Remove passkey").click()
    page.wait_for_url("**/2fa/passkeys/")
    assert "No passkeys yet." in page.locator("main").inner_text()
    assert complaints == []


def test_an_app_is_set_up_and_asked_for(newcomer: tuple[BrowserContext, str, list[str]]) -> None:
    context, email, complaints = newcomer
    page = context.pages[0]
    page.goto("/accounts/2fa/app/add/")
    box = page.locator("svg.qr").bounding_box()
    assert box is not None
    assert box["width"] > 150
    page.get_by_text("Enter the secret manually").click()
    secret = page.locator("code.secret").inner_text()
    page.get_by_label("Code from the app").fill(_code(secret))
    page.get_by_role("button", name="Add app").click()
    page.wait_for_url("**/2fa/codes/")
    code = page.locator(".codes code").first.inner_text()
    _sign_out(page)
    page.get_by_label("Email").fill(email)
    page.get_by_label("Password").fill(PASSWORD)
    page.get_by_role("button", name="Sign in", exact=True).click()
    page.get_by_label("Code").fill("000000")
    page.get_by_role("button", name="Continue").click()
    assert "The code is incorrect" in page.locator("main").inner_text()
    page.get_by_label("Code").fill(code)
    page.get_by_role("button", name="Continue").click()
    page.wait_for_url(re.compile(r"\d/$"))
    assert complaints == []


def _code(secret: str) -> str:
    return str(format_hotp_value(hotp_value(secret, int(time.time()) // 30)))


def test_an_address_of_numbers_is_told_that_passkeys_need_a_name(console: Served, chromium: Browser) -> None:
    context = chromium.new_context()
    page = context.new_page()
    page.goto(f"{console.url}/accounts/2fa/passkeys/add/")
    assert f"http://localhost:{console.port}" in page.locator("main").inner_text()
    context.close()
