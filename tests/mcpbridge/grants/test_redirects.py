"""Which addresses answers may go to: the exact ones that assistants send, and nothing that looks like them."""

from collections.abc import Sequence

import pytest
from hypothesis import given
from hypothesis import strategies as st
from pytest_django import Settings

from mcpbridge.grants.known_clients import KNOWN_CLIENTS, known_by_redirect
from mcpbridge.grants.redirects import is_acceptable, is_loopback, shown_host
from mcpbridge.grants.registration import Method, NoRedirectError, read_registration, register

# What assistants register, as they send it.
CURSOR = [
    "cursor://anysphere.cursor-mcp/oauth/callback",
    "https://www.cursor.com/agents/mcp/oauth/callback",
    "http://localhost:8787/callback",
]
VS_CODE = [
    "https://insiders.vscode.dev/redirect",
    "https://vscode.dev/redirect",
    "http://127.0.0.1/",
    "http://127.0.0.1:33418/",
]
CHATGPT = ["https://chatgpt.com/connector/oauth/Ab_9-x", "https://chatgpt.com/connector_platform_oauth_redirect"]
COPILOT = ["https://global.consent.azure-apim.net/redirect/cr123-5fhoursmith-5fa1b2"]
OTHERS = [
    "https://claude.ai/api/mcp/auth_callback",
    "https://claude.com/api/mcp/auth_callback",
    "https://callback.mistral.ai/v1/integrations_auth/oauth2_callback",
    "https://vertexaisearch.cloud.google.com/oauth-redirect",
    "https://oauth-redirect.googleusercontent.com/r/project-1",
    "https://grok.com/connectors-oauth-exchange-code/",
    "http://localhost:3118/callback",
    "http://127.0.0.1:6276/oauth/callback",
    "http://[::1]:49152/cb",
    "http://localhost/callback",
    "http://localhost",
]

LOOK_ALIKES = [
    "",
    "https://",
    "https://claude.ai",
    "https://claude.ai/api/mcp/auth_callback/",
    "https://claude.ai/api/mcp/auth_callback?x=1",
    "https://claude.ai/api/mcp/auth_callback#x",
    "https://claude.ai/api/mcp/auth_callback#",
    "https://claude.ai/api/mcp/../mcp/auth_callback",
    "https://claude.ai/api/mcp/%61uth_callback",
    "https://claude.ai:443/api/mcp/auth_callback",
    "https://claude.ai./api/mcp/auth_callback",
    "https://CLAUDE.ai/api/mcp/auth_callback",
    "HTTPS://claude.ai/api/mcp/auth_callback",
    "https://user@claude.ai/api/mcp/auth_callback",
    "https://claude.ai@evil.example/api/mcp/auth_callback",
    "https://claude.ai\\@evil.example/api/mcp/auth_callback",
    "https://claude.ai%2eevil.example/api/mcp/auth_callback",
    "https://claude.ai.evil.example/api/mcp/auth_callback",
    "https://evil.example/https://claude.ai/api/mcp/auth_callback",
    "https://clаude.ai/api/mcp/auth_callback",  # a Cyrillic letter
    "https://xn--clude-4ve.ai/api/mcp/auth_callback",
    "http://claude.ai/api/mcp/auth_callback",
    " https://claude.ai/api/mcp/auth_callback",
    "https://claude.ai/api/mcp/auth_callback\n",
    "https://claude.ai/api/mcp/auth_callback\x00",
    "https://chatgpt.com/connector/oauth/",
    "https://chatgpt.com/connector/oauth/a/b",
    "https://chatgpt.com/connector/oauth/a?b",
    "https://chatgpt.com/connector/oauth/a.b",
    "https://chatgpt.com/connector/oauth/{id}",
    "https://chatgpt.com/connector/oauth/" + "a" * 129,
    "https://chatgpt.com/connector/oauth/a\n",
    "https://global.consent.azure-apim.net/redirect/",
    "https://global.consent.azure-apim.net/redirect/a#b",
    "https://vscode.dev/redirect?url=https://evil.example",
    "cursor://anysphere.cursor-mcp/oauth/callback/",
    "cursor://anysphere.cursor-mcp/oauth/callback?x",
    "cursor://evil/oauth/callback",
    "CURSOR://anysphere.cursor-mcp/oauth/callback",
    "vscode://anysphere.cursor-mcp/oauth/callback",
    "javascript:alert(1)",
    "javascript://localhost/%0aalert(1)",
    "data:text/html,x",
    "file:///etc/passwd",
    "ftp://localhost/callback",
    "https://localhost/callback",
    "http://localhost.evil.example/callback",
    "http://localhost@evil.example/callback",
    "http://user@localhost/callback",
    "http://user:pass@127.0.0.1/callback",
    "http://localhost:0/callback",
    "http://localhost:080/callback",
    "http://localhost:x/callback",
    "http://localhost:/callback",
    "http://localhost:123456/callback",
    "http://localhost./callback",
    "http://LOCALHOST/callback",
    "http://127.0.0.2/callback",
    "http://127.1/callback",
    "http://2130706433/callback",
    "http://0x7f.0.0.1/callback",
    "http://0.0.0.0/callback",
    "http://[::ffff:127.0.0.1]/callback",
    "http://[::1/callback",
    "http://::1/callback",
    "http://localhost/call back",
    "http://localhost/callback#x",
    "http://localhost/callback?x=1",
    "http://localhost\\@evil.example/",
    "http://localhost/\ncallback",
    "//localhost/callback",
    "localhost/callback",
    "http://localhost/" + "x" * 500,
]


