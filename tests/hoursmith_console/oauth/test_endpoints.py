"""The endpoints of OAuth as clients see them: metadata, registration, tokens."""

import base64
import json
from pathlib import Path
from typing import Any
from urllib.parse import quote_plus, urlencode

import httpx
import pytest
from django.db import OperationalError
from django.test import Client
from pytest_django import Settings

from hoursmith_console.oauth import tokens
from mcpbridge.grants.requests import check_request
from mcpbridge.grants.tokens import exchange
from mcpbridge.models import Grant
from mcpbridge.upstream import Upstream
from tests.mcpbridge.grants.authorizing import allowed, answered, parameters
from tests.mcpbridge.grants.claude import CLAUDE, CLAUDE_REDIRECT, VERIFIER

pytestmark = pytest.mark.django_db
GOLDEN = Path(__file__).parent / "golden"
LOOPBACK = "http://localhost:3118/callback"
FORM = "application/x-www-form-urlencoded"


@pytest.fixture(autouse=True)
def public(settings: Settings) -> None:
    settings.PUBLIC_URL = "https://console.example.com"


@pytest.fixture
def asked(monkeypatch: pytest.MonkeyPatch) -> list[int]:
    """What Hoursmith answers to `/me`, from the last on; the answers are taken away as they are asked for."""
    answers: list[int] = []

    def hoursmith(request: httpx.Request) -> httpx.Response:
        return httpx.Response(answers.pop(), json={"data": {"orgId": "org-acme"}})

    def upstream(_: object) -> Upstream:
        return Upstream("https://hoursmith.example/api/v1", timeout_s=2, transport=httpx.MockTransport(hoursmith))

    monkeypatch.setattr(tokens, "upstream_from_settings", upstream)
    return answers


def form(client: Client, path: str, fields: Any, **more: Any) -> Any:
    return client.post(path, urlencode(fields), content_type=FORM, **more)


def register(client: Client, **said: Any) -> Any:
    return client.post("/register", json.dumps(said), content_type="application/json")


def redeemed(client: Client, **more: Any) -> Any:
    said = {"grant_type": "authorization_code", "client_id": CLAUDE, "code_verifier": VERIFIER, **more}
    return form(client, "/token", {name: value for name, value in said.items() if value is not None})


def test_the_metadata_is_what_was_agreed(client: Client) -> None:
    found = {
        path: client.get(f"/.well-known/{path}").json()
        for path in (
            "oauth-authorization-server",
            "oauth-protected-resource",
            "oauth-protected-resource/mcp",
            "oauth-protected-resource/mcp/readonly",
            "oauth-protected-resource/mcp/c/abcdefgh2345",
            "oauth-protected-resource/mcp/c/abcdefgh2345/readonly",
        )
    }
    assert found == json.loads((GOLDEN / "metadata.json").read_text(encoding="utf-8"))


def test_the_metadata_never_follows_the_host_header(client: Client, settings: Settings) -> None:
    settings.ALLOWED_HOSTS = ["*"]
    text = client.get("/.well-known/oauth-authorization-server", headers={"host": "evil.example"}).content.decode()
    assert "evil" not in text


@pytest.mark.parametrize(
    "path",
    [
        "openid-configuration",
        "openid-configuration/mcp",
        "oauth-authorization-server/mcp",
        "oauth-protected-resource/",
        "oauth-protected-resource/tokens",
        "oauth-protected-resource/mcp/nothing",
        "oauth-protected-resource/mcp/c/a b",
    ],
)
def test_other_metadata_is_not_found(client: Client, path: str) -> None:
    answer = client.get(f"/.well-known/{path}")
    if path.endswith("resource/"):
        assert answer.json()["resource"].endswith("/mcp")
    else:
        assert (answer.status_code, answer.json()["error"]) == (404, "not_found")


def test_a_public_client_registers_without_a_secret(client: Client) -> None:
    answer = register(
        client,
        client_name="Claude Code (laptop)",
        redirect_uris=[LOOPBACK, "https://evil.example/callback"],
        token_endpoint_auth_method="none",
        scope="hoursmith:read openid",
        software_id="ignored",
    )
    made = answer.json()
    assert answer.status_code == 201
    assert "client_secret" not in made
    assert made["redirect_uris"] == [LOOPBACK]
    assert (made["scope"], made["token_endpoint_auth_method"]) == ("hoursmith:read", "none")
    assert (made["client_name"], made["response_types"]) == ("Claude Code (laptop)", ["code"])
    # Any port of the user's own computer, but the registered path.
    said = parameters(client_id=made["client_id"], redirect_uri="http://localhost:50000/callback")
    assert check_request(said).client.name == "Claude Code (laptop)"
    assert len(made["client_id"]) < 120


