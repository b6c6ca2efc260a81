"""A real Chromium in front of a served console whose assistants have worked."""

import functools
import shutil
from collections import defaultdict
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from dataclasses import dataclass, field
from typing import Any

import pytest
from playwright.sync_api import Browser, ConsoleMessage, Page, Request, Response, sync_playwright

from tests.faults.mcp import call_tool
from tests.servers import Served
from tests.token_shapes import assembled_token

ARGUMENTS = ["--no-sandbox", "--disable-background-networking", "--disable-gpu"]
SENTENCE = "Vandelay Industries"


@dataclass
class Visit:
    """A browser window, and everything that it complained about or fetched."""

    page: Page
    url: str
    complaints: list[str] = field(default_factory=list)
    requests: list[str] = field(default_factory=list)
    transferred: int = 0

    def goto(self, address: str) -> None:
        """Open `address` of the console; what was fetched before is forgotten."""
        self.requests.clear()
        self.transferred = 0
        self.page.goto(self.url + address, wait_until="load")

    def text(self) -> str:
        """What the page's main part says."""
        return " ".join(self.page.locator("main").inner_text().split())

    def leave(self) -> None:
        """Leave the window as a new one is, for who uses it next."""
        for page in self.page.context.pages:
            if page is not self.page:
                page.close()
        self.page.unroute_all()
        self.page.goto(f"{self.url}/healthz")
        self.page.evaluate("localStorage.clear(); sessionStorage.clear()")
        self.page.context.clear_cookies()
        for noted in (self.complaints, self.requests):
            noted.clear()

    def listen(self) -> None:
        """Note what the browser complains about and fetches from now on."""
        self.page.on("console", self._note)
        self.page.on("pageerror", lambda error: self.complaints.append(str(error)))
        self.page.on("request", self._asked)
        self.page.on("response", self._answered)

    def _note(self, message: ConsoleMessage) -> None:
        if message.type in ("error", "warning"):
            self.complaints.append(message.text)

    def _asked(self, request: Request) -> None:
        self.requests.append(request.url)

    def _answered(self, response: Response) -> None:
        self.transferred += int(response.header_value("content-length") or 0)


Visitor = Callable[..., Any]


@pytest.fixture(scope="module")
def chromium(needs: Callable[[bool, str], None]) -> Iterator[Browser]:
    """One browser a module: Playwright's event loop must not outlive tests that do not use it."""
    path = shutil.which("chromium") or shutil.which("chromium-browser") or shutil.which("google-chrome")
    needs(path is not None, "There is no Chromium on this machine (Debian: apt-get install chromium).")
    with sync_playwright() as playwright:
        browser = playwright.chromium.launch(executable_path=path, args=ARGUMENTS)
        yield browser
        browser.close()


@pytest.fixture(scope="module")
def tokens(console: Served) -> dict[str, str]:
    """The tokens, by role, with which assistants have worked: called, created, deleted, been refused."""
    tokens = {role: console.mint_for(role, f"{role.capitalize()}'s laptop") for role in ("OWNER", "MANAGER")}
    owner = functools.partial(call_tool, console, tokens["OWNER"], client="Claude Desktop")
    made = owner("create_client", {"name": SENTENCE, "notes": "Ask for Art.", "currency": "USD"})
    owner("list_clients", {"limit": 5})
    owner("delete_client", {"id": made.result["structuredContent"]["data"]["id"]})
    manager = functools.partial(call_tool, console, tokens["MANAGER"], client="Cursor")
    projects = manager("list_projects", {"limit": 200}).result["structuredContent"]["data"]
    busy = manager("list_clients", {"limit": 200}).result["structuredContent"]["data"]
    for number in range(60):
        manager("get_project", {"id": projects[number % len(projects)]["id"]})
    for client in busy[:3]:
        manager("delete_client", {"id": client["id"]})
    prefix = tokens["MANAGER"].split("_")[2]
    call_tool(console, assembled_token(prefix=prefix), "get_me", client="Cursor")
    return tokens


@pytest.fixture(scope="module")
def windows() -> Iterator[dict[str, list[Visit]]]:
    """The windows that nobody uses now, by what they were opened for.

    Each test has them as new: for a window that is new indeed, Chromium works a second before it shows a page.
    """
    free: dict[str, list[Visit]] = defaultdict(list)
    yield free
    for window in (each for kind in free.values() for each in kind):
        window.page.context.close()


def _kind(role: str | None, options: dict[str, Any]) -> str:
    return f"{role} {sorted(options.items())}"


def open_window(chromium: Browser, url: str, **options: Any) -> Visit:
    """Open a window that notes what it complains about. The options are Playwright's."""
    window = Visit(chromium.new_context(**options).new_page(), url)
    window.listen()
    return window


@pytest.fixture(scope="module")
def signed_in(
    console: Served, chromium: Browser, tokens: dict[str, str], windows: dict[str, list[Visit]]
) -> Callable[[str], Any]:
    """The cookies of a person by role; each signs in once, since sign-ins are throttled."""

    @functools.cache
    def cookies(role: str) -> Any:
        window = open_window(chromium, console.url)
        person = [each for each in console.people if each["role"] == role][-1]
        window.goto("/accounts/login/")
        window.page.get_by_label("Email").fill(person["email"])
        window.page.get_by_label("Password").fill(person["password"])
        window.page.get_by_role("button", name="Sign in", exact=True).click()
        window.page.wait_for_url(f"{console.url}/")
        kept = window.page.context.cookies()
        window.leave()
        windows[_kind(role, {})].append(window)
        return kept

    return cookies


@pytest.fixture
def visit(
    console: Served, chromium: Browser, signed_in: Callable[[str], Any], windows: dict[str, list[Visit]]
) -> Visitor:
    """Opens windows for people by role; None is a passer-by. Other options are Playwright's.

    A test that emulates media or listens to a page takes a window with options of its own.
    """

    @contextmanager
    def opened(role: str | None = "OWNER", **options: Any) -> Iterator[Visit]:
        cookies = signed_in(role) if role else []
        free = windows[_kind(role, options)]
        window = free.pop() if free else open_window(chromium, console.url, **options)
        size = window.page.viewport_size
        window.page.context.add_cookies(cookies)
        try:
            yield window
            if size:
                window.page.set_viewport_size(size)
            window.leave()
        except BaseException:
            window.page.context.close()
            raise
        free.append(window)

    return opened
