"""Every page that can be reached by links: judged by axe-core in light and in dark, and by a finger on a phone."""

from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest
from playwright.sync_api import ViewportSize

from tests.browser.authorizing import give_token, hosted_assistant
from tests.browser.conftest import Visit, Visitor
from tests.browser.crawl import pages
from tests.interop.node import AXE, NodeUnavailableError, installed_node
from tests.servers import Served

SERIOUS = ("serious", "critical")
DESKTOP, PHONE = ViewportSize(width=1280, height=720), ViewportSize(width=390, height=844)
TARGETS = (Path(__file__).parent / "targets.js").read_text(encoding="utf-8")


@pytest.fixture(scope="module")
def axe(needs: Callable[[bool, str], None]) -> str:
    """The checker's source. Evaluated by the debugger, so that the pages' strict policy stays as it is."""
    try:
        installed_node()
    except NodeUnavailableError as error:
        needs(False, str(error))
    return AXE.read_text(encoding="utf-8")


def _faults(window: Visit, axe: str, rules: list[str]) -> list[str]:
    """What is wrong with the page that is open; only by `rules`, where there are any."""
    if not window.page.evaluate("'axe' in window"):
        window.page.evaluate(axe)
    options = {"resultTypes": ["violations"], **({"runOnly": rules} if rules else {})}
    found: dict[str, Any] = window.page.evaluate("options => axe.run(document, options)", options)
    return [
        f"{fault['id']}: {fault['help']} – {node['html'][:160]}"
        for fault in found["violations"]
        if fault["impact"] in SERIOUS
        for node in fault["nodes"][:3]
    ]


def _missed_on_a_phone(window: Visit) -> list[str]:
    """The targets of the page that is open that are too small for a finger, and whether it scrolls sideways."""
    window.page.set_viewport_size(PHONE)
    found: list[str] = window.page.evaluate(TARGETS)
    window.page.set_viewport_size(DESKTOP)
    return [f"phone: {each}" for each in found]


@pytest.mark.parametrize("role", ["OWNER", "MEMBER"])
def test_no_page_has_a_serious_fault(visit: Visitor, axe: str, role: str) -> None:
    faults: dict[str, list[str]] = {}
    seen: list[str] = []
    with visit(role, reduced_motion="reduce") as window:
        for address in pages(window):
            found = _faults(window, axe, [])
            if role == "OWNER":
                # What is dark changes colours alone.
                window.page.emulate_media(color_scheme="dark")
                found += [f"dark: {fault}" for fault in _faults(window, axe, ["color-contrast"])]
                window.page.emulate_media(color_scheme="light")
                found += _missed_on_a_phone(window)
            if found or window.complaints:
                faults[address] = [*found, *window.complaints]
                window.complaints.clear()
            seen.append(address)
    for area in ("tokens", "audit", "activity") if role == "OWNER" else ():
        assert sum(address.startswith(f"/{area}/") for address in seen) >= 2, seen
    assert not faults, "\n".join(f"{address}\n  " + "\n  ".join(found) for address, found in faults.items())


def test_the_pages_on_which_an_assistant_asks_have_none_either(
    console: Served, visit: Visitor, tokens: dict[str, str], axe: str
) -> None:
    faults = []
    with hosted_assistant(console) as assistant, visit(None, reduced_motion="reduce") as window:
        page = window.page

        def look() -> None:
            page.emulate_media(color_scheme="light")
            faults.extend([*_faults(window, axe, []), *_missed_on_a_phone(window)])
            page.emulate_media(color_scheme="dark")
            faults.extend(f"dark: {fault}" for fault in _faults(window, axe, ["color-contrast"]))

        page.goto(assistant.address)
        look()
        give_token(page, "hsk_live_wrong")
        look()
        give_token(page, tokens["OWNER"])
        look()
        page.goto(f"{console.url}/authorize")
        look()
        page.goto(assistant.address)
        page.route(f"{assistant.callback}?**", lambda route: route.abort("aborted"))
        page.get_by_role("button", name="Deny access").click()
        page.get_by_text("Access denied").first.wait_for()
        look()
    assert not faults, "\n".join(faults)
