"""Takes the pictures in `docs/images` from a console in which this plays the demo (`make pictures`)."""

import shutil
import sys
import tempfile
from pathlib import Path

from playwright.sync_api import Page, ViewportSize, sync_playwright

from tests.browser.conftest import ARGUMENTS
from tests.paths import ROOT
from tests.servers import Served, served_console

FOLDER = ROOT / "docs/images"
SIZE: ViewportSize = {"width": 1280, "height": 860}


def sign_in(page: Page, console: Served) -> None:
    """As the workspace's Owner."""
    person = console.person("OWNER")
    page.goto(f"{console.url}/accounts/login/")
    page.get_by_label("Email").fill(person["email"])
    page.get_by_label("Password").fill(person["password"])
    page.get_by_role("button", name="Sign in", exact=True).click()
    page.wait_for_url(f"{console.url}/")


def take(page: Page, console: Served, name: str, address: str) -> None:
    """The top of one page, under the name it has in the documents."""
    page.goto(console.url + address, wait_until="load")
    page.screenshot(path=FOLDER / f"{name}.png")
    sys.stdout.write(f"docs/images/{name}.png\n")


def first(page: Page, console: Served, area: str, query: str = "") -> str:
    """The address of the newest record of an area, of those that fit the filters in `query`."""
    page.goto(f"{console.url}/{area}/{query}", wait_until="load")
    address = page.locator(".rows .what a").first.get_attribute("href")
    assert address is not None
    return address


def main() -> None:
    folder = Path(tempfile.mkdtemp(prefix="console-pictures-"))
    try:
        with served_console(folder, env={"SANDBOX_RATE_LIMITS": "off"}) as console, sync_playwright() as playwright:
            console.manage("play_demo")
            browser = playwright.chromium.launch(executable_path=shutil.which("chromium"), args=ARGUMENTS)
            page = browser.new_page(viewport=SIZE, color_scheme="light")
            sign_in(page, console)
            take(page, console, "overview", "/")
            take(page, console, "token", first(page, console, "tokens"))
            take(page, console, "deletion", first(page, console, "audit", "?what=destroyed&outcome=succeeded"))
            take(page, console, "connect", "/connections/new/")
            page.goto(f"{console.url}{first(page, console, 'tokens')}")
            rotate = page.get_by_role("link", name="Rotate").first.get_attribute("href")
            assert rotate is not None
            take(page, console, "rotate", rotate)
            browser.close()
    finally:
        shutil.rmtree(folder, ignore_errors=True)


if __name__ == "__main__":
    main()
