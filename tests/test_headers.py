"""Strict headers and cookies on every answer, as a browser gets them through a proxy with TLS."""

import re
from collections.abc import Iterator
from dataclasses import dataclass, field
from urllib.parse import urlencode

import httpx
import pytest

from hoursmith_console.middleware.body_limit import MAX_BODY_BYTES
from tests.page_urls import account_routes, console_routes, filled
from tests.servers import Served, served_console

HOST = "console.example.com"
PROXIED = {"Host": HOST, "X-Forwarded-For": "198.51.100.7", "X-Forwarded-Proto": "https"}
# Keys for verifiers, an extension without secrets, and scripts and styles, whose names change with them: may be kept.
PUBLIC = ("/audit/key", "/connect/", "/static/")
# Scripts and styles in the page itself; a block of JSON is data.
_INLINE = r"<script(?![^>]*\b(?:src=|type=\"application/json\"))|<style|\sstyle=|<[^>]*\son\w+="


@dataclass
class Browser:
    """Keeps cookies over a line that is really http, which a browser behind the proxy does not see."""

    url: str
    cookies: dict[str, str] = field(default_factory=dict)
    set_cookies: list[str] = field(default_factory=list)

    def ask(self, method: str, path: str, **more: object) -> httpx.Response:
        headers = {
            **PROXIED,
            "Origin": f"https://{HOST}",
            "Cookie": "; ".join(f"{name}={value}" for name, value in self.cookies.items()),
            **more.pop("headers", {}),  # type: ignore[dict-item]
        }
        answer = httpx.request(method, self.url + path, headers=headers, timeout=20, **more)  # type: ignore[arg-type]
        for line in answer.headers.get_list("set-cookie"):
            self.set_cookies.append(line)
            name, _, rest = line.partition("=")
            self.cookies[name] = rest.partition(";")[0]
        return answer

    def get(self, path: str) -> httpx.Response:
        return self.ask("GET", path)

    def form(self, page: str) -> dict[str, str]:
        """What a form of `page` needs to be taken."""
        found = re.search(r'name="csrfmiddlewaretoken" value="([^"]+)"', self.get(page).text)
        assert found is not None
        return {"csrfmiddlewaretoken": found[1]}


@pytest.fixture(scope="module")
def served(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Served]:
    env = {"PUBLIC_URL": f"https://{HOST}", "TRUSTED_PROXIES": "127.0.0.1", "SANDBOX": "on"}
    with served_console(tmp_path_factory.mktemp("headers"), env=env) as running:
        yield running


@pytest.fixture(scope="module")
def owner(served: Served) -> Browser:
    """The workspace's owner, signed in."""
    browser = Browser(served.url)
    person = served.person("OWNER")
    form = {**browser.form("/accounts/login/"), "login": person["email"], "password": person["password"]}
    assert browser.ask("POST", "/accounts/login/", data=form).headers["location"] == "/"
    assert browser.get("/").status_code == 200
    return browser


def assert_strict(answer: httpx.Response) -> None:
    """What every answer of ours has, whatever it is."""
    headers, where = answer.headers, f"{answer.request.method} {answer.url.path} {answer.status_code}"
    # Over http a browser must ignore it (RFC 6797 7.2): there the answer is a redirect to https.
    if answer.status_code != 301:
        assert headers["strict-transport-security"] == "max-age=31536000; includeSubDomains; preload", where
    assert headers["x-content-type-options"] == "nosniff", where
    assert headers["cross-origin-resource-policy"] == "same-origin", where
    assert headers["referrer-policy"] in ("same-origin", "no-referrer"), where
    assert "default-src 'none'" in headers["content-security-policy"], where
    assert "frame-ancestors 'none'" in headers["content-security-policy"], where
    assert "unsafe" not in headers["content-security-policy"], where
    assert "access-control-allow-origin" not in headers, where
    assert not re.search(r"\d", headers.get("server", "")), where
    if not answer.url.path.startswith(PUBLIC):
        assert "no-store" in headers["cache-control"], where


def assert_strict_page(answer: httpx.Response) -> None:
    """What every page has besides."""
    assert_strict(answer)
    headers, where = answer.headers, f"{answer.url.path} {answer.status_code}"
    assert headers["cross-origin-opener-policy"] == "same-origin", where
    assert "camera=()" in headers["permissions-policy"], where
    assert headers["x-frame-options"] == "DENY", where
    for directive in (
        "script-src 'self'",
        "worker-src 'self'",
        "style-src 'self'",
        "form-action 'self'",
        "base-uri 'none'",
    ):
        assert directive in headers["content-security-policy"], where
    if answer.headers.get("content-type", "").startswith("text/html"):
        assert not re.search(_INLINE, answer.text), where


def test_every_page_that_the_console_has(served: Served, owner: Browser) -> None:
    seen = set()
    for route in [*console_routes(), *(route for route in account_routes() if "logout" not in route)]:
        for browser in (Browser(served.url), owner):
            answer = browser.get(filled(route))
            assert answer.status_code in (200, 204, 302, 400, 403, 404, 405), route
            assert_strict_page(answer)
            seen.add(answer.status_code)
    assert {200, 302, 404, 405} <= seen