@pytest.mark.parametrize("sent", [CURSOR, VS_CODE, CHATGPT, COPILOT, OTHERS])
def test_what_assistants_register_is_accepted_whole(sent: Sequence[str]) -> None:
    made, accepted = register(name="x", redirects=sent, method=Method.NONE, now=1_800_000_000)
    assert accepted == list(dict.fromkeys(sent))[:10]
    again = read_registration(made.client_id)
    assert again == made
    assert all(made.has_redirect(each) for each in accepted)


@pytest.mark.parametrize("address", LOOK_ALIKES)
def test_what_only_looks_like_one_is_not(address: str) -> None:
    assert not is_acceptable(address)
    with pytest.raises(NoRedirectError):
        register(name="x", redirects=[address], method=Method.NONE, now=0)
    # Nor does it spoil the registration of those beside it.
    made, accepted = register(name="x", redirects=[address, *CURSOR], method=Method.NONE, now=0)
    assert accepted == CURSOR
    assert not made.has_redirect(address)


@pytest.mark.parametrize("public_url", ["http://127.0.0.1:8000", "http://localhost:8000", "http://[::1]:8000"])
def test_nothing_is_ever_sent_to_ourselves(public_url: str, settings: Settings) -> None:
    settings.PUBLIC_URL = public_url
    for host in ("127.0.0.1", "localhost", "[::1]"):
        assert not is_acceptable(f"http://{host}:8000/tokens/")
        assert is_acceptable(f"http://{host}:8001/callback")


def test_nor_where_any_client_may_sign_in(settings: Settings) -> None:
    settings.PUBLIC_URL, settings.OAUTH_CLIENTS = "https://console.example.com", "any"
    assert is_acceptable("https://other.example.com/callback?tenant=1")
    for address in (
        "https://console.example.com/tokens/",
        "https://console.example.com:8443/",
        "https://other.example.com./callback",
        "https://user@other.example.com/callback",
        "https://other.example.com/callback#x",
        "https://OTHER.example.com/callback",
        "http://other.example.com/callback",
        "https://10.0.0.1/callback",
        "https://other/callback",
        "https://other.example.com:0/callback",
        "other://other.example.com/callback",
    ):
        assert not is_acceptable(address)


def test_the_operator_may_add_some(settings: Settings) -> None:
    address = "https://assistant.example.com/callback"
    assert not is_acceptable(address)
    settings.OAUTH_REDIRECTS = [address]
    assert is_acceptable(address)
    assert not is_acceptable(f"{address}/")


@given(st.text(max_size=200) | st.from_regex(r"https?://[a-z.:@\[\]/#?%\\]{0,40}"))
def test_no_text_breaks_the_check(address: str) -> None:
    if is_acceptable(address):
        assert is_loopback(address) or known_by_redirect(address)


def test_the_port_of_a_loopback_address_may_differ_and_nothing_else() -> None:
    made, _ = register(name="", redirects=["http://localhost:3118/callback"], method=Method.NONE, now=0)
    assert made.has_redirect("http://localhost:50000/callback")
    assert made.has_redirect("http://localhost/callback")
    for other in ("http://127.0.0.1:3118/callback", "http://localhost:3118/", "http://localhost:3118/callback/"):
        assert not made.has_redirect(other)


def test_every_known_client_can_be_answered_and_says_where_that_is_written() -> None:
    for known in KNOWN_CLIENTS:
        assert known.source
        assert known.redirects or known.loopback_paths
        for pattern in known.redirects:
            address = pattern.replace("{id}", "Ab_9-x")
            assert is_acceptable(address)
            assert known_by_redirect(address) is known


def test_private_schemes_are_shown_as_such() -> None:
    assert shown_host(CURSOR[0]) == "cursor://anysphere.cursor-mcp"
    assert shown_host(CURSOR[1]) == "www.cursor.com"
    assert shown_host("http://[::1]:80/x") == "::1"
