"""A campaign in a real browser: started, shown to owner and assistant, done with real calls, closed."""

import re

from tests.browser.conftest import Visitor
from tests.browser.rotating import Assistant, Walker, until
from tests.faults.conftest import prefix_of
from tests.servers import Served

NOTICE = "app.hoursmith/notice"


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


def told(assistant: Assistant) -> str:
    """What the assistant is to tell its person; empty where nothing."""
    notice: str = assistant.calls().result["_meta"].get(NOTICE, "")
    return notice


def _is_known(console: Served, prefix: str) -> bool:
    """Whether the call is written: it is so within a quarter of a second."""
    asked = "import json\nfrom mcpbridge.models import ObservedToken\n"
    return bool(console.shell(f"{asked}print(json.dumps(ObservedToken.objects.filter(prefix={prefix!r}).exists()))"))
