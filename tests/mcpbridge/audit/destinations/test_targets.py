"""A destination calls the public internet and what the operator named, and nothing that lies inside."""

import socket
from typing import Any

import pytest

from mcpbridge.audit.destinations.errors import UndeliveredError
from mcpbridge.audit.destinations.targets import (
    RefusedTargetError,
    Target,
    checked_addresses,
    syslog_target,
    webhook_target,
)
from mcpbridge.audit.destinations.transports.deadline_socket import DeadlineSocket
from tests.certificates import self_signed
from tests.mcpbridge.audit.destinations.receivers import SyslogReceiver
from tests.token_shapes import assembled_token

INSIDE = [
    "127.0.0.1",
    "127.1",
    "2130706433",
    "0x7f000001",
    "0x7f.1",
    "0177.0.0.1",
    "0.0.0.0",
    "0",
    "10.1.2.3",
    "172.16.0.1",
    "192.168.1.1",
    "100.64.0.1",
    "100.100.100.200",
    "169.254.169.254",
    "168.63.129.16",
    "192.0.0.192",
    "198.18.0.1",
    "224.0.0.1",
    "239.255.255.250",
    "240.0.0.1",
    "255.255.255.255",
    "192.88.99.1",
    "::",
    "::1",
    "::127.0.0.1",
    "::ffff:127.0.0.1",
    "::ffff:169.254.169.254",
    "::ffff:a00:1",
    "64:ff9b::a9fe:a9fe",
    "64:ff9b:1::1",
    "2002:7f00:1::",
    "2001:0:7f00:1::",
    "fe80::1",
    "fec0::1",
    "fc00::1",
    "fd00:ec2::254",
    "ff02::1",
    "2001:db8::1",
    "::ffff:0:7f00:1",
    "::ffff:0:127.0.0.1",
    "100::1",
    "fe80::1%1",
    "::1%1",
    "127.0.0.1.",
    "localhost.",
    "0x7f000001.",
    "017700000001",
    "127.0.0.1 ",
    "①②⑦.⓪.⓪.①",
    "127。0。0。1",
    "localhost",
]


@pytest.fixture(autouse=True)
def nothing_inside_is_named(settings: Any) -> None:
    settings.LOG_DESTINATION_PRIVATE_NETWORKS = []


@pytest.mark.parametrize("host", INSIDE)
def test_what_lies_inside_is_refused_however_it_is_written(host: str) -> None:
    with pytest.raises(RefusedTargetError, match="does not resolve to an address on the public internet"):
        checked_addresses(Target(host, 443, is_tls=True))


@pytest.mark.parametrize("address", ["93.184.215.14", "1.1.1.1", "::ffff:1.1.1.1", "2606:4700:4700::1111"])
def test_what_is_public_may_be_called(address: str) -> None:
    assert checked_addresses(Target(address, 443, is_tls=True)) == [address]


def resolver(*answers: str) -> Any:
    def getaddrinfo(host: str, port: int, *_: object, **__: object) -> list[Any]:
        return [(socket.AF_INET, socket.SOCK_STREAM, 6, "", (answer, port)) for answer in answers]

    return getaddrinfo


@pytest.mark.parametrize(
    "answers", [("10.0.0.7",), ("1.1.1.1", "10.0.0.7"), ("::ffff:10.0.0.7",), ("fe80::1%eth0",), ()]
)
def test_a_name_that_leads_inside_even_in_part_is_refused_like_one_that_leads_nowhere(
    monkeypatch: pytest.MonkeyPatch, answers: tuple[str, ...]
) -> None:
    monkeypatch.setattr(socket, "getaddrinfo", resolver(*answers))
    with pytest.raises(RefusedTargetError) as refused:
        checked_addresses(Target("siem.example.com", 443, is_tls=True))
    assert str(refused.value).startswith("siem.example.com does not resolve to an address on the public internet.")


def test_the_connection_goes_to_the_address_that_was_looked_at(monkeypatch: pytest.MonkeyPatch, settings: Any) -> None:
    settings.LOG_DESTINATION_PRIVATE_NETWORKS = ["127.0.0.2"]
    asked: list[str] = []

    def rebinding(host: str, port: int, *_: object, **__: object) -> list[Any]:
        asked.append(host)
        # Numbers are themselves; the name answers with what is inside from the second time on.
        answer = host if host[0].isdigit() else ["127.0.0.2", "127.0.0.1"][min(asked.count(host), 2) - 1]
        return [(socket.AF_INET, socket.SOCK_STREAM, 6, "", (answer, port))]

    with socket.socket() as inside, socket.socket() as looked_at:
        looked_at.bind(("127.0.0.2", 0))
        port = looked_at.getsockname()[1]
        inside.bind(("127.0.0.1", port))
        looked_at.listen()
        inside.listen()
        inside.settimeout(0.1)
        monkeypatch.setattr(socket, "getaddrinfo", rebinding)
        with DeadlineSocket(Target("siem.example.com", port, is_tls=False), limit_s=2):
            looked_at.accept()[0].close()
            with pytest.raises(TimeoutError):
                inside.accept()
    assert asked.count("siem.example.com") == 1


