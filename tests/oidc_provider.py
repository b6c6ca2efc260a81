"""Small OpenID Connect providers on loopback: authorization code with PKCE, signed tokens, keys, userinfo.

Several may run at a time; each is an issuer of its own. `visit` takes a test's browser there and back.
"""

import base64
import hashlib
import json
import secrets
import threading
import time
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from dataclasses import dataclass, field
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from typing import Any
from urllib.parse import parse_qs, urlencode, urlsplit
from urllib.request import HTTPRedirectHandler, build_opener

import jwt
from cryptography.hazmat.primitives.asymmetric import rsa
from django.test import Client

from hoursmith_console.sign_in.oidc import settings as oidc_settings

CLIENT_ID, CLIENT_SECRET = "console", "known to both"


@dataclass
class Provider:
    """Signs in whoever `person` says. The other fields are what a faulty or hostile provider would change."""

    port: int = 0
    person: dict[str, Any] = field(default_factory=dict)
    claims: dict[str, Any] = field(default_factory=dict)
    userinfo: dict[str, Any] = field(default_factory=dict)
    description: dict[str, Any] = field(default_factory=dict)
    algorithm: str = "RS256"
    is_forged: bool = False
    asked: list[dict[str, str]] = field(default_factory=list)
    codes: dict[str, dict[str, str]] = field(default_factory=dict)
    key: rsa.RSAPrivateKey = field(default_factory=lambda: rsa.generate_private_key(65537, 2048))

    @property
    def issuer(self) -> str:
        return f"http://127.0.0.1:{self.port}"

    def describe(self) -> dict[str, Any]:
        base = self.issuer
        return {
            "issuer": base,
            "authorization_endpoint": f"{base}/authorize",
            "token_endpoint": f"{base}/token",
            "userinfo_endpoint": f"{base}/userinfo",
            "jwks_uri": f"{base}/keys",
            "token_endpoint_auth_methods_supported": ["client_secret_post"],
            **self.description,
        }

    def authorize(self, query: dict[str, str]) -> str:
        """Where the browser goes back to, with a code."""
        self.asked.append(query)
        code = secrets.token_urlsafe(16)
        self.codes[code] = query
        return f"{query['redirect_uri']}?{urlencode({'code': code, 'state': query['state']})}"

    def token(self, form: dict[str, str]) -> dict[str, Any] | None:
        """The tokens for a code, once, to whoever asked for it; None for everybody else."""
        asked = self.codes.pop(form.get("code", ""), None)
        challenge = base64.urlsafe_b64encode(hashlib.sha256(form.get("code_verifier", "").encode()).digest())
        if (
            asked is None
            or (form.get("client_id"), form.get("client_secret")) != (CLIENT_ID, CLIENT_SECRET)
            or form.get("redirect_uri") != asked["redirect_uri"]
            or challenge.rstrip(b"=").decode() != asked["code_challenge"]
        ):
            return None
        return {
            "access_token": "for userinfo",
            "token_type": "Bearer",
            "expires_in": 60,
            "id_token": self.signed(asked),
        }

    def signed(self, asked: dict[str, str]) -> str:
        now = int(time.time())
        claims = {"iss": self.issuer, "aud": CLIENT_ID, "iat": now, "exp": now + 60, "nonce": asked.get("nonce")}
        claims |= {**self.person, **self.claims}
        key: Any = rsa.generate_private_key(65537, 2048) if self.is_forged else self.key
        if self.algorithm == "none":
            key = None
        elif self.algorithm.startswith("HS"):
            key = "a secret of thirty-two characters"
        return jwt.encode(claims, key, algorithm=self.algorithm, headers={"kid": "1"})

    def keys(self) -> dict[str, Any]:
        public = json.loads(jwt.algorithms.RSAAlgorithm.to_jwk(self.key.public_key()))
        return {"keys": [{**public, "kid": "1", "alg": "RS256", "use": "sig"}]}


def configure(settings: Any, provider: Provider) -> None:
    """Let the console use `provider`, as after a start with its issuer in OIDC_ISSUER."""
    settings.OIDC = {"issuer": provider.issuer, "client_id": CLIENT_ID, "secret": CLIENT_SECRET, "name": "Example"}
    settings.SOCIALACCOUNT_PROVIDERS = oidc_settings.oidc_provider(settings.OIDC)


class _Stay(HTTPRedirectHandler):
    def redirect_request(self, *_: Any) -> None:
        return None


def visit(client: Client, address: str = "/accounts/openid/login/", **form: str) -> Any:
    """Post a form that leads to the provider, go there and come back; return what the console then answers."""
    leaving = client.post(address, form)
    assert leaving.status_code == 200, (leaving.status_code, leaving.content.decode())
    try:
        build_opener(_Stay).open(leaving["Refresh"].removeprefix("0; url="), timeout=5)
    except OSError as redirect:
        back = urlsplit(redirect.headers["Location"])  # type: ignore[attr-defined]
        redirect.close()  # type: ignore[attr-defined]
    return client.get(f"{back.path}?{back.query}")


@contextmanager
def oidc_provider() -> Iterator[Provider]:
    """A provider that listens until the end of the block."""
    provider = Provider()

    class Handler(BaseHTTPRequestHandler):
        def do_GET(self) -> None:
            parts = urlsplit(self.path)
            if parts.path == "/authorize":
                query = {name: values[0] for name, values in parse_qs(parts.query).items()}
                self.send_response(302)
                self.send_header("Location", provider.authorize(query))
                self.end_headers()
                return
            answers: dict[str, Callable[[], Any]] = {
                "/.well-known/openid-configuration": provider.describe,
                "/keys": provider.keys,
                "/userinfo": lambda: provider.userinfo,
            }
            self._json(answers[parts.path]() if parts.path in answers else None)

        def do_POST(self) -> None:
            body = self.rfile.read(int(self.headers["Content-Length"])).decode()
            self._json(provider.token({name: values[0] for name, values in parse_qs(body).items()}))

        def _json(self, answer: Any) -> None:
            self.send_response(400 if answer is None else 200)
            self.send_header("Content-Type", "application/json")
            self.end_headers()
            self.wfile.write(json.dumps(answer or {"error": "invalid_request"}).encode())

        def log_message(self, format: str, *args: Any) -> None:
            """Say nothing."""

    server = ThreadingHTTPServer(("127.0.0.1", 0), Handler)
    provider.port = server.server_port
    thread = threading.Thread(target=server.serve_forever, args=(0.05,), daemon=True)
    thread.start()
    try:
        yield provider
    finally:
        server.shutdown()
        server.server_close()
        thread.join()
