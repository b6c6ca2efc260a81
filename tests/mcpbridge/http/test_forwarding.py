import pytest

from mcpbridge.core.networks import parse_networks
from mcpbridge.http.forwarding import apply_forwarding_headers, is_forwarding_header

TRUSTED = parse_networks(["10.0.0.0/8"])
PROXY, STRANGER = "10.0.0.2", "203.0.113.9"
# Everything that some proxy, framework or cloud is known to send, with what a liar would put there.
SAID = {
    "X-Forwarded-For": "198.51.100.7",
    "X-Forwarded-Proto": "https",
    "X-Forwarded-Protocol": "https",
    "X-Forwarded-Host": "evil.example",
    "X-Forwarded-Port": "443",
    "X-Forwarded-Server": "evil.example",
    "X-Forwarded-Prefix": "/evil",
    "X-Forwarded-Path": "/evil",
    "X-Forwarded-Scheme": "https",
    "X-Forwarded-Ssl": "on",
    "X-Forwarded-User": "owner@example.com",
    "X_Forwarded_Proto": "https",
    "X_FORWARDED_FOR": "198.51.100.7",
    "X-Real-IP": "198.51.100.7",
    "X-Client-IP": "198.51.100.7",
    "X-Cluster-Client-IP": "198.51.100.7",
    "True-Client-IP": "198.51.100.7",
    "CF-Connecting-IP": "198.51.100.7",
    "Front-End-Https": "on",
    "X-Scheme": "https",
    "X-Url-Scheme": "https",
    "X-Host": "evil.example",
    "X-Original-Host": "evil.example",
    "X-Original-URL": "/evil",
    "X-Rewrite-URL": "/evil",
    "Forwarded": "for=198.51.100.7;proto=https;host=evil.example",
}


def scope_of(peer, *lines):
    headers = [(b"host", b"console.example"), *((name.lower().encode(), value.encode()) for name, value in lines)]
    return {"type": "http", "scheme": "http", "client": (peer, 4711), "headers": [*headers, (b"accept", b"*/*")]}


def seen(peer, *lines, trusted=TRUSTED):
    """Scheme, address and the names of the headers that are left."""
    scope = apply_forwarding_headers(scope_of(peer, *lines), trusted)
    return scope["scheme"], scope["client"][0], [name.decode() for name, _ in scope["headers"]]


@pytest.mark.parametrize("trusted", [TRUSTED, ()])
@pytest.mark.parametrize("name", SAID)
def test_a_peer_that_is_no_proxy_is_believed_nothing(name, trusted):
    assert seen(STRANGER, (name, SAID[name]), trusted=trusted) == ("http", STRANGER, ["host", "accept"])


@pytest.mark.parametrize("name", SAID)
def test_a_proxy_is_believed_the_address_and_the_scheme_and_nothing_else(name):
    believed = {"X-Forwarded-For": ("http", "198.51.100.7"), "X-Forwarded-Proto": ("https", PROXY)}
    assert seen(PROXY, (name, SAID[name])) == (*believed.get(name, ("http", PROXY)), ["host", "accept"])


def test_everything_at_once_from_either():
    assert seen(STRANGER, *SAID.items()) == ("http", STRANGER, ["host", "accept"])
    assert seen(PROXY, *SAID.items()) == ("https", "198.51.100.7", ["host", "accept"])


@pytest.mark.parametrize(
    ("lines", "scheme"),
    [
        ([("X-Forwarded-Proto", "HTTPS")], "https"),
        # A proxy that adds its word to the client's: the last one is its own.
        ([("X-Forwarded-Proto", "https, http")], "http"),
        ([("X-Forwarded-Proto", "https"), ("X-Forwarded-Proto", "http")], "http"),
        ([("X-Forwarded-Proto", "http,https")], "https"),
        ([("X-Forwarded-Proto", "")], "http"),
        ([("X-Forwarded-Proto", "javascript")], "http"),
    ],
)
def test_the_scheme_is_the_nearest_proxys_word(lines, scheme):
    assert seen(PROXY, *lines)[0] == scheme


def test_a_proxy_on_a_socket_for_both_families_is_known():
    assert seen(f"::ffff:{PROXY}", ("X-Forwarded-For", "198.51.100.7"))[1] == "198.51.100.7"
    assert seen(f"::ffff:{STRANGER}", ("X-Forwarded-For", "198.51.100.7"))[1] == STRANGER
    assert seen(f"::ffff:{STRANGER}")[1] == STRANGER


def test_a_request_without_such_headers_is_left_as_it_is():
    scope = scope_of(PROXY)
    assert apply_forwarding_headers(scope, TRUSTED) is scope
    assert not any(map(is_forwarding_header, [b"host", b"authorization", b"x-mcp-readonly", b"traceparent", b"via"]))
