"""Finds the pages that a person can reach by following links, one of each kind."""

from collections import deque
from collections.abc import Iterator
from urllib.parse import urlsplit

from tests.browser.conftest import Visit
from tests.page_walk import kind_of

_NOT_PAGES = ("/accounts/logout/", "/audit/key", "/connect/", "/static/", "/mcp", "/sandbox/")


def pages(window: Visit, *, start: str = "/", at_most: int = 80) -> Iterator[str]:
    """Addresses reachable from `start`, the first of each kind, each opened in `window` when it is given out."""
    waiting, known = deque([start]), {kind_of(start)}
    while waiting and len(known) <= at_most:
        address = waiting.popleft()
        window.goto(address)
        yield address
        for link in window.page.eval_on_selector_all("main a[href], nav a[href], header a[href]", _LINKS):
            path = urlsplit(link).path
            if link.startswith(f"{window.url}/") and not path.startswith(_NOT_PAGES) and kind_of(link) not in known:
                known.add(kind_of(link))
                # With its query: some pages are about what it names.
                waiting.append(link.removeprefix(window.url))


_LINKS = "links => links.filter(link => !link.hasAttribute('download')).map(link => link.href)"
