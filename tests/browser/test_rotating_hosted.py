"""Rotations in front of the hosted service, for which another console's sandbox stands: nothing is pretended."""

from collections.abc import Iterator

import pytest
from playwright.sync_api import Browser

from tests.browser.conftest import Visit
from tests.browser.rotating import Assistant, Walker
from tests.faults.conftest import prefix_of
from tests.servers import Served, served_console

pytestmark = pytest.mark.slow

PASSWORD = "correct horse battery staple"
_ACCOUNT = """
import json
from hoursmith_console.workspaces.models import Member
from hoursmith_console.workspaces.services import account_create
print(json.dumps(account_create(member=Member.objects.get(email={email!r}), password={password!r})))
"""
_REVOKE = """
import json
from hoursmith_console.sandbox.services import token_revoke
print(json.dumps(token_revoke(env="live", prefix={prefix!r})))
"""
_RETIRED = """
import json
from hoursmith_console.rotation.models import Rotation
rotation = Rotation.objects.get(prefix={prefix!r})
print(json.dumps([rotation.new_prefix, rotation.revoked_at is not None, rotation.ending]))
"""


@pytest.fixture(scope="module")
def hosted(console: Served, tmp_path_factory: pytest.TempPathFactory) -> Iterator[Served]:
    env = {
        "HOURSMITH_API_URL": f"{console.url}/sandbox/api/v1",
        "HOURSMITH_TOKENS_URL": f"{console.url}/settings/api",
        "IDENTITY_TTL_S": "0.5",
    }
    with served_console(tmp_path_factory.mktemp("hosted"), env=env) as served:
        served.manage("members_sync", environment={"HOURSMITH_API_TOKEN": console.mint_for("owner")})
        served.shell(_ACCOUNT.format(email=console.person("owner")["email"], password=PASSWORD))
        yield served


@pytest.fixture
def olive(console: Served, hosted: Served, chromium: Browser) -> Iterator[Walker]:
    """The owner, signed in at the hosted console."""
    context = chromium.new_context()
    window = Visit(context.new_page(), hosted.url)
    window.listen()
    window.goto("/accounts/login/")
    window.page.get_by_label("Email").fill(console.person("owner")["email"])
    window.page.get_by_label("Password").fill(PASSWORD)
    window.page.get_by_role("button", name="Sign in", exact=True).click()
    window.page.wait_for_url(f"{hosted.url}/")
    yield Walker(window, PASSWORD)
    context.close()


def revoke_at_hoursmith(console: Served, token: str) -> None:
    """What a person does on Hoursmith's own page."""
    assert console.shell(_REVOKE.format(prefix=prefix_of(token))) is True


def test_the_console_guides_waits_and_believes_the_bridge(console: Served, hosted: Served, olive: Walker) -> None:
    old, new = console.mint_for("owner", "The old one"), console.mint_for("owner", "The new one")
    assistant = Assistant(hosted, "cursor-vscode", old)
    assistant.works()
    olive.opens(f"/rotations/new/?token=live_{prefix_of(old)}")
    olive.page.get_by_label("It is time").check()
    olive.press("Begin")
    olive.step_is("Make a new token")
    assert "Make the new token" not in olive.window.text()
    page = olive.page.get_by_role("link", name="Settings → API").first
    assert (page.get_attribute("href"), page.get_attribute("rel")) == (f"{console.url}/settings/api", "noreferrer")
    assistant.token = new
    assistant.works()
    olive.sees(f"hsk_live_{prefix_of(new)}_••••")
    olive.press("Yes, that is it")
    olive.step_is("Revoke the old token")
    assert "Revoke hsk_live" not in olive.window.text()
    # Said too early: the bridge sees that the old token still works, and the rotation does not end.
    olive.press("I have revoked it")
    olive.step_is("Hear no more of the old")
    olive.page.wait_for_timeout(600)
    assert Assistant(hosted, "Zed", old).knocks().status == 200
    olive.sees("Hoursmith still accepts the old token")
    revoke_at_hoursmith(console, old)
    assert Assistant(hosted, "Zed", old).knocks().status == 401
    olive.sees("Zed still has the old token, last try")
    olive.press("Nobody has it any more")
    olive.step_is("Done")
    assert hosted.shell(_RETIRED.format(prefix=prefix_of(old))) == [prefix_of(new), True, "done"]
    assert assistant.knocks().status == 200
    assert olive.window.complaints == []


def test_after_a_leak_the_bridge_holds_the_token_until_hoursmith_is_reached(
    console: Served, hosted: Served, olive: Walker
) -> None:
    old, new = console.mint_for("owner", "The leaked one"), console.mint_for("owner", "Its successor")
    assistant = Assistant(hosted, "cursor-vscode", old)
    assistant.works()
    olive.opens(f"/rotations/new/?token=live_{prefix_of(old)}&kind=leaked")
    olive.press("Begin")
    olive.step_is("Revoke the old token")
    olive.press("Contain now")
    olive.page.get_by_label("Why?").fill("Pasted into a chat")
    olive.press("Block it now")
    assert assistant.knocks().status == 401
    revoke_at_hoursmith(console, old)
    olive.press("I have revoked it")
    olive.step_is("Make a new token")
    olive.page.locator("summary", has_text="I know its public part").click()
    # A whole token, pasted by mistake, is shortened before it leaves the browser.
    olive.page.get_by_label("The public part of the new token").fill(new)
    olive.press("This is the new token")
    olive.step_is("Update the assistants")
    assistant.token = new
    assistant.works()
    olive.step_is("Done")
    assert new.rsplit("_", 1)[1] not in hosted.output()
