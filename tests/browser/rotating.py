"""Assistants that use a token, and a person who walks through a rotation in a browser."""

import time
from collections.abc import Callable
from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass, field

from playwright.sync_api import Locator, Page, expect

from tests.browser.conftest import Visit
from tests.faults.mcp import Answer, call_tool
from tests.interop.clients import Seen, python_over_http
from tests.servers import Served

PATIENCE_MS = 15_000
MOST_KEYS = 80
_OPEN_CONNECTION = """
import json
from hoursmith_console.connections.models import Connection
from hoursmith_console.workspaces.models import Member
from mcpbridge.activity.connections import open_connection
member = Member.objects.get(email={email!r})
slug = open_connection(org_id=member.workspace.org_id).slug
Connection.objects.create(workspace=member.workspace, owner=member, slug=slug, client={client!r}, label={label!r})
print(json.dumps(slug))
"""


@dataclass
class Assistant:
    """An assistant with a token in its configuration, on a connection of its own or without one."""

    served: Served
    name: str
    token: str
    connection: str = ""

    @property
    def path(self) -> str:
        return f"/mcp/c/{self.connection}" if self.connection else "/mcp"

    def works(self) -> Seen:
        """Connect with the official client, list the tools, call one."""
        # On a thread of its own: the browser's driver has an event loop here.
        with ThreadPoolExecutor(1) as pool:
            work = pool.submit(
                python_over_http,
                self.served.url + self.path,
                self.token,
                mode="auto",
                name=self.name,
                steps=(("get_me", {}),),
            )
            return work.result(timeout=60)

    def calls(self) -> Answer:
        """Call one tool, whatever comes of it."""
        return call_tool(self.served, self.token, "get_me", path=self.path, client=self.name)


def open_connection(served: Served, *, email: str, client: str, label: str) -> str:
    """The id of a new connection."""
    slug: str = served.shell(_OPEN_CONNECTION.format(email=email, client=client, label=label))
    return slug


@dataclass
class Walker:
    """A person at a rotation's page."""

    window: Visit
    password: str
    has_mouse: bool = True
    page: Page = field(init=False)

    def __post_init__(self) -> None:
        self.page = self.window.page
        self.page.set_default_timeout(PATIENCE_MS)

    def press(self, name: str) -> None:
        """Press a button or link of the page's main part, and give the password where it is asked for."""
        main = self.page.locator("main")
        wanted = main.get_by_role("button", name=name).or_(main.get_by_role("link", name=name)).first
        if self.has_mouse:
            wanted.click()
        else:
            self._reach(wanted)
            with self.page.expect_navigation():
                self.page.keyboard.press("Enter")
        self.page.wait_for_load_state()
        if "/accounts/reauthenticate/" in self.page.url and self.page.get_by_label("Password").count():
            self.page.get_by_label("Password").fill(self.password)
            self.page.get_by_role("button", name="Continue").click()
            self.page.wait_for_load_state()

    def choose(self, label: str) -> None:
        """Choose one of several."""
        wanted = self.page.get_by_label(label)
        if self.has_mouse:
            wanted.check()
            return
        # Tab leads into the group, the arrows from one to the next.
        self._reach(self.page.locator("main [type=radio]").first)
        for _ in range(MOST_KEYS):
            if wanted.is_checked():
                return
            self.page.keyboard.press("ArrowDown")
        raise AssertionError(f"{label} cannot be chosen with the arrows")

    def _reach(self, wanted: Locator) -> None:
        """Go there with the Tab key alone, and see that the place is marked."""
        expect(wanted).to_be_visible()
        for _ in range(MOST_KEYS):
            if wanted.evaluate("element => element === document.activeElement"):
                assert wanted.evaluate("element => getComputedStyle(element).outlineStyle") != "none"
                return
            self.page.keyboard.press("Tab")
        raise AssertionError("The Tab key does not lead there")

    def opens(self, address: str) -> None:
        """Open a page that is there as soon as the bridge has written down the calls before."""

        # Asked without showing each answer.
        until(lambda: self.page.request.get(self.window.url + address).ok)
        self.window.goto(address)

    def step_is(self, title: str) -> None:
        """Wait until the page, by itself, shows the step."""
        expect(self.page.locator("#step-title")).to_have_text(title, timeout=PATIENCE_MS)

    def sees(self, text: str) -> None:
        """Wait until the page, by itself, says so."""
        expect(self.page.locator("main")).to_contain_text(text, timeout=PATIENCE_MS)

    def new_token(self) -> str:
        """The token that the page shows."""
        return self.page.locator("#minted-token").inner_text().strip()


def until(check: Callable[[], bool], seconds: float = 20) -> None:
    """Wait for a condition."""
    end = time.monotonic() + seconds
    while not check():
        assert time.monotonic() < end
        time.sleep(0.05)
