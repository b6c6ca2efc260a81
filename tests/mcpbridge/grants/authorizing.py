"""What an assistant sends to be authorized, and a grant that was made by it."""

from datetime import timedelta
from typing import Any
from urllib.parse import parse_qs, urlsplit

from mcpbridge.core.credential import Credential
from mcpbridge.core.types import Identity
from mcpbridge.grants.carrying import Pending, open_pending, seal_pending
from mcpbridge.grants.decisions import Allowed, allow
from mcpbridge.grants.requests import AuthorizationRequest, check_request
from tests.mcpbridge.grants.claude import CHALLENGE, CLAUDE, CLAUDE_REDIRECT

BROWSER = "the secret in a cookie"
ORG_ID = "org-acme"
IDENTITY = Identity(ORG_ID, "Acme Studio", "agency", "MEMBER", "my laptop", ("read", "write"))
SECRET = "Zx9Kq2mW7vB4nT6yR8cL1sD3fG5hJ0pA"


def parameters(**more: Any) -> dict[str, list[str]]:
    """The parameters of Claude's request; None leaves one out, a list repeats it."""
    said: dict[str, Any] = {
        "response_type": "code",
        "client_id": CLAUDE,
        "redirect_uri": CLAUDE_REDIRECT,
        "state": "s&t=a te",
        "code_challenge": CHALLENGE,
        "code_challenge_method": "S256",
        **more,
    }
    return {name: value if isinstance(value, list) else [value] for name, value in said.items() if value is not None}


def request(**more: Any) -> AuthorizationRequest:
    return check_request(parameters(**more))


def pending(
    asked: AuthorizationRequest | None = None,
    *,
    prefix: str = "4f8a2c1bdedf",
    lasts: timedelta = timedelta(days=30),
    is_read_only: bool = False,
) -> Pending:
    """What the first page leads to."""
    sealed = seal_pending(
        request=asked or request(),
        credential=Credential(env="live", prefix=prefix, secret=SECRET),
        identity=IDENTITY,
        lasts=lasts,
        is_read_only=is_read_only,
        browser=BROWSER,
    )
    return open_pending(sealed.reveal(), browser=BROWSER)


def allowed(asked: AuthorizationRequest | None = None, *, connection: str = "", **more: Any) -> Allowed:
    """What both pages lead to."""
    return allow(pending(asked, **more), actor="Ana <ana@example.com>", connection=connection)


def answered(address: str) -> dict[str, str]:
    """The parameters in the address to which the browser is led."""
    return {name: value for name, (value,) in parse_qs(urlsplit(address).query).items()}
