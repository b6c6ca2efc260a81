"""Rotations with the hosted service, for which another console's sandbox stands in."""

from collections.abc import Callable, Iterator

import pytest
from playwright.sync_api import Browser

from tests.browser.conftest import Visit
from tests.browser.rotating import Assistant, Walker
from tests.faults.conftest import prefix_of
from tests.revoking import revoke_at_hoursmith
from tests.servers import Served

PASSWORD = "correct horse battery staple"
_ACCOUNT = """
import json
from hoursmith_console.workspaces.models import Member
from hoursmith_console.workspaces.services import create_account
print(json.dumps(create_account(member=Member.objects.get(email={email!r}), password={password!r})))
"""
_STATE = """
import json
from hoursmith_console.rotations.models import Rotation
rotation = Rotation.objects.filter(prefix={prefix!r}).order_by("pk").last()
print(json.dumps([rotation.new_prefix, rotation.revoked_at is not None, rotation.outcome]))
"""


@pytest.fixture(scope="module")
def hosted(console: Served, hosted_console: Served) -> Served:
    hosted_console.start()
    hosted_console.manage("members_sync", environment={"HOURSMITH_API_TOKEN": console.mint_for("owner")})
    for person in console.people:
        hosted_console.shell(_ACCOUNT.format(email=person["email"], password=PASSWORD))
    return hosted_console


Entering = Callable[[str], Walker]


@pytest.fixture
def enter(hosted: Served, chromium: Browser) -> Iterator[Entering]:
    """Signs a person in at the hosted console, by their address."""
    contexts = []

    def signed_in(email: str) -> Walker:
        contexts.append(chromium.new_context())
        window = Visit(contexts[-1].new_page(), hosted.url)
        window.listen()
        window.goto("/accounts/login/")
        window.page.get_by_label("Email").fill(email)
        window.page.get_by_label("Password").fill(PASSWORD)
        window.page.get_by_role("button", name="Sign in", exact=True).click()
        window.page.wait_for_url(f"{hosted.url}/")
        return Walker(window, PASSWORD)

    yield signed_in
    for context in contexts:
        context.close()


@pytest.fixture
def olive(console: Served, enter: Entering) -> Walker:
    """The owner, signed in at the hosted console."""
    return enter(console.person("owner")["email"])


def rotation_state(hosted: Served, token: str) -> list[object]:
    """The new token's prefix, whether the old token counts as revoked, and how the rotation ended."""
    found: list[object] = hosted.shell(_STATE.format(prefix=prefix_of(token)))
    return found


def show(walker: Walker, token: str) -> None:
    """Show the new token, once."""
    walker.page.get_by_label("New token", exact=True).fill(token)
    walker.press("Verify token")


def claim(walker: Walker, token: str) -> None:
    """Show a token on the page that says whose it is."""
    walker.opens("/tokens/claim/")
    walker.page.get_by_label("Token", exact=True).fill(token)
    walker.press("Claim token")


def test_the_console_guides_waits_and_believes_the_bridge(console: Served, hosted: Served, olive: Walker) -> None:
    old, new = console.mint_for("owner", "The old one"), console.mint_for("owner", "The new one")
    assistant = Assistant(hosted, "cursor-vscode", old)
    assistant.works()
    path = begin(olive, old)
    assert "Create token" not in olive.window.text()
    page = olive.page.get_by_role("link", name="Settings → API").first
    assert (page.get_attribute("href"), page.get_attribute("rel")) == (f"{console.url}/settings/api", "noreferrer")
    assistant.token = new
    assistant.works()
    olive.sees("New token without a known owner detected")
    show(olive, new)
    olive.step_is("Revoke old token")
    assert "Revoke hsk_live" not in olive.window.text()
    # Said too early: the bridge sees that the old token still works, and the rotation does not end.
    olive.press("I have revoked it")
    olive.step_is("Confirm the old token is unused")
    olive.sees("You reported on")
    olive.page.wait_for_timeout(600)
    assert Assistant(hosted, "Zed", old).calls().status == 200
    olive.sees("Hoursmith still accepts the old token")
    olive.opens("/tokens/?state=current")
    olive.sees("reported as revoked, still accepted")
    olive.opens(path)
    olive.press("Undo “I have revoked it”")
    olive.step_is("Revoke old token")
    revoke_at_hoursmith(console, old)
    olive.press("I have revoked it")
    assert Assistant(hosted, "Zed", old).calls().status == 401
    olive.sees("Zed still has the old token, last attempt")
    olive.press("Finish rotation")
    olive.step_is("Done")
    assert rotation_state(hosted, old) == [prefix_of(new), True, "done"]
    assert assistant.calls().status == 200
    assert olive.window.complaints == []


