"""Rotations in the sandbox, driven to the end in a browser, with real MCP clients as the assistants."""

import pytest
from playwright.sync_api import expect

from tests.browser.authorizing import HostedAssistant, allow, give_token, hosted_assistant
from tests.browser.clicks import FORGET_SIGN_IN, Person
from tests.browser.conftest import Visit, Visitor
from tests.browser.rotating import Assistant, Walker, open_connection
from tests.faults.conftest import prefix_of
from tests.secret_markers import Canaries, files_of
from tests.servers import Served

OWNER, MANAGER = "OWNER", "MANAGER"
MOST_CLICKS = 7
REPORT = """
import json
from hoursmith_console.leaked_tokens.services import report_leaked_tokens
from hoursmith_console.workspaces.models import Member
from mcpbridge.models import TokenRef
member = Member.objects.get(email={email!r})
ref = TokenRef("live", {prefix!r})
print(json.dumps(report_leaked_tokens(workspace=member.workspace, refs=[ref], actor=member.display_identity)))
"""


def walker(console: Served, window: Visit, role: str, *, has_mouse: bool = True) -> Walker:
    person = [each for each in console.people if each["role"] == role][-1]
    return Walker(window, person["password"], has_mouse=has_mouse)


def person_with(console: Served, role: str) -> str:
    """The e-mail address of whom `visit` signs in for `role`."""
    return str([each for each in console.people if each["role"] == role][-1]["email"])


def begin(visitor: Walker, token: str, kind: str) -> str:
    """Begin from the token's page; the address of the wizard."""
    prefix = prefix_of(token)
    # The page of a token is there as soon as its first call is written down.
    visitor.opens(f"/rotations/new/?token=live_{prefix}")
    visitor.window.goto(f"/tokens/?q=hsk_live_{prefix}")
    visitor.page.locator(".rows .what a").first.click()
    visitor.press("Rotate token")
    visitor.choose(kind)
    visitor.press("Start rotation")
    return visitor.page.url.removeprefix(visitor.window.url)


def test_a_planned_rotation_waits_for_a_lagging_assistant(visit: Visitor, console: Served) -> None:
    email = person_with(console, MANAGER)
    old = console.mint(email, "Carla's old token")
    slug = open_connection(console, email=email, client="claude-code", label="Claude Code on Carla’s laptop")
    prompt, laggard = Assistant(console, "claude-code", old, slug), Assistant(console, "Zed", old)
    prompt.works()
    laggard.works()
    with visit(MANAGER) as window:
        carla = walker(console, window, MANAGER)
        address = begin(carla, old, "Planned rotation")
        carla.step_is("Create new token")
        carla.press("Create token")
        new = carla.new_token()
        assert window.page.locator("main").inner_text().count(new) >= 1
        assert f"/mcp/c/{slug}" in window.page.content()
        carla.press("Continue")
        carla.step_is("Update assistants")
    prompt.token = new
    prompt.works()
    # The browser was closed in the middle. Somebody else, who reviews the workspace, rotates the same token.
    with visit(OWNER) as window:
        ana = walker(console, window, OWNER)
        window.goto(f"/rotations/new/?token=live_{prefix_of(old)}")
        assert window.page.url.endswith(address)
        ana.press("I’ve updated all assistants")
        ana.step_is("Confirm the new token works")
        ana.sees("1 of 2 done")
        assert "Revoke hsk_live" not in window.text()
        laggard.calls()
        ana.sees("waiting for its first call with the new token; old token last used")
        laggard.token = new
        laggard.works()
        ana.step_is("Revoke old token")
        ana.press("Revoke hsk_live")
        ana.step_is("Confirm the old token is unused")
        assert Assistant(console, "Zed", old).calls().status == 401
        ana.sees("Zed still has the old token, last attempt")
        assert laggard.calls().status == 200
        ana.press("Finish rotation")
        ana.step_is("Done")
        assert "Old token revoked; new token in use" in window.text()
        window.goto("/tokens/?state=retired")
        assert f"new token hsk_live_{prefix_of(new)}" in window.text()
        assert window.complaints == []


def test_after_a_leak_the_old_token_goes_first_and_the_new_one_is_shown_once(visit: Visitor, console: Served) -> None:
    old = console.mint(person_with(console, MANAGER), "Carla's leaked token")
    assistant = Assistant(console, "cursor-vscode", old)
    assistant.works()
    with visit(MANAGER) as window:
        # With the keyboard alone.
        carla = walker(console, window, MANAGER, has_mouse=False)
        begin(carla, old, "Leaked")
        # It is revoked at once, and the new one is there.
        assert assistant.calls().status == 401
        new = carla.new_token()
        assert window.page.content().count(new) > 1
        wizard = window.page.url
        for leave in (window.page.reload, lambda: window.page.goto(f"{console.url}/rotations/"), window.page.go_back):
            leave()
            assert new not in window.page.content()
        assert window.page.url == wizard
        carla.step_is("Update assistants")
        carla.sees("Lost the new token?")
        carla.sees("cursor-vscode still has the old token, last attempt")
        assistant.token = new
        assistant.works()
        carla.step_is("Done")
        assert "Old token revoked; new token in use" in window.text()
        canaries = Canaries()
        canaries.token("the minted token", new)
        assert {place: found for place, content in files_of(console) if (found := canaries.traces(content))} == {}
        # Who was forgotten stays a to-do, and the new token is left alone.
        assert Assistant(console, "Zed", old).calls().status == 401
        carla.sees("Zed still has the old token, last attempt")
        window.goto("/")
        carla.sees("still uses the old token")
        window.page.locator(".todo").get_by_role("link", name="Carla's leaked token").click()
        assert window.page.url == wizard
        assert assistant.calls().status == 200
        assert window.complaints == []


