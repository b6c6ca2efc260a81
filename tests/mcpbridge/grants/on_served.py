"""Sign in to a served console as an assistant does, but for the pages."""

import ssl
from typing import Any
from urllib.parse import parse_qs, urlsplit

import httpx

from tests.mcpbridge.grants.claude import CHALLENGE, CLAUDE, CLAUDE_REDIRECT, VERIFIER
from tests.servers import Served

# For a client of its own with each request: to load the certificates that none of them needs takes longer than it.
NO_CERTIFICATES = ssl.SSLContext(ssl.PROTOCOL_TLS_CLIENT)
_ALLOW = """
import json
from datetime import timedelta
from mcpbridge.auth.credentials import credential_from_text
from mcpbridge.core.types import Identity
from mcpbridge.grants.carrying import open_pending, seal_pending
from mcpbridge.grants.decisions import allow
from mcpbridge.grants.requests import check_request
asked = check_request({{
    "response_type": ["code"], "client_id": [{client!r}], "redirect_uri": [{redirect!r}],
    "code_challenge": [{challenge!r}], "code_challenge_method": ["S256"],
}})
sealed = seal_pending(
    request=asked, credential=credential_from_text({token!r}), browser="b", is_read_only=False,
    identity=Identity({org_id!r}, "Acme", "agency", "OWNER", "t", ()), lasts=timedelta(days=1),
)
made = allow(open_pending(sealed.reveal(), browser="b"), actor="Ana")
print(json.dumps([made.grant.pk, made.address]))
"""


def code_for(served: Served, token: str, org_id: str = "org-of-a-test") -> tuple[str, str]:
    """The id of a new grant with `token`, and its code."""
    grant, address = served.shell(
        _ALLOW.format(client=CLAUDE, redirect=CLAUDE_REDIRECT, challenge=CHALLENGE, token=token, org_id=org_id)
    )
    return grant, parse_qs(urlsplit(address).query)["code"][0]


def ask(served: Served, path: str, **fields: str) -> httpx.Response:
    """The answer of an endpoint to Claude."""
    return httpx.post(f"{served.url}{path}", data={"client_id": CLAUDE, **fields}, timeout=30, verify=NO_CERTIFICATES)


def redeem(served: Served, code: str, **more: str) -> httpx.Response:
    return ask(
        served, "/token", **{"grant_type": "authorization_code", "code": code, "code_verifier": VERIFIER, **more}
    )


def renew(served: Served, token: str) -> httpx.Response:
    return ask(served, "/token", grant_type="refresh_token", refresh_token=token)


def signed_in(served: Served, token: str) -> tuple[str, dict[str, Any]]:
    """The id of a new grant with `token`, and the tokens of its assistant."""
    grant, code = code_for(served, token)
    answer = redeem(served, code)
    assert answer.status_code == 200, answer.text
    return grant, answer.json()
