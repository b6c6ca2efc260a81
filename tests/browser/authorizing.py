"""An assistant that signs in: it opens the console's pages from an origin of its own, and is answered there."""

import base64
import hashlib
import html
import threading
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass, field
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from typing import Any
from urllib.parse import parse_qsl, urlencode, urlsplit

import httpx
from playwright.sync_api import Page

from tests.servers import Served

VERIFIER = "v3r1f13r-" * 6
CHALLENGE = base64.urlsafe_b64encode(hashlib.sha256(VERIFIER.encode()).digest()).rstrip(b"=").decode()
# Opens the console in a window, as ChatGPT does, and waits for word from it.
_START = """<!doctype html><title>waiting</title><button onclick="window.open('{address}')">Connect</button>
<script>addEventListener("message", event => {{ document.title = event.data; }});</script>"""
_CALLBACK = """<!doctype html><title>callback</title><h1>Back at the assistant</h1>
<script>if (window.opener) window.opener.postMessage("connected", "*");</script>"""


@dataclass
class HostedAssistant:
    """An assistant on `http://localhost:<port>`, which is another site than the console's address."""

    served: Served
    port: int
    name: str = "Probe"
    answers: list[dict[str, str]] = field(default_factory=list)
    _client_id: str = ""

    @property
    def callback(self) -> str:
        return f"http://localhost:{self.port}/callback"

    @property
    def start(self) -> str:
        """The address of its own page."""
        return f"http://localhost:{self.port}/start"

    @property
    def address(self) -> str:
        """The address at which its user is asked."""
        if not self._client_id:
            asked = {
                "client_name": self.name,
                "redirect_uris": [self.callback],
                "token_endpoint_auth_method": "none",
            }
            self._client_id = httpx.post(f"{self.served.url}/register", json=asked).json()["client_id"]
        said = {
            "response_type": "code",
            "client_id": self._client_id,
            "redirect_uri": self.callback,
            "scope": "hoursmith:read hoursmith:write offline_access",
            "state": "its own",
            "code_challenge": CHALLENGE,
            "code_challenge_method": "S256",
            "resource": f"{self.served.url}/mcp",
        }
        return f"{self.served.url}/authorize?{urlencode(said)}"

    def tokens(self) -> dict[str, Any]:
        """Exchange the code of the last answer."""
        answer = httpx.post(
            f"{self.served.url}/token",
            data={
                "grant_type": "authorization_code",
                "client_id": self._client_id,
                "code": self.answers[-1]["code"],
                "redirect_uri": self.callback,
                "code_verifier": VERIFIER,
            },
        )
        assert answer.status_code == 200, answer.text
        found: dict[str, Any] = answer.json()
        return found

    def refresh(self, token: str) -> httpx.Response:
        """Exchange a refresh token."""
        form = {"grant_type": "refresh_token", "client_id": self._client_id, "refresh_token": token}
        return httpx.post(f"{self.served.url}/token", data=form)


@contextmanager
def hosted_assistant(served: Served, name: str = "Probe") -> Iterator[HostedAssistant]:
    """Serve an assistant's pages as long as the block runs."""
    assistant = HostedAssistant(served, 0, name)

    class Handler(BaseHTTPRequestHandler):
        def do_GET(self) -> None:
            parts = urlsplit(self.path)
            page = ""
            if parts.path == "/callback":
                assistant.answers.append(dict(parse_qsl(parts.query)))
                page = _CALLBACK
            elif parts.path == "/start":
                page = _START.format(address=html.escape(assistant.address))
            self.send_response(200)
            self.send_header("Content-Type", "text/html; charset=utf-8")
            self.end_headers()
            self.wfile.write(page.encode())

        def log_message(self, format: str, *arguments: Any) -> None:
            pass

    with ThreadingHTTPServer(("localhost", 0), Handler) as server:
        assistant.port = server.server_address[1]
        threading.Thread(target=server.serve_forever, daemon=True).start()
        yield assistant
        server.shutdown()


def give_token(page: Page, token: str, *, access: str = "Read and write") -> None:
    """Fill in the first page and continue."""
    page.locator("#authorize-token").fill(token)
    page.get_by_label(access, exact=True).check()
    page.get_by_role("button", name="Continue", exact=True).click()
    page.wait_for_load_state()


def allow(page: Page, assistant: HostedAssistant) -> None:
    """Allow access on the second page, and wait until the browser is back at the assistant."""
    page.get_by_role("button", name="Allow access").click()
    page.wait_for_url(f"{assistant.callback}?**")
