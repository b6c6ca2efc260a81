import pytest

from mcpbridge.core.networks import parse_networks
from mcpbridge.http.addresses import AllowedHosts, client_address

PROXIES = parse_networks(["10.0.0.0/8", "fd00::/8"])


def test_without_trusted_proxies_the_forwarded_header_is_a_strangers_claim():
    assert client_address("203.0.113.9", ["1.2.3.4"], ()) == "203.0.113.9"


def test_a_peer_that_is_no_proxy_is_not_believed():
    assert client_address("203.0.113.9", ["1.2.3.4"], PROXIES) == "203.0.113.9"


def test_the_nearest_address_that_a_proxy_vouches_for_is_taken():
    assert client_address("10.0.0.2", ["6.6.6.6, 198.51.100.7, 10.0.0.1"], PROXIES) == "198.51.100.7"


def test_header_lines_are_read_in_their_order():
    assert client_address("10.0.0.2", ["6.6.6.6", "198.51.100.7"], PROXIES) == "198.51.100.7"


def test_nonsense_in_the_header_ends_the_search():
    assert client_address("10.0.0.2", ["6.6.6.6, <script>"], PROXIES) == "10.0.0.2"


def test_ipv6_proxies_and_clients_are_known():
    assert client_address("fd00::1", ["2001:db8::5"], PROXIES) == "2001:db8::5"


@pytest.mark.parametrize(
    ("written", "address"),
    [
        ("203.0.113.10:54321", "203.0.113.10"),
        ("[2001:db8::1]:443", "2001:db8::1"),
        ("[2001:db8::1]", "2001:db8::1"),
        ("2001:DB8:0:0::1", "2001:db8::1"),
        ("::ffff:203.0.113.10", "203.0.113.10"),
        ("::FFFF:cb00:710a", "203.0.113.10"),
        ("[::ffff:203.0.113.10]:443", "203.0.113.10"),
        ("fe80::1%eth0", "fe80::1"),
    ],
)
def test_one_host_has_one_address_however_it_is_written(written, address):
    assert client_address("10.0.0.2", [f"6.6.6.6, {written}, 10.0.0.1:80"], PROXIES) == address
    assert client_address(written.strip("[]").removesuffix("]:443"), ["1.2.3.4"], ()) == address


@pytest.mark.parametrize(
    "written",
    [
        "203.0.113.10:",
        "203.0.113.10:http",
        "203.0.113.10:123456",
        "[2001:db8::1]443",
        "[2001:db8::1",
        "a:80",
        ":80",
        "",
    ],
)
def test_what_is_no_address_with_a_port_ends_the_search(written):
    assert client_address("10.0.0.2", [f"6.6.6.6, {written}"], PROXIES) == "10.0.0.2"


@pytest.mark.parametrize("network", ["10.0.0.0/8", "::ffff:10.0.0.0/104", "::ffff:a00:2"])
@pytest.mark.parametrize("peer", ["10.0.0.2", "::ffff:10.0.0.2", "::ffff:a00:2"])
def test_a_proxy_is_known_in_either_family(network, peer):
    assert client_address(peer, ["198.51.100.7"], parse_networks([network])) == "198.51.100.7"
    assert client_address(peer, ["198.51.100.7"], parse_networks(["::/96", "192.0.2.0/24"])) == "10.0.0.2"


def test_a_wrong_network_in_the_settings_is_refused():
    with pytest.raises(ValueError, match="not-a-network"):
        parse_networks(["not-a-network"])


@pytest.mark.parametrize(
    ("host", "is_ours"),
    [
        ("localhost:8000", True),
        ("127.0.0.1", True),
        ("[::1]:8000", True),
        ("LOCALHOST", True),
        ("console.example.com", True),
        ("evil.example.com", False),
        ("127.0.0.1.evil.example.com", False),
        ("localhost.evil.example.com:80", False),
        ("", False),
        ("localhost:80:80", False),
        ("local host", False),
    ],
)
def test_only_our_own_host_names_are_answered(host, is_ours):
    audience = AllowedHosts(["localhost", "127.0.0.1", "[::1]", "console.example.com"])
    assert audience.allows_host(host) is is_ours
    assert audience.allows_origin(f"http://{host}") is is_ours


@pytest.mark.parametrize(
    "origin", ["null", "file://", "chrome-extension://abc", "http://", "://localhost", "http://[::1"]
)
def test_origins_that_are_no_web_page_of_ours_are_refused(origin):
    assert AllowedHosts(["localhost"]).allows_origin(origin) is False
