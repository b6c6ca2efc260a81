"""Authorization requests of assistants, and the pages that they lead to, without a browser."""

import base64
import hashlib
import html
import re
from collections.abc import Iterable
from typing import Any
from urllib.parse import parse_qsl, urlencode, urlsplit

from django.conf import settings
from django.test import Client

CLAUDE = "https://claude.ai/oauth/mcp-oauth-client-metadata"
CLAUDE_REDIRECT = "https://claude.ai/api/mcp/auth_callback"
VERIFIER = "v" * 43
CHALLENGE = base64.urlsafe_b64encode(hashlib.sha256(VERIFIER.encode()).digest()).rstrip(b"=").decode()
STATE = "st4te & more=1"


def parameters(**changed: Any) -> dict[str, Any]:
    """What Claude asks with; a changed parameter that is None is left out."""
    said = {
        "response_type": "code",
        "client_id": CLAUDE,
        "redirect_uri": CLAUDE_REDIRECT,
        "scope": "hoursmith:read hoursmith:write offline_access",
        "state": STATE,
        "code_challenge": CHALLENGE,
        "code_challenge_method": "S256",
        "resource": f"{settings.PUBLIC_URL}/mcp",
        **changed,
    }
    return {name: value for name, value in said.items() if value is not None}


def address(said: Iterable[tuple[str, str]] | None = None, **changed: Any) -> str:
    """The address of the first page, with the pairs `said` or Claude's parameters."""
    return f"/authorize?{urlencode(list(said) if said is not None else parameters(**changed))}"


def hidden(page: Any) -> dict[str, str]:
    """The hidden fields of the page."""
    found = re.findall(r'<input type="hidden" name="([^"]+)" value="([^"]*)"', page.content.decode())
    return {name: html.unescape(value) for name, value in found if name != "csrfmiddlewaretoken"}


def ask(browser: Client, **changed: Any) -> Any:
    """Open the first page."""
    page = browser.get(address(**changed))
    assert page.status_code == 200, page.content.decode()
    return page


def submit(browser: Client, page: Any, token: str = "", **fields: str) -> Any:
    """Send the first page's form."""
    return browser.post("/authorize", {**hidden(page), "token": token, "days": "30", "access": "full", **fields})


def decide(browser: Client, page: Any, decision: str = "allow") -> Any:
    """Press a button of the second page."""
    return browser.post("/authorize/decision", {**hidden(page), "decision": decision})


def answer_of(page: Any) -> tuple[str, dict[str, str]]:
    """Where a page leads on to: the address without its query, and the parameters."""
    assert page.status_code == 200, page.content.decode()
    target = page["Refresh"].removeprefix("0; url=")
    assert f'href="{html.escape(target)}"' in page.content.decode()
    return split(target)


def split(target: str) -> tuple[str, dict[str, str]]:
    """An address without its query, and the parameters."""
    parts = urlsplit(target)
    return f"{parts.scheme}://{parts.netloc}{parts.path}", dict(parse_qsl(parts.query))


def text_of(page: Any) -> str:
    """What a page says."""
    return html.unescape(" ".join(re.sub(r"<[^>]+>", " ", page.content.decode()).split()))