@pytest.mark.parametrize("method", [None, "client_secret_basic", "client_secret_post"])
def test_a_client_with_a_secret_may_send_it_either_way(client: Client, method: str | None) -> None:
    made = register(
        client, redirect_uris=[LOOPBACK], **({"token_endpoint_auth_method": method} if method else {})
    ).json()
    assert made["token_endpoint_auth_method"] == (method or "client_secret_basic")
    assert (made["client_secret_expires_at"], made["scope"]) == (0, "hoursmith:read hoursmith:write offline_access")
    client_id, secret = made["client_id"], made["client_secret"]
    in_header = base64.b64encode(f"{quote_plus(client_id)}:{quote_plus(secret)}".encode()).decode()
    ways: list[tuple[dict[str, str], dict[str, str], int]] = [
        ({"client_id": client_id, "client_secret": secret}, {}, 200),
        ({}, {"authorization": f"Basic {in_header}"}, 200),
        ({"client_id": client_id}, {"authorization": f"basic {in_header}"}, 200),
        ({"client_id": client_id}, {}, 401),
        ({"client_id": client_id, "client_secret": secret[:-1]}, {}, 401),
        ({"client_id": client_id, "client_secret": ""}, {}, 401),
        ({}, {"authorization": f"Basic {in_header[:-4]}"}, 401),
        ({}, {"authorization": "Basic ====="}, 401),
        ({}, {"authorization": f"Bearer {secret}"}, 401),
        ({"client_secret": secret}, {"authorization": f"Basic {in_header}"}, 400),
        ({"client_id": CLAUDE}, {"authorization": f"Basic {in_header}"}, 400),
        ({}, {}, 400),
    ]
    for fields, headers, status in ways:
        made_now = allowed(check_request(parameters(client_id=client_id, redirect_uri=LOOPBACK)))
        said = {
            "grant_type": "authorization_code",
            "code_verifier": VERIFIER,
            "code": answered(made_now.address)["code"],
        }
        answer = form(client, "/token", {**said, **fields}, headers=headers)
        assert answer.status_code == status, (fields, headers, answer.json())
        if status == 401:
            assert answer.json()["error"] == "invalid_client"
            assert answer["WWW-Authenticate"].startswith("Basic")


@pytest.mark.parametrize(
    ("body", "error"),
    [
        (b"[]", "invalid_client_metadata"),
        (b"{", "invalid_client_metadata"),
        (b"\xff", "invalid_client_metadata"),
        (b"{}", "invalid_redirect_uri"),
        (b'{"redirect_uris": []}', "invalid_redirect_uri"),
        (b'{"redirect_uris": "http://localhost/"}', "invalid_redirect_uri"),
        (b'{"redirect_uris": [1]}', "invalid_redirect_uri"),
        (b'{"redirect_uris": ["https://evil.example/"]}', "invalid_redirect_uri"),
        (
            b'{"redirect_uris": ["http://localhost/"], "token_endpoint_auth_method": "private_key_jwt"}',
            "invalid_client_metadata",
        ),
        (
            b'{"redirect_uris": ["http://localhost/"], "token_endpoint_auth_method": [1]}',
            "invalid_client_metadata",
        ),
        (b'"' + b"x" * 17000 + b'"', "invalid_request"),
    ],
)
def test_a_registration_that_cannot_be(client: Client, body: bytes, error: str) -> None:
    answer = client.post("/register", body, content_type="application/json")
    assert answer.status_code == (413 if len(body) > 16384 else 400)
    assert answer.json()["error"] == error
    if error == "invalid_redirect_uri" and b"evil" in body:
        assert "OAUTH_REDIRECTS" in answer.json()["error_description"]
        assert "evil" not in answer.content.decode()


def test_a_registration_keeps_ten_addresses_and_forty_bytes_of_a_name(client: Client) -> None:
    addresses = [f"http://localhost/{number}" for number in range(12)]
    made = register(client, redirect_uris=addresses, client_name="Ä" * 50 + "\u202e", token_endpoint_auth_method="none")
    assert made.json()["redirect_uris"] == addresses[:10]
    assert 0 < len(made.json()["client_name"].encode()) <= 40
    assert len(made.json()["client_id"]) < 400


def test_a_code_becomes_tokens_and_they_are_renewed(client: Client, asked: list[int]) -> None:
    answer = redeemed(client, code=answered(allowed().address)["code"], redirect_uri=CLAUDE_REDIRECT)
    said = answer.json()
    assert answer.status_code == 200
    assert answer["Cache-Control"] == "no-store"
    assert set(said) == {"access_token", "token_type", "expires_in", "refresh_token", "scope"}
    assert said["token_type"] == "Bearer"
    asked.extend([500, 200])
    for _ in range(2):
        renewing = {"grant_type": "refresh_token", "client_id": CLAUDE, "refresh_token": said["refresh_token"]}
        again = form(client, "/token", renewing)
        assert again.status_code == 200, again.json()
    # Hoursmith no longer knows the token.
    asked.append(401)
    over = form(client, "/token", renewing)
    assert (over.status_code, over.json()["error"]) == (400, "invalid_grant")
    assert Grant.objects.get().ended_at is not None
    assert not asked


