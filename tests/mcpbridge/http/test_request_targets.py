"""Requests whose target is a whole URL (RFC 9112 section 3.2.2), sent byte by byte to a served console."""

import http.client
import json
import socket
from typing import NamedTuple

import pytest

from mcpbridge.http.request_targets import to_origin_form
from tests.servers import Served

PING = b'{"jsonrpc":"2.0","id":1,"method":"ping"}'
FOREIGN = "evil.example"


class Answer(NamedTuple):
    status: int
    location: str
    text: str


def ask(console: Served, target: str, *, host: str = "localhost", token: str = "") -> Answer:
    """GET `target`, or ping the bridge there where a token is given."""
    body = PING if token else b""
    head = f"{'POST' if token else 'GET'} {target} HTTP/1.1\r\nHost: {host}\r\nContent-Length: {len(body)}\r\n"
    if token:
        head += f"Authorization: Bearer {token}\r\nAccept: application/json\r\nContent-Type: application/json\r\n"
    with socket.create_connection(("127.0.0.1", console.port), timeout=30) as line:
        line.sendall(f"{head}\r\n".encode() + body)
        response = http.client.HTTPResponse(line)
        response.begin()
        return Answer(response.status, response.headers.get("Location", ""), response.read().decode())


@pytest.fixture(scope="module")
def owner_token(console: Served) -> str:
    return console.mint_for("OWNER", "Asks by URL")


# The Host header says nothing where the target names the host.
@pytest.mark.parametrize("host", ["localhost", FOREIGN, ""])
@pytest.mark.parametrize(
    "authority", ["http://localhost", "http://localhost:1", "HTTP://LOCALHOST", "https://127.0.0.1"]
)
def test_a_target_with_our_host_is_answered(console: Served, owner_token: str, authority: str, host: str) -> None:
    for path in ("/mcp", "/mcp/", "/mcp/readonly", "/%6dcp", "/mcp?x=http://evil.example/"):
        answer = ask(console, authority + path, host=host, token=owner_token)
        assert (answer.status, json.loads(answer.text)["id"]) == (200, 1)
    assert ask(console, f"{authority}/healthz", host=host).status == 200
    assert ask(console, f"{authority}/metrics", host=host).status == 200
    page = ask(console, f"{authority}/accounts/login/?next=/audit/%3Fq%3Dx", host=host)
    assert page.status == 200
    assert 'value="/audit/?q=x"' in page.text


@pytest.mark.parametrize("path", ["", "?x=1", "/"])
def test_a_target_without_a_path_means_the_first_page(console: Served, path: str) -> None:
    assert ask(console, f"http://localhost{path}") == ask(console, f"/{path.removeprefix('/')}")


@pytest.mark.parametrize(
    "authority",
    [FOREIGN, f"localhost.{FOREIGN}", f"localhost@{FOREIGN}", f"{FOREIGN}@localhost", "", ":80", "local%68ost"],
)
def test_a_target_with_another_host_is_refused_as_that_host_is(
    console: Served, owner_token: str, authority: str
) -> None:
    for path, token, status in (("/mcp", owner_token, 421), ("/accounts/login/", "", 400), ("/metrics", "", 404)):
        by_target = ask(console, f"http://{authority}{path}", token=token)
        by_header = ask(console, path, host=authority, token=token)
        assert by_target.status == by_header.status == status


@pytest.mark.parametrize(
    ("target", "status"),
    [
        ("ftp://localhost/mcp", 404),
        ("x://localhost/mcp", 404),
        ("localhost://mcp", 404),
        # A fragment is no part of a target at all.
        ("http://localhost#/mcp", 400),
    ],
)
def test_a_target_that_is_no_url_of_the_web_is_refused(
    console: Served, owner_token: str, target: str, status: int
) -> None:
    assert ask(console, target, token=owner_token).status == status


def test_the_target_does_not_say_that_the_connection_is_secure() -> None:
    scope = {
        "scheme": "http",
        "path": "https://localhost/mcp",
        "raw_path": b"https://localhost/mcp",
        "query_string": b"x=1",
        "headers": [(b"host", FOREIGN.encode()), (b"accept", b"*/*")],
    }
    assert to_origin_form(scope) == {
        "scheme": "http",
        "path": "/mcp",
        "raw_path": b"/mcp",
        "query_string": b"x=1",
        "headers": [(b"host", b"localhost"), (b"accept", b"*/*")],
    }
