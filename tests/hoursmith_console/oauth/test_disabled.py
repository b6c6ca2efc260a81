import pytest
from pytest_django import Settings


@pytest.mark.parametrize(
    ("path", "status"),
    [
        ("/.well-known/oauth-protected-resource", 404),
        ("/.well-known/oauth-protected-resource/mcp", 404),
        ("/.well-known/oauth-authorization-server", 404),
        ("/.well-known/openid-configuration/mcp/c/desk", 404),
        ("/register", 400),
        ("/token", 404),
        ("/revoke", 404),
    ],
)
def test_a_client_that_looks_for_oauth_is_told_what_is_really_wrong(
    client, path: str, status: int, settings: Settings
) -> None:
    settings.OAUTH = False
    answer = client.post(path) if path in ("/register", "/token", "/revoke") else client.get(path)
    assert answer.status_code == status
    assert "Settings → API" in answer.json()["error_description"]
