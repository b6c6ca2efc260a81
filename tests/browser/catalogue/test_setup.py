"""The instructions for a client: the viewer's system is chosen, nothing needs the script, all of it can be copied."""

import json
from collections.abc import Callable, Iterator

import pytest
from playwright.sync_api import Browser, Page

from hoursmith_console.connections.catalogue import MCP_CLIENTS
from tests.browser.catalogue.bench import Bench, bench_in
from tests.interop.node import AXE, NodeUnavailableError, installed_node
from tests.servers import Served

Opened = Callable[..., Bench]
AGENTS = {
    "macos": "MacIntel",
    "windows": "Win32",
    "linux": "Linux x86_64",
}


@pytest.fixture
def opened(served: Served, chromium: Browser) -> Iterator[Opened]:
    """Opens a client's page in a window with Playwright's options; nothing in it may complain."""
    benches: list[Bench] = []

    def window(key: str, *, platform: str = "", **options: object) -> Bench:
        context = chromium.new_context(**options)
        if platform:
            context.add_init_script(
                f"Object.defineProperty(Navigator.prototype, 'platform', {{get: () => '{platform}'}});"
                "Object.defineProperty(Navigator.prototype, 'userAgentData', {get: () => undefined});"
            )
        benches.append(bench_in(context, served))
        benches[-1].open(key)
        return benches[-1]

    yield window
    for bench in benches:
        bench.page.context.close()
        assert bench.complaints == []


def files(page: Page) -> list[str]:
    """The paths that can be seen."""
    return page.locator(".files code").filter(visible=True).all_inner_texts()


@pytest.mark.parametrize("system", AGENTS)
def test_the_viewers_own_system_is_chosen(opened: Opened, system: str) -> None:
    page = opened("zed", platform=AGENTS[system]).page

    assert page.locator(".systems input:checked").get_attribute("value") == system
    places = MCP_CLIENTS["zed"].config_files
    assert files(page) == [paths for place in places for name, paths in place.paths.items() if name.value == system]


def test_another_system_is_chosen_with_the_keyboard(opened: Opened) -> None:
    page = opened("cursor", platform=AGENTS["macos"]).page
    assert page.get_by_text("launchctl setenv").is_visible()

    page.keyboard.press("Tab")
    assert page.evaluate("document.activeElement.value") == "macos"
    page.keyboard.press("ArrowRight")

    assert page.locator(".systems input:checked").get_attribute("value") == "windows"
    # For the configuration with a variable, and for the one that signs in.
    assert files(page) == [r"%USERPROFILE%\.cursor\mcp.json", r".cursor\mcp.json"] * 2
    assert page.get_by_text("setx HOURSMITH_API_TOKEN").is_visible()
    assert not page.get_by_text("launchctl setenv").is_visible()


def test_without_script_every_system_is_shown_and_one_can_be_chosen(opened: Opened) -> None:
    page = opened("codex", java_script_enabled=False).page
    assert files(page) == ["~/.zshrc", "~/.bashrc", "~/.codex/config.toml", r"%USERPROFILE%\.codex\config.toml"]
    assert page.locator(".system-names").first.is_visible()
    assert not page.locator(".merge").is_visible()

    page.get_by_label("Windows").check()

    assert files(page) == [r"%USERPROFILE%\.codex\config.toml"]


def test_what_is_shown_is_what_is_copied(opened: Opened) -> None:
    window = opened("claude-code", platform=AGENTS["linux"], permissions=["clipboard-read", "clipboard-write"])
    page = window.page
    posix = next(
        snippet
        for snippet in MCP_CLIENTS["claude-code"].snippets(url="https://console.example/mcp/c/9d2f61")
        if snippet.language == "sh"
    )

    page.locator(".snippet-box:visible").filter(has_text="claude mcp add").get_by_title("Copy the command").click()

    assert page.evaluate("navigator.clipboard.readText()") == posix.text


@pytest.mark.parametrize("key", ["vscode", "roo-code", "claude-code"])
def test_only_code_scrolls_sideways_on_a_phone(opened: Opened, key: str) -> None:
    window = opened(key, viewport={"width": 360, "height": 740})
    window.give(json.dumps({"mcpServers": {"x": {"url": "https://long" * 20}}}))

    assert window.page.evaluate("document.documentElement.scrollWidth") == 360


@pytest.mark.parametrize(
    "content", ['{"mcpServers": {"hoursmith": {"command": "npx"}}}', "{"], ids=["merged", "refused"]
)
@pytest.mark.parametrize("scheme", ["light", "dark"])
def test_axe_finds_no_serious_fault(
    opened: Opened, scheme: str, content: str, needs: Callable[[bool, str], None]
) -> None:
    try:
        installed_node()
    except NodeUnavailableError as error:
        needs(False, str(error))
    window = opened("cursor", color_scheme=scheme)
    window.give(content)
    window.page.evaluate(AXE.read_text("utf-8"))
    found = window.page.evaluate("axe.run(document, {resultTypes: ['violations']})")

    assert [
        f"{fault['id']}: {node['html'][:160]}"
        for fault in found["violations"]
        if fault["impact"] in ("serious", "critical")
        for node in fault["nodes"]
    ] == []