@pytest.mark.parametrize(
    ("fields", "error"),
    [
        ({}, "invalid_request"),
        ({"grant_type": "password", "client_id": CLAUDE}, "unsupported_grant_type"),
        ({"grant_type": "authorization_code", "client_id": CLAUDE, "code": "x"}, "invalid_request"),
        ({"grant_type": "authorization_code", "client_id": CLAUDE, "code_verifier": "x"}, "invalid_request"),
        ({"grant_type": "authorization_code", "code": "x", "code_verifier": "x"}, "invalid_request"),
        ({"grant_type": "refresh_token", "client_id": CLAUDE}, "invalid_request"),
        ({"grant_type": "refresh_token", "client_id": CLAUDE, "refresh_token": ""}, "invalid_request"),
        ({"grant_type": "refresh_token", "client_id": CLAUDE, "refresh_token": "hse_r1_x"}, "invalid_grant"),
        ({"grant_type": "refresh_token", "client_id": "https://x", "refresh_token": "hse_r1_x"}, "invalid_grant"),
        (
            [("grant_type", "refresh_token"), ("client_id", CLAUDE), ("refresh_token", "x"), ("refresh_token", "y")],
            "invalid_request",
        ),
        ([(f"field{number}", "") for number in range(60)], "invalid_request"),
    ],
)
def test_a_token_request_that_cannot_be(client: Client, fields: Any, error: str) -> None:
    answer = form(client, "/token", fields)
    assert (answer.status_code, answer.json()["error"]) == (400, error)
    assert answer.json()["error_description"].endswith(".")


@pytest.mark.parametrize("client_id", ["somebody", "hse_d1_AAAA", "http://x", "https://" + "x" * 600])
def test_a_client_that_is_not_known_is_told_to_register_again(client: Client, client_id: str) -> None:
    answer = form(client, "/token", {"grant_type": "refresh_token", "client_id": client_id, "refresh_token": "x"})
    assert (answer.status_code, answer.json()["error"]) == (401, "invalid_client")


@pytest.mark.parametrize("path", ["/token", "/revoke"])
def test_another_kind_of_body_is_refused(client: Client, path: str) -> None:
    for body, kind in (("{}", "application/json"), ("x", "text/plain"), ("\xff=\xff".encode("latin-1"), FORM)):
        answer = client.post(path, body, content_type=kind)
        assert (answer.status_code, answer.json()["error"]) == (400, "invalid_request")
    answer = client.post(path, {"token": "x"})  # multipart
    assert (answer.status_code, answer.json()["error"]) == (400, "invalid_request")
    assert form(client, path, {"x": "x" * 17000}).status_code == 413


def test_revoking_says_no_more_than_that_it_is_over(client: Client) -> None:
    said = redeemed(client, code=answered(allowed().address)["code"]).json()
    for text in ("nonsense", said["access_token"], said["access_token"]):
        answer = form(client, "/revoke", {"client_id": CLAUDE, "token": text, "token_type_hint": "access_token"})
        assert (answer.status_code, answer.json()) == (200, {})
    assert Grant.objects.get().ended_why == "assistant"
    assert form(client, "/revoke", {"client_id": CLAUDE}).status_code == 400


@pytest.mark.parametrize("path", ["/token", "/revoke", "/register"])
def test_programs_in_web_pages_may_ask(client: Client, path: str) -> None:
    before = client.options(path, headers={"origin": "https://inspector.example"})
    assert before.status_code == 204
    assert "authorization" in before["Access-Control-Allow-Headers"]
    for answer in (before, client.post(path), client.get(path)):
        assert answer["Access-Control-Allow-Origin"] == "*"
        assert "Access-Control-Allow-Credentials" not in answer
        assert not answer.cookies
    assert (client.get(path).status_code, client.get(path)["Allow"]) == (405, "POST, OPTIONS")


def test_registrations_are_limited_for_each_address(client: Client) -> None:
    said = {"redirect_uris": [LOOPBACK], "token_endpoint_auth_method": "none"}
    statuses = [register(client, **said).status_code for _ in range(31)]
    assert statuses == [201] * 30 + [429]
    assert int(register(client, **said)["Retry-After"]) > 0
    elsewhere = client.post("/register", json.dumps(said), content_type="application/json", REMOTE_ADDR="2001:db8::1")
    assert elsewhere.status_code == 201


def test_while_the_database_is_away_no_client_is_told_that_its_access_is_over(
    client: Client, monkeypatch: pytest.MonkeyPatch
) -> None:
    said = redeemed(client, code=answered(allowed().address)["code"]).json()

    def away(_: object) -> Grant:
        raise OperationalError

    monkeypatch.setattr(exchange, "_locked", away)
    answer = form(
        client, "/token", {"grant_type": "refresh_token", "client_id": CLAUDE, "refresh_token": said["refresh_token"]}
    )
    assert (answer.status_code, answer.json()["error"]) == (503, "temporarily_unavailable")
    assert int(answer["Retry-After"]) > 0
