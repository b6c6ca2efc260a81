"""The two consoles of a clean machine: a newcomer's own, and the one that an operator sets up by the manual."""

import os
import re
import shlex
import signal
import subprocess
import time
import urllib.request
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from pathlib import Path

import httpx

from tests.clean_machine.machine import Machine
from tests.clean_machine.manual import blocks, section, with_values
from tests.hoursmith_console.connections.test_served import field, sign_in
from tests.servers import free_port

PROGRAM = "/opt/hoursmith-console/bin/hoursmith-console"
PUBLIC_URL = "https://console.example.com"
PASSWORD = "a long and plain sentence"
UNIT = "/etc/systemd/system/hoursmith-console.service"
START_TIMEOUT_S = 240
_FIRST_START = "First start in production"


def is_ready(port: int) -> bool:
    """Return whether the console at `port` is ready just now."""
    try:
        with urllib.request.urlopen(f"http://127.0.0.1:{port}/readyz", timeout=5) as answer:
            return bool(answer.status == 200)
    except OSError:
        # Asked again at once, it would take a share of the processor from what it waits for.
        time.sleep(0.2)
        return False


def wait_until_ready(port: int, told: Callable[[], str], *, is_running: Callable[[], bool] = lambda: True) -> None:
    """Return once the console at `port` is ready; fail with what it has told where it is not, or has ended."""
    until = time.monotonic() + START_TIMEOUT_S
    while not is_ready(port):
        assert is_running(), told()
        assert time.monotonic() < until, told()


class Newcomer:
    """A user of the machine who serves the console to try it, with no setting but a free port."""

    user = "ana"
    data = f"/home/{user}/.local/share/hoursmith-console"
    var = f"{data}/var"

    def __init__(self, machine: Machine, log: Path) -> None:
        self.machine, self.port, self._log = machine, free_port(), log
        self.url = f"http://127.0.0.1:{self.port}"
        self.mcp = f"{self.url}/mcp"
        self._process: subprocess.Popen[str] | None = None
        machine.run(f"useradd --create-home {self.user}")
        machine.settle()

    @property
    def printed(self) -> str:
        return self._log.read_text(encoding="utf-8")

    @property
    def token(self) -> str:
        """The example token that the first start printed."""
        return str(re.findall(r"hsk_\w+", self.printed)[0])

    def person(self, role: str) -> tuple[str, str]:
        """Return the address and the password of a member, as the first start printed them."""
        found = re.search(rf"^  {role} +(\S+@\S+) +(\S+)$", self.printed, re.MULTILINE)
        assert found, self.printed
        return found[1], found[2]

    def start(self) -> None:
        with self._log.open("a", encoding="utf-8") as log:
            serve = f"exec {PROGRAM} serve"
            process = self.machine.start(serve, user=self.user, environment={"PORT": str(self.port)}, output=log)
        self._process = process
        wait_until_ready(self.port, lambda: self.printed, is_running=lambda: process.poll() is None)

    def stop(self) -> None:
        """End it as Ctrl-C does, where it runs."""
        if self._process is None:
            return
        pid = self._process.pid
        (server,) = Path(f"/proc/{pid}/task/{pid}/children").read_text(encoding="ascii").split()
        os.kill(int(server), signal.SIGINT)
        assert self._process.wait(60) == 0, self.printed
        self._process = None
        assert "Traceback" not in self.printed, self.printed

    def manage(self, *arguments: str) -> str:
        """Return what a management command printed."""
        return self.machine.run(f"{PROGRAM} manage {shlex.join(arguments)}", user=self.user)

    @contextmanager
    def browser(self) -> Iterator[httpx.Client]:
        """A browser without script in which the owner has just signed in."""
        with httpx.Client(
            base_url=self.url, follow_redirects=True, timeout=30, headers={"Referer": self.url}
        ) as browser:
            sign_in(browser, *self.person("OWNER"))
            yield browser


class _TlsProxy(httpx.BaseTransport):
    """Takes requests to the public address to the console's port, as the proxy in front of it does."""

    def __init__(self, port: int) -> None:
        self._inner, self._port = httpx.HTTPTransport(), port

    def handle_request(self, request: httpx.Request) -> httpx.Response:
        url = request.url.copy_with(scheme="http", host="127.0.0.1", port=self._port)
        headers = httpx.Headers(request.headers)
        headers.update({"X-Forwarded-For": "203.0.113.7", "X-Forwarded-Proto": "https"})
        return self._inner.handle_request(
            httpx.Request(request.method, url, headers=headers, stream=request.stream, extensions=request.extensions)
        )

    def close(self) -> None:
        self._inner.close()


class Production:
    """The console of "First start in production", in front of the newcomer's workspace in place of Hoursmith."""

    var = "/var/lib/hoursmith-console"
    printed = ""

    def __init__(self, machine: Machine, hoursmith: Newcomer, database_url: str) -> None:
        self.machine, self.hoursmith, self.port = machine, hoursmith, free_port()
        self._database_url = database_url

    def set_up(self) -> None:
        """Run every command of the manual after the installation; keep what the last ones `printed`."""
        text = section(_FIRST_START)
        _, settings, start, wrapper, members = blocks(text, "sh")
        examples = {
            "https://hoursmith.app/api/v1": f"{self.hoursmith.url}/sandbox/api/v1",
            "postgres://console:…@127.0.0.1:5432/console": self._database_url,
            # The machine shares its ports with others.
            "\nEND\n": f"\nPORT={self.port}\nEND\n",
        }
        self.machine.run(with_values(settings, examples))
        (unit,) = blocks(section("systemd"), "ini")
        assert f"`{UNIT}`" in text
        self.machine.path(UNIT).write_text(unit, encoding="utf-8")
        self.machine.run(start)
        self.wait()
        owner, _ = self.hoursmith.person("OWNER")
        values = {
            "${EDITOR:-vi} /run/owner_token ": f"echo {self.hoursmith.token} > /run/owner_token ",
            "you@example.com": owner,
        }
        self.machine.run(wrapper)
        self.printed = self.machine.run(with_values(members, values))

    def wait(self) -> None:
        wait_until_ready(self.port, self.log, is_running=self.is_running)

    def is_running(self) -> bool:
        return "running" in self.machine.attempt("systemctl status hoursmith-console").out

    def log(self) -> str:
        """Return what it has printed, as the journal would have it."""
        return self.machine.path("/run/units/hoursmith-console.log").read_text(encoding="utf-8")

    @contextmanager
    def browser(self) -> Iterator[httpx.Client]:
        """A browser without script at the public address, behind the proxy."""
        with httpx.Client(
            base_url=PUBLIC_URL,
            follow_redirects=True,
            timeout=30,
            headers={"Referer": PUBLIC_URL},
            transport=_TlsProxy(self.port),
        ) as browser:
            yield browser

    def accept_invitation(self, link: str) -> None:
        """Open the link as the invited person does, and choose a password."""
        with self.browser() as browser:
            page = browser.get(link)
            assert page.status_code == 200, page.text
            form = dict.fromkeys(("new_password1", "new_password2"), PASSWORD)
            form["csrfmiddlewaretoken"] = field(page.text, "csrfmiddlewaretoken")
            assert browser.post(str(page.url), data=form).url.path == "/"
