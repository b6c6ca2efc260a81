"""A request that does not fit is refused in the order of the checks, and never led to an unchecked address."""

import pytest
from pytest_django import Settings

from mcpbridge.grants.decisions import deny
from mcpbridge.grants.requests import InvalidRequestError, RefusedRequestError, check_request
from mcpbridge.grants.resources import READ, WRITE
from tests.mcpbridge.grants.authorizing import answered, parameters, request
from tests.mcpbridge.grants.claude import CLAUDE, CLAUDE_REDIRECT


def test_a_request_that_fits() -> None:
    asked = request(scope=f"{READ} {WRITE} offline_access", prompt="consent")
    assert asked.client.name == "Claude"
    assert asked.client.host == asked.redirect_host == "claude.ai"
    assert asked.resource.path == "/mcp"
    assert not asked.asks_read_only
    assert not asked.is_loopback


@pytest.mark.parametrize(
    ("more", "reason"),
    [
        *(({name: ["a", "b"]}, name) for name in parameters()),
        ({"resource": ["a", "b"]}, "resource"),
        ({"client_id": None}, "client_id"),
        ({"client_id": ""}, "client_id"),
        ({"redirect_uri": None}, "redirect_uri"),
        ({"client_id": "somebody"}, "not registered"),
        ({"client_id": "hse_d1_AAAA"}, "not registered"),
        ({"client_id": "https://evil.example/client.json"}, "not known"),
        ({"client_id": "https://claude.ai/oauth/mcp-oauth-client-metadata/"}, "not known"),
        ({"client_id": "http://claude.ai/oauth/mcp-oauth-client-metadata"}, "not registered"),
        ({"client_id": "https://" + "x" * 600}, "not registered"),
        ({"redirect_uri": "https://evil.example/callback"}, "not allowed"),
        # Of another known assistant.
        ({"redirect_uri": "https://chatgpt.com/connector_platform_oauth_redirect"}, "not allowed"),
        ({"redirect_uri": "http://localhost:3000/callback"}, "not allowed"),
        ({"state": "x" * 2001}, "too long"),
    ],
)
def test_until_client_and_redirect_are_known_nobody_is_led_anywhere(more: dict[str, object], reason: str) -> None:
    with pytest.raises(InvalidRequestError, match=reason) as refused:
        check_request(parameters(**more))
    assert "http" not in str(refused.value)


@pytest.mark.parametrize(
    ("more", "error"),
    [
        ({"response_type": "token"}, "unsupported_response_type"),
        ({"response_type": None}, "unsupported_response_type"),
        ({"code_challenge": None}, "invalid_request"),
        ({"code_challenge": "x" * 42}, "invalid_request"),
        ({"code_challenge": "x" * 44}, "invalid_request"),
        ({"code_challenge": "x" * 42 + "="}, "invalid_request"),
        ({"code_challenge_method": "plain"}, "invalid_request"),
        ({"code_challenge_method": None}, "invalid_request"),
        ({"resource": "https://other.example/mcp"}, "invalid_target"),
        ({"resource": "http://127.0.0.1:8000"}, "invalid_target"),
    ],
)
def test_the_assistant_is_told_what_was_wrong_with_state_and_issuer(
    more: dict[str, object], error: str, settings: Settings
) -> None:
    with pytest.raises(RefusedRequestError) as refused:
        check_request(parameters(**more))
    said = answered(refused.value.address)
    assert refused.value.address.startswith(f"{CLAUDE_REDIRECT}?error=")
    assert said.pop("error_description")
    assert said == {"error": error, "state": "s&t=a te", "iss": settings.PUBLIC_URL}


def test_no_state_is_answered_where_none_was_sent() -> None:
    assert set(answered(deny(request(state=None)))) == {"error", "error_description", "iss"}
    assert answered(deny(request()))["error"] == "access_denied"


@pytest.mark.parametrize(
    ("said", "path", "is_read_only"),
    [
        (None, "/mcp", False),
        ("{}/mcp", "/mcp", False),
        ("{}/mcp/", "/mcp", False),
        ("{}/mcp/readonly", "/mcp/readonly", True),
        ("{}/mcp/c/abcdefgh2345", "/mcp/c/abcdefgh2345", False),
        ("{}/mcp/c/abcdefgh2345/readonly/", "/mcp/c/abcdefgh2345/readonly", True),
        ("HTTPS://Console.Example.COM/mcp", "/mcp", False),
    ],
)
def test_resources_of_ours(said: str | None, path: str, is_read_only: bool, settings: Settings) -> None:
    settings.PUBLIC_URL = "https://console.example.com"
    asked = request(resource=said and said.format(settings.PUBLIC_URL))
    assert (asked.resource.path, asked.asks_read_only) == (path, is_read_only)


@pytest.mark.parametrize(
    "said",
    [
        "https://console.example.com",
        "https://console.example.com/",
        "https://console.example.com/MCP",
        "https://console.example.com/mcp//",
        "https://console.example.com/mcp?x=1",
        "https://console.example.com/mcp#x",
        "https://console.example.com:443/mcp",
        "https://ana@console.example.com/mcp",
        "https://console.example.com./mcp",
        "http://console.example.com/mcp",
        "https://console.example.com/mcp/c/",
        "https://console.example.com/mcp/c/../readonly",
        "https://console.example.com/mcp/c/a%20b",
        " https://console.example.com/mcp",
        "https://console.example.com/mcp\n",
        "/mcp",
        "https://[console/mcp",
    ],
)
def test_resources_that_are_not(said: str, settings: Settings) -> None:
    settings.PUBLIC_URL = "https://console.example.com"
    with pytest.raises(RefusedRequestError) as refused:
        request(resource=said)
    assert refused.value.error == "invalid_target"


@pytest.mark.parametrize(
    ("scope", "is_read_only"),
    [
        (None, False),
        (f"{READ} {WRITE}", False),
        (WRITE, False),
        (READ, True),
        ("openid offline_access", True),
        (f"{WRITE}x", True),
    ],
)
def test_a_scope_without_write_is_read_only(scope: str | None, is_read_only: bool) -> None:
    assert request(scope=scope).asks_read_only is is_read_only


def test_pinned_documents_of_vendors() -> None:
    chatgpt = "https://chatgpt.com/oauth/{}/client.json"
    callback = "https://chatgpt.com/connector/oauth/{}"
    assert request(client_id=chatgpt.format("a-B_9"), redirect_uri=callback.format("x1")).client.name == "ChatGPT"
    codex = request(client_id=chatgpt.format("codex"), redirect_uri="http://localhost:1455/callback")
    assert codex.client.name == "Codex"
    assert codex.is_loopback
    for other in ("a/b", "", "a.b", "x" * 129, "a?b", "ä"):
        with pytest.raises(InvalidRequestError):
            request(client_id=chatgpt.format(other), redirect_uri=callback.format("x1"))
        with pytest.raises(InvalidRequestError):
            request(client_id=chatgpt.format("a"), redirect_uri=callback.format(other))
    code = request(
        client_id="https://claude.ai/oauth/claude-code-client-metadata", redirect_uri="http://localhost:3118/callback"
    )
    assert code.redirect_host == "localhost"
    with pytest.raises(InvalidRequestError):
        request(client_id=code.client.client_id, redirect_uri="http://localhost:3118/other")
    assert request(client_id=CLAUDE, redirect_uri="https://claude.com/api/mcp/auth_callback").client.is_verified
