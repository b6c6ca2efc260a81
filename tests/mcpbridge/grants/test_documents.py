"""Documents of unknown assistants are fetched only if that is allowed, from where it is allowed, and little of them."""

import json
import socket
import ssl
import threading
import time
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any

import pytest
from pytest_django import Settings

from mcpbridge.grants import documents
from mcpbridge.grants.clients import UnknownClientError, find_client
from mcpbridge.grants.documents import DocumentError, document_at, forget_documents
from tests.certificates import self_signed

HOST = "assistant.example.com"
CLIENT_ID = f"https://{HOST}/oauth/client.json"
CALLBACK = f"https://{HOST}/callback"
DOCUMENT = {
    "client_id": CLIENT_ID,
    "client_name": "An  Assistant",
    "redirect_uris": [CALLBACK, "http://localhost:3000/cb"],
    "token_endpoint_auth_method": "none",
}


class Vendor:
    """A TLS server that answers each connection with the bytes in `answer`, in pieces with a pause between them."""

    def __init__(self, certificate: Path) -> None:
        self.asked: list[bytes] = []
        self.answer = reply(DOCUMENT)
        self.pause_s = 0.0
        self._tls = ssl.SSLContext(ssl.PROTOCOL_TLS_SERVER)
        self._tls.load_cert_chain(certificate)
        self._listener = socket.create_server(("127.0.0.1", 0))
        self.port = self._listener.getsockname()[1]
        threading.Thread(target=self._serve, daemon=True).start()

    def close(self) -> None:
        self._listener.close()

    def _serve(self) -> None:
        while True:
            try:
                line, _ = self._listener.accept()
                with self._tls.wrap_socket(line, server_side=True) as connected:
                    self.asked.append(connected.recv(65536))
                    if not self.pause_s:
                        connected.sendall(self.answer)
                        continue
                    for place in range(len(self.answer)):
                        connected.sendall(self.answer[place : place + 1])
                        time.sleep(self.pause_s)
            except ssl.SSLError:
                continue
            except OSError:
                if self._listener.fileno() < 0:
                    return


def reply(said: Any, *headers: str, status: str = "200 OK", kind: str = "application/json") -> bytes:
    body = said if isinstance(said, bytes) else json.dumps(said).encode()
    lines = [
        f"HTTP/1.1 {status}",
        f"Content-Type: {kind}",
        f"Content-Length: {len(body)}",
        "Connection: close",
        *headers,
    ]
    return "\r\n".join([*lines, "", ""]).encode() + body


@pytest.fixture(scope="module")
def certificate(tmp_path_factory: pytest.TempPathFactory) -> Path:
    return self_signed(tmp_path_factory.mktemp("tls"), names=[HOST])


@pytest.fixture
def addresses() -> list[str]:
    """What the host's name resolves to."""
    return ["127.0.0.1"]


@pytest.fixture
def vendor(
    certificate: Path, addresses: list[str], monkeypatch: pytest.MonkeyPatch, settings: Settings
) -> Iterator[Vendor]:
    forget_documents()
    settings.OAUTH_CLIENTS = "any"
    settings.LOG_DESTINATION_PRIVATE_NETWORKS = ["127.0.0.0/8"]
    found = socket.getaddrinfo

    def resolve(host: Any, port: Any, *more: Any, **named: Any) -> list[Any]:
        if host == HOST:
            return [each for address in addresses for each in found(address, port, *more, **named)]
        return found(host, port, *more, **named)

    made = Vendor(certificate)
    monkeypatch.setattr(socket, "getaddrinfo", resolve)
    monkeypatch.setattr(documents, "PORT", made.port)
    monkeypatch.setenv("SSL_CERT_FILE", str(certificate))
    yield made
    made.close()
    forget_documents()


def test_a_document_is_fetched_once_and_says_who_it_is(vendor: Vendor) -> None:
    for _ in range(2):
        client = find_client(CLIENT_ID)
        assert (client.name, client.host) == ("An Assistant", HOST)
        assert client.accepts(CALLBACK)
        assert client.accepts("http://localhost:4000/cb")
        assert not client.accepts(f"https://{HOST}/other")
    (asked,) = vendor.asked
    assert asked.startswith(b"GET /oauth/client.json HTTP/1.1\r\n")
    assert f"\r\nHost: {HOST}\r\n".encode() in asked


def test_it_is_not_fetched_unless_the_operator_allows_it(vendor: Vendor, settings: Settings) -> None:
    settings.OAUTH_CLIENTS = "known"
    with pytest.raises(UnknownClientError, match="An operator can allow it"):
        find_client(CLIENT_ID)
    assert not vendor.asked


