"""A console that also serves pages with the catalogue's fragments, and a window on them."""

from collections.abc import Iterator

import pytest
from playwright.sync_api import Browser

from tests.browser.catalogue.bench import Bench, bench_in
from tests.servers import Served, served_console


@pytest.fixture(scope="module")
def served(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Served]:
    environment = {"DJANGO_SETTINGS_MODULE": "tests.browser.catalogue.settings"}
    with served_console(tmp_path_factory.mktemp("catalogue"), env=environment, seed=False) as console:
        yield console


@pytest.fixture(scope="module")
def _window(served: Served, chromium: Browser) -> Iterator[Bench]:
    context = chromium.new_context()
    yield bench_in(context, served)
    context.close()


@pytest.fixture
def bench(served: Served, _window: Bench) -> Iterator[Bench]:
    """A window that fetches nothing but our own script while it merges, and complains about nothing."""
    yield _window
    complaints, requests = list(_window.complaints), list(_window.requests)
    _window.leave()
    assert complaints == []
    script = f"{served.url}/static/console/merge/"
    # The browser fetches the icon when it likes.
    assert [url for url in requests if not url.startswith(("blob:", script)) and not url.endswith(".svg")] == []
