"""A page of the catalogue in a real browser, and what becomes of the files that are given to it."""

import json
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from playwright.sync_api import BrowserContext, Page, expect

from tests.servers import Served


@dataclass
class Bench:
    """One window. `requests` is everything that it fetched since the page stood."""

    page: Page
    url: str
    complaints: list[str]
    requests: list[str]

    def open(self, key: str) -> None:
        self.page.goto(f"{self.url}/try/{key}/", wait_until="load")
        self.requests.clear()

    def leave(self) -> None:
        """Leave the window as a new one is, for the next test."""
        self.page.unroute_all()
        self.page.goto(f"{self.url}/healthz")
        self.page.evaluate("localStorage.clear(); sessionStorage.clear()")
        self.complaints.clear()
        self.requests.clear()

    def pick(self, content: str | bytes, name: str = "mcp.json") -> None:
        """Pick a file of this content."""
        raw = content.encode() if isinstance(content, str) else content
        picked: Any = {"name": name, "mimeType": "text/plain", "buffer": raw}
        self.page.locator("input[type=file]").set_input_files(picked)

    def give(self, content: str | bytes, name: str = "mcp.json") -> None:
        """Pick a file of this content, and wait for what the page says."""
        self.pick(content, name)
        expect(self.page.locator(".merge-status")).not_to_have_text("", timeout=30_000)

    def drop(self, content: str, name: str = "mcp.json") -> None:
        """Drop a file of what the script `content` gives, made in the page; wait for what the page says."""
        self.page.evaluate(
            """(name) => {
                const dragged = new DataTransfer();
                dragged.items.add(new File([content], name));
                const event = new DragEvent("drop", { dataTransfer: dragged, bubbles: true, cancelable: true });
                document.querySelector(".drop").dispatchEvent(event);
            }""".replace("[content]", f"[{content}]"),
            name,
        )
        expect(self.page.locator(".merge-status")).not_to_have_text("", timeout=60_000)

    def said(self) -> str:
        return self.page.locator(".merge-status").inner_text()

    def has_result(self) -> bool:
        return self.page.locator(".merge-result").is_visible()

    def refused(self) -> str:
        """The entry that is shown where a file is refused."""
        return self.page.locator(".merge-refusal pre").filter(visible=True).text_content() or ""

    def snippet(self) -> str:
        """The configuration as the page was told it."""
        told = self.page.locator("[data-merge] script").text_content() or ""
        return str(json.loads(told)["text"])

    def got(self) -> tuple[str, str]:
        """Name and content of the file that is handed back."""
        with self.page.expect_download() as waiting:
            self.page.locator("a[download]").click()
        path = Path(waiting.value.path())
        return waiting.value.suggested_filename, path.read_bytes().decode()

    def merged(self, content: str | bytes, name: str = "mcp.json") -> str:
        """The content after merging; as it was where nothing had to change."""
        self.give(content, name)
        if not self.has_result():
            assert "already up to date" in self.said(), self.said()
            return content if isinstance(content, str) else content.decode()
        made_name, made = self.got()
        assert made_name == name
        return made

    def difference(self) -> list[tuple[str, str]]:
        """The rows that changed: mark and line."""
        rows = self.page.locator(".diff > ins, .diff > del").all_text_contents()
        return [(row[0], row[1:].split(": ", 1)[1].rstrip("\n")) for row in rows]


def bench_in(context: BrowserContext, served: Served) -> Bench:
    """A new window of `context`; what it complains about and fetches is noted."""
    found = Bench(context.new_page(), served.url, [], [])
    found.page.on("console", lambda message: found.complaints.append(message.text))
    found.page.on("pageerror", lambda error: found.complaints.append(str(error)))
    found.page.on("request", lambda request: found.requests.append(request.url))
    return found