def test_after_a_leak_the_bridge_holds_the_token_until_hoursmith_is_reached(
    console: Served, hosted: Served, olive: Walker
) -> None:
    old, new = console.mint_for("owner", "The leaked one"), console.mint_for("owner", "Its new token")
    assistant = Assistant(hosted, "cursor-vscode", old)
    assistant.works()
    claim(olive, old)
    olive.opens(f"/rotations/new/?token=live_{prefix_of(old)}&kind=leaked")
    olive.page.get_by_label("Note (optional)").fill("Pasted into a chat")
    olive.press("Rotate now")
    olive.step_is("Revoke old token")
    olive.sees("Pasted into a chat")
    assert assistant.calls().status == 401
    revoke_at_hoursmith(console, old)
    olive.press("I have revoked it")
    olive.step_is("Create new token")
    show(olive, new)
    olive.step_is("Update assistants")
    assistant.token = new
    assistant.works()
    # Blocked here, the old token never came to Hoursmith again: nothing but a word says that it is revoked.
    olive.step_is("Confirm the old token is unused")
    olive.press("Finish rotation")
    olive.step_is("Done")
    assert new.rsplit("_", 1)[1] not in hosted.output()


def begin(walker: Walker, token: str) -> str:
    """Claim a token and begin its planned rotation; the path of its page."""
    claim(walker, token)
    walker.opens(f"/rotations/new/?token=live_{prefix_of(token)}")
    walker.page.get_by_label("Planned rotation").check()
    walker.press("Start rotation")
    walker.step_is("Create new token")
    return walker.page.url.removeprefix(walker.window.url)


def test_a_colleagues_prefix_is_typed_in_vain(console: Served, hosted: Served, enter: Entering) -> None:
    """Both are Members, and both use Cursor: neither role nor name tells their tokens apart."""
    dmitri, elif_ = [person["email"] for person in console.people if person["role"] == "MEMBER"][:2]
    tokens = [console.mint(dmitri, "Dmitri's"), console.mint(elif_, "Elif's old"), console.mint(elif_, "Elif's new")]
    old, others_old, others_new = tokens
    for token in (old, others_old):
        Assistant(hosted, "cursor-vscode", token).works()
    attacker, victim = enter(dmitri), enter(elif_)
    begin(victim, others_old)
    path = begin(attacker, old)
    page = attacker.page
    form = {"csrfmiddlewaretoken": page.locator("main [name=csrfmiddlewaretoken]").first.input_value()}
    for field in ("public", "prefix", "token", "claim"):
        typed = {**form, field: f"hsk_live_{prefix_of(others_new)}"}
        page.request.post(f"{hosted.url}{path}new-token/", form=typed, headers={"Referer": page.url})
    assert rotation_state(hosted, old) == ["", False, ""]
    Assistant(hosted, "cursor-vscode", others_new).works()
    # The one whose token it is shows it, and nobody was there before them.
    show(victim, others_new)
    victim.step_is("Revoke old token")
    assert rotation_state(hosted, others_old)[0] == prefix_of(others_new)
    attacker.opens(path)
    assert prefix_of(others_new) not in page.content()
    attacker.step_is("Create new token")


def test_a_cancelled_rotation_is_resumed_and_a_wrong_new_token_replaced(
    console: Served, hosted: Served, olive: Walker
) -> None:
    old, wrong, right = (console.mint_for("owner", name) for name in ("Old", "Wrong", "Right"))
    Assistant(hosted, "cursor-vscode", old).works()
    path = begin(olive, old)
    show(olive, wrong)
    olive.step_is("Update assistants")
    olive.page.locator("summary", has_text="Wrong new token?").click()
    olive.page.get_by_label("New token", exact=True).fill(right)
    olive.press("Use this token instead")
    assert rotation_state(hosted, old) == [prefix_of(right), False, ""]
    olive.page.locator("summary", has_text="Cancel this rotation").click()
    olive.press("Cancel rotation")
    olive.step_is("Cancelled")
    olive.press("Resume rotation")
    olive.step_is("Update assistants")
    assert olive.page.url.removeprefix(hosted.url) == path
    assert rotation_state(hosted, old) == [prefix_of(right), False, ""]