@pytest.mark.parametrize("is_reported", [True, False])
def test_a_leaked_token_is_rotated_to_the_end(visit: Visitor, console: Served, is_reported: bool) -> None:
    email = person_with(console, MANAGER)
    old = console.mint(email, f"Carla's {'reported' if is_reported else 'pasted'} token")
    assistant = Assistant(console, "cursor-vscode", old)
    assistant.works()
    with visit(MANAGER) as window:
        walker(console, window, MANAGER).opens(f"/rotations/new/?token=live_{prefix_of(old)}")
        carla = Person(window.page, [each for each in console.people if each["role"] == MANAGER][-1]["password"])
        if is_reported:
            console.shell(REPORT.format(email=email, prefix=prefix_of(old)))
        window.goto("/")
        console.shell(FORGET_SIGN_IN)
        if not is_reported:
            carla.click("Rotations", within="nav")
            carla.click("Leaked tokens")
            carla.type("Paste the text that contains it: a log, a chat, a configuration file", f"Bearer {old}")
            carla.click("Report token")
        # The password comes here, before the one decision.
        carla.click(window.page.locator("main").get_by_role("link", name="Rotate now"))
        carla.click("Rotate now")
        new = window.page.locator("#minted-token").inner_text().strip()
        assert assistant.calls().status == 401
        carla.click("Continue", within="main")
        assistant.token = new
        assistant.works()
        expect(window.page.locator("#step-title")).to_have_text("Done", timeout=15_000)
        assert carla.clicks <= MOST_CLICKS, carla.story
        assert carla.typed <= 1 + (not is_reported), carla.story
        window.goto("/")
        assert (
            f"Carla's {'reported' if is_reported else 'pasted'} token"
            not in window.page.locator(".attention").all_inner_texts()
        )
        assert window.complaints == []


def test_without_script_one_cancels_a_rotation_blocks_the_token_and_starts_again(
    visit: Visitor, console: Served
) -> None:
    old = console.mint(person_with(console, MANAGER), "Carla's doubtful token")
    assistant = Assistant(console, "cursor-vscode", old)
    assistant.works()
    with visit(MANAGER, java_script_enabled=False) as window:
        carla = walker(console, window, MANAGER)
        begin(carla, old, "Planned rotation")
        carla.page.locator("summary", has_text="Cancel this rotation").click()
        carla.press("Cancel rotation")
        carla.step_is("Cancelled")
        assert "The old token still works" in window.text()
        assert assistant.calls().status == 200
        carla.press("Start a new rotation")
        carla.page.get_by_label("Planned rotation").check()
        carla.press("Start rotation")
        carla.press("Block token")
        carla.page.get_by_label("Reason").fill("Seen in a chat")
        carla.press("Block token")
        carla.sees("Blocked by")
        refused = assistant.calls()
        assert (refused.status, refused.body["error"]["data"]["fault"]) == (401, "blocked")
        carla.page.locator("summary", has_text="Has it leaked?").click()
        carla.press("Treat as leaked")
        carla.step_is("Revoke old token")
        carla.press("Refresh")
        expect(window.page.locator(".rail [aria-current=step]")).to_contain_text("Revoke old token")


def sign_in(visit: Visitor, assistant: HostedAssistant, token: str) -> Assistant:
    """What the assistant is after its user gave it the token on the console's pages."""
    with visit(None) as window:
        window.page.goto(assistant.address)
        give_token(window.page, token)
        allow(window.page, assistant)
    return Assistant(assistant.served, assistant.name, assistant.tokens()["access_token"])


def test_an_assistant_that_signed_in_is_connected_again_in_a_rotation(visit: Visitor, console: Served) -> None:
    old = console.mint(person_with(console, MANAGER), "Carla's token for Probe")
    with hosted_assistant(console) as probe, visit(MANAGER) as window:
        before = sign_in(visit, probe, old)
        before.works()
        carla = walker(console, window, MANAGER)
        begin(carla, old, "Planned rotation")
        carla.press("Create token")
        new = carla.new_token()
        carla.sees("Reconnect Probe (localhost) to give it the new token")
        carla.press("Continue")
        carla.step_is("Update assistants")
        carla.sees("Probe (localhost)")
        # With the new token it is allowed, and not seen at work yet.
        after = sign_in(visit, probe, new)
        carla.press("I’ve updated all assistants")
        carla.step_is("Confirm the new token works")
        before.calls()
        carla.sees("waiting for its first call with the new token")
        after.works()
        carla.step_is("Revoke old token")
        carla.press("Revoke hsk_live")
        carla.step_is("Confirm the old token is unused")
        assert before.calls().status == 401
        assert after.calls().status == 200
        carla.press("Finish rotation")
        carla.step_is("Done")
        window.goto("/connections/authorizations/?state=ended")
        expect(window.page.locator(".rows")).to_contain_text(prefix_of(old))
        window.goto("/connections/authorizations/?state=active")
        expect(window.page.locator(".rows")).to_contain_text(prefix_of(new))
        assert window.complaints == []