def test_networks_that_the_operator_named_may_be_called(settings: Any) -> None:
    settings.LOG_DESTINATION_PRIVATE_NETWORKS = ["10.20.0.0/16", "fd12::/16"]
    assert checked_addresses(Target("10.20.3.4", 443, is_tls=True)) == ["10.20.3.4"]
    assert checked_addresses(Target("::ffff:10.20.3.4", 443, is_tls=True))
    assert checked_addresses(Target("fd12::1", 443, is_tls=True)) == ["fd12::1"]
    with pytest.raises(RefusedTargetError):
        checked_addresses(Target("10.21.3.4", 443, is_tls=True))


def test_what_is_refused_is_refused_before_anything_is_sent() -> None:
    with socket.socket() as listener:
        listener.bind(("127.0.0.1", 0))
        listener.listen()
        listener.settimeout(0.1)
        with pytest.raises(RefusedTargetError):
            DeadlineSocket(Target("127.0.0.1", listener.getsockname()[1], is_tls=False), limit_s=1)
        with pytest.raises(TimeoutError):
            listener.accept()


@pytest.mark.parametrize(
    ("url", "target"),
    [
        ("https://siem.example.com", Target("siem.example.com", 443, True, "")),
        (
            "https://siem.example.com:8443/in/1?source=console",
            Target("siem.example.com", 8443, True, "/in/1?source=console"),
        ),
        ("https://siem.example.com?source=console", Target("siem.example.com", 443, True, "/?source=console")),
        ("https://[2606:4700::1111]/x", Target("2606:4700::1111", 443, True, "/x")),
        ("http://127.0.0.1:9000/in", Target("127.0.0.1", 9000, False, "/in")),
        ("http://localhost/in", Target("localhost", 80, False, "/in")),
    ],
)
def test_addresses_of_webhooks(url: str, target: Target) -> None:
    assert webhook_target(url) == target


TOKEN = assembled_token()
LONG = "dGhpcyBpcyBhIHNlY3JldA" + "x" * 12


@pytest.mark.parametrize(
    "url",
    [
        "http://siem.example.com/in",
        "http://10.0.0.1/in",
        "ftp://siem.example.com",
        "file:///etc/passwd",
        "gopher://127.0.0.1:6379/_x",
        "//siem.example.com",
        "siem.example.com",
        "https://",
        "https://ana:pass@siem.example.com/",
        "https://ana@siem.example.com/",
        "https://siem.example.com@127.0.0.1/",
        "https://siem.example.com/#part",
        "https://siem.example.com:0/",
        "https://siem.example.com:99999/",
        "https://siem.example.com:x/",
        "https://[::1",
        "https://siem.example.com\\@127.0.0.1/",
        "https://siem.example.com/ x",
        "https://siem.example.com/\r\nX-Evil: 1",
        "https://sïem.example.com/",
        "https://①②⑦.⓪.⓪.①/",
        "https://127。0。0。1/",
        "https://@127.0.0.1/",
        "https://siem.example.com:443@127.0.0.1/",
        "https://siem.example.com\t@127.0.0.1/",
        "https:\\\\127.0.0.1/",
        "https:///127.0.0.1/",
        "http://localhost.evil.example/in",
        "http://127.0.0.1.evil.example/in",
        "http://[::ffff:127.0.0.1]@evil.example/in",
        "http://2130706433/in",
        "https://siem.example.com/?token=abc",
        "https://siem.example.com/?api_key=abc",
        "https://siem.example.com/?X-Amz-Signature=abc",
        f"https://siem.example.com/?x={LONG}",
        f"https://siem.example.com/{TOKEN}",
    ],
)
def test_what_is_no_address_of_a_webhook(url: str) -> None:
    with pytest.raises(RefusedTargetError) as refused:
        webhook_target(url)
    assert TOKEN not in str(refused.value)
    assert LONG not in str(refused.value)


def test_addresses_of_syslog_servers() -> None:
    assert syslog_target("tls://siem.example.com") == Target("siem.example.com", 6514, True)
    assert syslog_target("tcp://10.0.0.7:601") == Target("10.0.0.7", 601, False)
    for url in (
        "udp://siem.example.com",
        "tls://siem.example.com/x",
        "tls://a@siem.example.com",
        "siem.example.com:6514",
    ):
        with pytest.raises(RefusedTargetError):
            syslog_target(url)


def test_a_certificate_that_nobody_vouches_for_is_refused(tmp_path: Any, settings: Any) -> None:
    settings.LOG_DESTINATION_PRIVATE_NETWORKS = ["127.0.0.0/8"]
    with SyslogReceiver(tls=self_signed(tmp_path)) as receiver, pytest.raises(UndeliveredError, match="certificate"):
        DeadlineSocket(Target("127.0.0.1", receiver.port, is_tls=True), limit_s=2)
