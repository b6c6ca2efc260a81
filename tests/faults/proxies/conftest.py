"""A console behind each of the documented proxies, over TLS, and a client that is not the proxy."""

import contextlib
import http.client
import socket
import ssl
from collections.abc import Callable, Iterator
from contextlib import ExitStack, contextmanager
from dataclasses import dataclass
from functools import partial
from pathlib import Path

import httpx
import pytest

from tests.certificates import self_signed
from tests.faults.conftest import Bench
from tests.faults.proxies.programs import HOST, PROXIES, require, running
from tests.faults.upstream import Hoursmith
from tests.servers import Served, free_port, served_console
from tests.waiting import eventually

# Of this machine as well, and none that the console trusts.
CLIENT = "127.0.0.2"
METRICS_TOKEN = "what monitoring sends"


@dataclass
class Front(Served):
    """A console as a proxy shows it to others."""

    certificate: Path = Path()

    @property
    def url(self) -> str:
        return f"https://{HOST}"

    def tls(self) -> ssl.SSLContext:
        return ssl.create_default_context(cafile=str(self.certificate))

    def connection(self, timeout: float) -> http.client.HTTPConnection:
        front = self

        class Connection(http.client.HTTPSConnection):
            def connect(self) -> None:
                self.sock = front.connected(timeout)

        return Connection(HOST)

    def connected(self, timeout: float = 20) -> ssl.SSLSocket:
        """A new connection to the proxy."""
        plain = socket.create_connection(("127.0.0.1", self.port), timeout, source_address=(CLIENT, 0))
        return self.tls().wrap_socket(plain, server_hostname=HOST)

    def browser(self) -> httpx.Client:
        """A client that keeps cookies, as a browser does."""

        def name_the_host(request: httpx.Request) -> None:
            request.headers["Host"] = HOST
            request.extensions["sni_hostname"] = HOST

        return httpx.Client(
            transport=httpx.HTTPTransport(verify=self.tls(), local_address=CLIENT),
            base_url=f"https://127.0.0.1:{self.port}",
            event_hooks={"request": [name_the_host]},
            timeout=30,
        )


@contextmanager
def in_front_of(upstream: int, folder: Path, needs: Callable[[bool, str], None]) -> Iterator[dict[str, Front]]:
    """All of the proxies, in front of what listens at the port `upstream`."""
    require(needs)
    folder.mkdir()
    certificate = self_signed(folder, names=[HOST])
    fronts = {name: Front(folder / name, free_port(), {}, 1, certificate=certificate) for name in PROXIES}
    with ExitStack() as stack:
        for name, front in fronts.items():
            stack.enter_context(running(name, front.var, front.port, upstream, certificate))
        for front in fronts.values():
            eventually(partial(_answers, front), told=(front.var / "log").read_text)
        yield fronts


def _answers(front: Front) -> bool:
    with front.browser() as browser, contextlib.suppress(httpx.HTTPError):
        return browser.get("/healthz").status_code == 200
    return False


@pytest.fixture(scope="module")
def behind(tmp_path_factory: pytest.TempPathFactory, hoursmith: Hoursmith) -> Iterator[Bench]:
    """A console of two workers that trusts this machine's proxies; with the sandbox's members, but hosted."""
    folder = tmp_path_factory.mktemp("proxies")
    env = {
        "PUBLIC_URL": f"https://{HOST}",
        "TRUSTED_PROXIES": "127.0.0.1",
        "SANDBOX": "on",
        "METRICS_TOKEN": METRICS_TOKEN,
        "AUDIT_WRITE_TIMEOUT_MS": "5000",
    }
    with served_console(folder, env=env, workers=2, start=False) as served:
        served.environment["HOURSMITH_API_URL"] = hoursmith.url
        served.application = "tests.faults.proxies.impatient:application"
        served.start()
        yield Bench(served, hoursmith, served.environment["DATABASE_URL"])


@pytest.fixture(scope="module")
def fronts(
    behind: Bench, tmp_path_factory: pytest.TempPathFactory, needs: Callable[[bool, str], None]
) -> Iterator[dict[str, Front]]:
    """The console behind each of the proxies, by their names."""
    with in_front_of(behind.served.port, tmp_path_factory.mktemp("fronts") / "console", needs) as running:
        yield running


@pytest.fixture(params=sorted(PROXIES))
def front(request: pytest.FixtureRequest, fronts: dict[str, Front]) -> Front:
    """The console behind one of the proxies."""
    return fronts[request.param]
