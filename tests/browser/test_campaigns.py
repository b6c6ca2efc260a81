"""A campaign in a real browser: started, shown to owner and assistant, done with real calls, closed."""

import re

from tests.browser.clicks import Person
from tests.browser.conftest import Visitor
from tests.browser.rotating import Assistant, Walker, until
from tests.faults.conftest import prefix_of
from tests.servers import Served

NOTICE = "app.hoursmith/notice"
# Two tokens of the manager that no assistant has used for forty days.
IDLE = """
import json
from datetime import timedelta
from django.utils import timezone
from hoursmith_console.tokens.services import claim_token
from hoursmith_console.workspaces.models import Member
from mcpbridge.models import ObservedToken
member, now = Member.objects.filter(role="MANAGER").last(), timezone.now()
for number in range(2):
    token = ObservedToken.objects.create(
        env="live", prefix=f"idle{number:08d}", org_id=member.workspace.org_id, token_name=f"Idle {number}",
        role=member.role, scopes=["read"],
        first_used_at=now - timedelta(days=90), last_used_at=now - timedelta(days=40),
    )
    claim_token(env="live", prefix=token.prefix, member=member, source="minted")
print(json.dumps(1))
"""


def test_a_campaign_is_started_followed_and_closed(visit: Visitor, console: Served) -> None:
    manager = [each for each in console.people if each["role"] == "MANAGER"][-1]
    owner = console.person("OWNER")
    old = console.mint(manager["email"], "Campaign laptop")
    claim = (
        "import json\nfrom hoursmith_console.tokens.services import claim_token\n"
        "from hoursmith_console.workspaces.models import Member\n"
        f"member = Member.objects.get(email={manager['email']!r})\n"
        f"claim_token(env='live', prefix={prefix_of(old)!r}, member=member, source='minted')\nprint(json.dumps(1))"
    )
    console.shell(claim)
    assistant = Assistant(console, "Campaign Client", old)
    assert not told(assistant)
    until(lambda: _is_known(console, prefix_of(old)))
    with visit() as window:
        ana = Walker(window, owner["password"])
        window.goto("/rotations/campaigns/")
        ana.press("New campaign")
        window.page.get_by_label("Assistant").select_option("Campaign Client")
        ana.press("Preview")
        ana.sees("1 matching token")
        ana.press("Send request")
        ana.sees("0 of 1 done, 1 open")
        ana.sees(manager["name"])
        board = window.page.url.removeprefix(window.url)
        said = rf"token hsk_live_{prefix_of(old)}_•+ of this assistant must be rotated by \d+ \w+ 20"
        assert re.search(said, told(assistant))
    with visit("MANAGER") as window:
        carla = Walker(window, manager["password"])
        window.goto("/")
        ask = window.page.locator(".todo li", has_text="Campaign laptop").filter(has_text="Rotate your token")
        ask.get_by_role("link", name="Start rotation").click()
        carla.step_is("Create new token")
        carla.press("Create token")
        assistant.token = carla.new_token()
        assistant.works()
        assert not told(assistant)
        carla.press("Continue")
        carla.step_is("Revoke old token")
        carla.press("Revoke hsk_live")
        carla.press("Finish rotation")
        carla.step_is("Done")
    with visit() as window:
        ana = Walker(window, owner["password"])
        window.goto(board)
        ana.sees("1 of 1 done, 0 open")
        ana.press("Close campaign")
        ana.sees(f"Final result (closed by {owner['name']}")
        assert assistant.calls().status == 200
        assert window.complaints == []


def test_idle_tokens_are_revoked_at_their_owners_request_in_four_clicks(visit: Visitor, console: Served) -> None:
    owner = console.person("OWNER")
    console.shell(IDLE)
    with visit() as window:
        ana = Person(window.page, owner["password"])
        window.goto("/tokens/")
        ana.click("Idle for 30 days 2")
        ana.click("Select all 2 that match")
        ana.click("Request revocation", within="main")
        ana.sees("Revoke 2 tokens")
        ana.click("Request revocation", within="main")
        ana.sees("2 of 2 · Revocation requested: 2")
        assert ana.clicks <= 4, ana.story
        assert window.complaints == []
    with visit("MANAGER") as window:
        carla = Walker(window, [each for each in console.people if each["role"] == "MANAGER"][-1]["password"])
        window.goto("/")
        ask = window.page.locator(".todo li", has_text="Idle 0").filter(has_text="Revoke your token")
        ask.get_by_role("link", name="Start revocation").click()
        carla.step_is("Revoke old token")


def told(assistant: Assistant) -> str:
    """What the assistant is to tell its person; empty where nothing."""
    notice: str = assistant.calls().result["_meta"].get(NOTICE, "")
    return notice


def _is_known(console: Served, prefix: str) -> bool:
    """Whether the call is written: it is so within a quarter of a second."""
    asked = "import json\nfrom mcpbridge.models import ObservedToken\n"
    return bool(console.shell(f"{asked}print(json.dumps(ObservedToken.objects.filter(prefix={prefix!r}).exists()))"))