@pytest.mark.parametrize(
    ("method", "path", "status", "more"),
    [
        ("GET", "/nothing/here/", 404, {}),
        ("GET", "/accounts/nothing/", 404, {}),
        ("GET", "/static/nothing.js", 404, {}),
        ("POST", "/accounts/login/", 403, {"data": {"login": "x"}}),
        ("POST", "/accounts/login/", 403, {"headers": {"Origin": "https://evil.example"}}),
        ("GET", "/accounts/login/", 400, {"headers": {"Host": "evil.example"}}),
        ("GET", "/accounts/login/", 301, {"headers": {"X-Forwarded-Proto": "http"}}),
        ("TRACE", "/tokens/", 302, {}),
        ("GET", "/audit/key", 200, {}),
        ("GET", "/connect/hoursmith.mcpb", 200, {}),
        ("GET", "/sandbox/api/v1/me", 401, {}),
        ("GET", "/sandbox/api/openapi.json", 200, {}),
        ("POST", "/workspace/", 403, {}),
    ],
)
def test_error_pages_and_what_is_no_page(served: Served, method: str, path: str, status: int, more: dict) -> None:
    answer = Browser(served.url).ask(method, path, **more)
    assert answer.status_code == status
    assert_strict_page(answer)


@pytest.mark.parametrize(
    ("method", "path", "status"),
    [
        ("GET", "/.well-known/oauth-protected-resource", 200),
        ("GET", "/.well-known/oauth-protected-resource/mcp/readonly", 200),
        ("GET", "/.well-known/oauth-protected-resource/tokens", 404),
        ("GET", "/.well-known/oauth-authorization-server", 200),
        ("GET", "/.well-known/openid-configuration", 404),
        ("GET", "/register", 405),
        ("POST", "/register", 400),
        ("OPTIONS", "/register", 204),
        ("GET", "/token", 405),
        ("POST", "/token", 400),
        ("OPTIONS", "/token", 204),
        ("POST", "/revoke", 400),
        ("OPTIONS", "/revoke", 204),
    ],
)
def test_programs_in_any_web_page_may_read_the_answers_of_oauth_without_cookies(
    served: Served, method: str, path: str, status: int
) -> None:
    answer = Browser(served.url).ask(method, path, headers={"Origin": "https://inspector.example"})
    assert answer.status_code == status
    assert answer.headers.pop("access-control-allow-origin") == "*"
    assert "access-control-allow-credentials" not in answer.headers
    assert "set-cookie" not in answer.headers
    assert_strict_page(answer)


RENAME = "from django.db import connection as c; c.cursor().execute('ALTER TABLE"


def test_what_the_database_refuses_has_them_too(served: Served, owner: Browser) -> None:
    # Its tables away, the console can answer nothing else.
    served.shell(f"{RENAME} mcpbridge_observedtoken RENAME TO gone'); print('true')")
    try:
        answer = owner.get("/tokens/")
        assert answer.status_code == 503
        assert_strict_page(answer)
        assert "gone" not in answer.text
        assert "Traceback" not in answer.text
    finally:
        served.shell(f"{RENAME} gone RENAME TO mcpbridge_observedtoken'); print('true')")


@pytest.mark.parametrize(
    ("method", "path", "status"),
    [
        ("POST", "/mcp", 401),
        ("GET", "/mcp", 405),
        ("POST", "/mcp/nothing", 404),
        ("GET", "/healthz", 200),
        ("GET", "/readyz", 200),
        ("GET", "/metrics", 404),
    ],
)
def test_what_answers_before_the_pages(served: Served, method: str, path: str, status: int) -> None:
    answer = Browser(served.url).ask(method, path)
    assert answer.status_code == status
    assert_strict(answer)


def test_monitoring_gets_them(served: Served) -> None:
    answer = httpx.get(f"{served.url}/metrics")
    assert answer.status_code == 200
    assert_strict(answer)


def test_static_files_may_be_kept_and_nothing_else(owner: Browser) -> None:
    found = re.search(r'href="(/static/[^"]+\.css)"', owner.get("/").text)
    assert found is not None
    answer = owner.get(found[1])
    assert "immutable" in answer.headers["cache-control"]
    assert_strict_page(answer)


def test_a_body_that_no_page_has_use_for_is_refused_whether_or_not_it_says_so(served: Served) -> None:
    def drip() -> Iterator[bytes]:
        for _ in range(MAX_BODY_BYTES // 65536 + 2):
            yield b"x" * 65536

    for body in (b"x" * (MAX_BODY_BYTES + 1), drip()):
        answer = Browser(served.url).ask("POST", "/accounts/login/", content=body)
        assert answer.status_code == 413
        assert_strict(answer)


def test_an_authorization_page_keeps_its_opener_and_nothing_else_does(served: Served, owner: Browser) -> None:
    visitor = Browser(served.url)
    made = visitor.ask("POST", "/register", json={"redirect_uris": ["http://localhost:8123/callback"]}).json()
    said = {
        "response_type": "code", "client_id": made["client_id"], "redirect_uri": "http://localhost:8123/callback",
        "code_challenge": "c" * 43, "code_challenge_method": "S256",
    }  # fmt: skip
    for browser in (visitor, owner):
        page = browser.get(f"/authorize?{urlencode(said)}")
        assert page.status_code == 200
        assert_strict(page)
        assert page.headers["cross-origin-opener-policy"] == "unsafe-none"
        assert "form-action 'self'" in page.headers["content-security-policy"]
        assert not re.search(_INLINE, page.text)
        assert_strict_page(browser.get("/"))
    assert any(line.startswith("__Host-authorizing=") for line in owner.set_cookies)
    owner.cookies.pop("__Host-authorizing")


def test_cookies_belong_to_this_host_alone_and_no_script_reads_them(owner: Browser) -> None:
    names = {line.partition("=")[0] for line in owner.set_cookies}
    assert {"__Host-session", "__Host-csrf"} <= names
    for line in owner.set_cookies:
        attributes = {part.strip().lower() for part in line.split(";")[1:]}
        assert line.startswith("__Host-"), line.partition("=")[0]
        assert {"secure", "httponly", "path=/", "samesite=lax"} <= attributes, line.partition("=")[0]
        assert not any(attribute.startswith("domain") for attribute in attributes)
