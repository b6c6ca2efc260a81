"""Push secrets through the sign-in of assistants: codes, refreshes, errors; in the right places and in wrong ones."""

from typing import Any

import httpx

from tests.faults.mcp import call_tool
from tests.mcpbridge.grants.claude import CLAUDE, CLAUDE_REDIRECT
from tests.mcpbridge.grants.on_served import NO_CERTIFICATES, ask, code_for, redeem, renew, signed_in
from tests.secret_markers import (
    DOORS,
    Canaries,
    push_by_other_schemes,
    push_into_addresses,
    push_into_bodies,
    push_into_headers,
    raw,
)
from tests.servers import Served


def push_through_sign_in(served: Served, canaries: Canaries, good: str, token: str) -> None:
    """Sign in with `token`, well and badly. What is watched are the token and every envelope of it."""
    canaries.token("a token of an assistant", token)
    _, replayed = code_for(served, token)
    canaries.watch("a code", replayed[7:])
    assert redeem(served, replayed, code_verifier="x" * 50).status_code == 400
    assert redeem(served, replayed, redirect_uri=f"{CLAUDE_REDIRECT}/{token}").status_code == 400
    assert redeem(served, replayed).status_code == 200
    assert redeem(served, replayed).json()["error"] == "invalid_grant"
    _, tokens = signed_in(served, token)
    for name in ("access_token", "refresh_token"):
        canaries.watch(f"the {name} of an assistant", tokens[name][7:])
    again = renew(served, tokens["refresh_token"]).json()
    for name in ("access_token", "refresh_token"):
        canaries.watch(f"the second {name} of an assistant", again[name][7:])
    assert call_tool(served, again["access_token"], "get_me").status == 200
    # Also what revokes them; what comes afterwards is refused.
    _push_into_endpoints(served, [token, replayed, again["access_token"], again["refresh_token"]])
    access, refresh = again["access_token"], again["refresh_token"]
    for envelope in (access, refresh, replayed):
        for path in DOORS:
            call_tool(served, envelope, "list_clients", path=path)
    push_by_other_schemes(served, access)
    push_into_headers(served, good, refresh)
    push_into_addresses(served, good, replayed)
    push_into_bodies(served, good, access)
    assert call_tool(served, again["access_token"], "get_me").status == 401


def _push_into_endpoints(served: Served, texts: list[str]) -> None:
    """Into every parameter that an endpoint reads, and some that it does not."""
    for text in texts:
        for path in ("/token", "/revoke"):
            for name in ("grant_type", "code", "refresh_token", "token", "scope", "resource", "client_secret", text):
                ask(served, path, **{"grant_type": "refresh_token", name: text})
            _post(served, path, data={"client_id": text, "grant_type": "refresh_token"})
            _post(served, path, json={"token": text})
            raw(served, "POST", f"{path}?token={text}", [("Authorization", f"Bearer {text}")])
        for registration in (
            {"redirect_uris": [text]},
            {"redirect_uris": ["http://localhost/", f"http://localhost/{text}"], "client_name": text, text: text},
            {"redirect_uris": ["http://localhost/"], "token_endpoint_auth_method": text, "scope": text},
        ):
            _post(served, "/register", json=registration)
        for name in ("client_id", "redirect_uri", "state", "code_challenge", "resource", "scope"):
            said = {"client_id": CLAUDE, "redirect_uri": CLAUDE_REDIRECT, "response_type": "code", name: text}
            httpx.get(f"{served.url}/authorize", params=said, verify=NO_CERTIFICATES)
        for name in ("oauth-protected-resource", "oauth-authorization-server"):
            raw(served, "GET", f"/.well-known/{name}/mcp/c/{text}", [])


def _post(served: Served, path: str, **said: Any) -> None:
    httpx.post(f"{served.url}{path}", verify=NO_CERTIFICATES, **said)