@pytest.mark.parametrize("address", ["10.0.0.1", "127.0.0.1", "169.254.169.254", "::1", "fd00::1"])
def test_it_is_never_fetched_from_inside_the_network(
    vendor: Vendor, addresses: list[str], address: str, settings: Settings
) -> None:
    settings.LOG_DESTINATION_PRIVATE_NETWORKS = []
    # One address inside is enough, whichever the connection would have gone to.
    addresses[:] = ["93.184.215.14", address]
    with pytest.raises(DocumentError, match="not on the public internet"):
        document_at(CLIENT_ID)
    assert not vendor.asked


@pytest.mark.parametrize(
    "client_id",
    [
        f"https://{HOST}",
        f"https://{HOST}/",
        f"https://{HOST}:443/client.json",
        f"https://user@{HOST}/client.json",
        f"https://{HOST}/a/../client.json",
        f"https://{HOST}/./client.json",
        f"https://{HOST}/client.json?x=1",
        f"https://{HOST}/client.json#x",
        f"https://{HOST}/client%2ejson",
        f"https://{HOST}//client.json",
        f"https://{HOST}./client.json",
        f"https://{HOST.upper()}/client.json",
        "https://127.0.0.1/client.json",
        "https://localhost/client.json",
        "https://[::1]/client.json",
        "https://console.example.com/client.json",
    ],
)
def test_other_addresses_are_not_asked(vendor: Vendor, client_id: str, settings: Settings) -> None:
    settings.PUBLIC_URL = "https://console.example.com"
    with pytest.raises(DocumentError):
        document_at(client_id)
    assert not vendor.asked


@pytest.mark.parametrize(
    "answer",
    [
        reply(DOCUMENT, status="404 Not Found"),
        reply(DOCUMENT, f"Location: {CLIENT_ID}", status="302 Found"),
        reply(DOCUMENT, kind="text/html"),
        reply(DOCUMENT, "Content-Encoding: gzip"),
        reply({**DOCUMENT, "padding": "x" * 6000}),
        reply({**DOCUMENT, "client_id": f"{CLIENT_ID}/"}),
        reply({key: value for key, value in DOCUMENT.items() if key != "client_id"}),
        reply({**DOCUMENT, "redirect_uris": CALLBACK}),
        reply({**DOCUMENT, "redirect_uris": [1]}),
        reply({**DOCUMENT, "token_endpoint_auth_method": "private_key_jwt"}),
        reply({**DOCUMENT, "token_endpoint_auth_method": "client_secret_basic"}),
        reply(b"[]"),
        reply(b"\xff"),
        reply(b"[" * 5000),
        b"nonsense\r\n\r\n",
        b"",
    ],
)
def test_what_is_no_document_is_not_kept(vendor: Vendor, answer: bytes) -> None:
    good, vendor.answer = vendor.answer, answer
    with pytest.raises(DocumentError, match=HOST):
        document_at(CLIENT_ID)
    vendor.answer = good
    assert document_at(CLIENT_ID).name == "An Assistant"


@pytest.mark.parametrize("offered", [["private_key_jwt", "none"], ["none"]])
def test_an_assistant_that_prefers_a_key_may_come_without_one(vendor: Vendor, offered: list[str]) -> None:
    said = {"token_endpoint_auth_method": "private_key_jwt", "token_endpoint_auth_methods_supported": offered}
    vendor.answer = reply({**DOCUMENT, **said})
    assert document_at(CLIENT_ID).redirects[0] == CALLBACK


def test_a_server_that_drips_is_left_at_the_time_limit(vendor: Vendor, monkeypatch: pytest.MonkeyPatch) -> None:
    vendor.pause_s = 0.05
    monkeypatch.setattr(documents, "LIMIT_S", 0.3)
    with pytest.raises(DocumentError, match="cannot be read"):
        document_at(CLIENT_ID)


def test_a_certificate_of_another_host_is_refused(vendor: Vendor, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.delenv("SSL_CERT_FILE")
    with pytest.raises(DocumentError, match="cannot be read"):
        document_at(CLIENT_ID)


@pytest.mark.parametrize(
    ("said", "seconds"),
    [("", 300), ("max-age=0", 300), ("no-store", 300), ("public, max-age=7200", 7200), ("max-age=99999999", 86400)],
)
def test_it_is_kept_for_as_long_as_it_says_within_limits(
    vendor: Vendor, said: str, seconds: int, monkeypatch: pytest.MonkeyPatch
) -> None:
    now = time.monotonic()
    vendor.answer = reply(DOCUMENT, f"Cache-Control: {said}")
    clock: list[Callable[[], float]] = [lambda: now]
    monkeypatch.setattr(documents.time, "monotonic", lambda: clock[0]())
    document_at(CLIENT_ID)
    for later, times in ((seconds - 1, 1), (seconds, 2)):
        clock[0] = lambda later=later: now + later
        document_at(CLIENT_ID)
        assert len(vendor.asked) == times
