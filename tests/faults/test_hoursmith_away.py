"""Hoursmith is down, slow or flaps, or somebody else sits at its address: clear answers, and no token given away."""

import datetime
import ipaddress
import itertools
import socket
import ssl
import threading
from collections.abc import Iterator
from concurrent.futures import ThreadPoolExecutor
from contextlib import contextmanager, suppress
from pathlib import Path

from cryptography import x509
from cryptography.hazmat.primitives import hashes, serialization
from cryptography.hazmat.primitives.asymmetric import ec
from cryptography.x509.oid import NameOID

from tests.faults import upstream
from tests.faults.conftest import UPSTREAM_TIMEOUT_S, Bench, bench, prefix_of
from tests.faults.mcp import call_tool
from tests.faults.upstream import Hoursmith, Line, Seen, new_token
from tests.token_shapes import assembled_token

INTENT = ("intent", "", None, "")


def test_while_it_is_down_nothing_was_sent_and_afterwards_all_is_well(either_bench: Bench) -> None:
    hoursmith, served = either_bench.hoursmith, either_bench.served
    token, record_id = hoursmith.mint(), hoursmith.record_for("delete_client")
    call_tool(served, token, "get_me")
    hoursmith.seen.clear()
    with hoursmith.down():
        read = call_tool(served, token, "list_clients")
        deletion = call_tool(served, token, "delete_client", {"id": record_id})
        stranger = call_tool(served, hoursmith.mint(), "list_clients")
    for got in (read, deletion, stranger):
        assert got.error["code"] in ("upstream_unreachable", "upstream_dropped")
        assert got.error["hint"]
    assert hoursmith.seen == []
    assert either_bench.record_of(prefix_of(token)) == [INTENT, ("outcome", "failed", 502, deletion.error["code"])]
    assert call_tool(served, token, "delete_client", {"id": record_id}).result["isError"] is False


def test_calls_of_an_outage_are_their_workspaces_also_after_a_restart(either_bench: Bench) -> None:
    hoursmith, served = either_bench.hoursmith, either_bench.served
    token = hoursmith.mint()
    assert call_tool(served, token, "get_me").result["isError"] is False
    either_bench.eventually(lambda: bool(either_bench.rows("observedtoken", "WHERE prefix = ?", prefix_of(token))))
    (seen,) = either_bench.rows("observedtoken", "WHERE prefix = ?", prefix_of(token))
    with hoursmith.down():
        served.stop()
        served.start()
        for secret in ("wrong1", "wrong2"):
            guessed = call_tool(served, assembled_token(prefix_of(token), secret=secret), "list_clients")
            assert guessed.error["code"] in ("upstream_unreachable", "upstream_dropped")
        for _ in range(20):
            call_tool(served, token, "list_clients")

        def rows() -> list[dict[str, object]]:
            return either_bench.rows("toolcall", "WHERE prefix = ? AND result = 'failed'", prefix_of(token))

        either_bench.eventually(lambda: len(rows()) >= 20)
    served.stop()
    assert [row["org_id"] for row in rows()] == [seen["org_id"]] * 20
    served.start()


def test_a_slow_answer_is_an_answer_and_holds_up_nobody_else(sqlite_bench: Bench) -> None:
    hoursmith, served = sqlite_bench.hoursmith, sqlite_bench.served
    token = hoursmith.mint()
    call_tool(served, token, "get_me")
    gate = upstream.Gate(hoursmith)
    slow = upstream.slowly(hoursmith, UPSTREAM_TIMEOUT_S / 3)
    with ThreadPoolExecutor(1) as pool:
        with hoursmith.failing("GET", gate):
            waiting = pool.submit(call_tool, served, token, "list_clients")
            assert gate.arrived.wait(10)
        # One call waits for Hoursmith; others go on meanwhile.
        for _ in range(3):
            assert call_tool(served, token, "list_clients").result["isError"] is False
        gate.may_answer.set()
        assert waiting.result(30).result["isError"] is False
    with hoursmith.failing("GET", slow):
        assert call_tool(served, token, "list_clients").result["isError"] is False


def test_while_it_flaps_each_call_is_made_once_and_each_answer_is_its_own(either_bench: Bench) -> None:
    hoursmith, served = either_bench.hoursmith, either_bench.served
    turn = itertools.count()
    faults = (upstream.drop_at_once, hoursmith.answer, upstream.refusing(500, "internal"), upstream.drop_in_body)

    def flap(line: Line, request: Seen) -> None:
        faults[next(turn) % len(faults)](line, request)

    tokens = [hoursmith.mint() for _ in range(8)]
    records = {token: hoursmith.record_for("delete_client") for token in tokens}
    with hoursmith.failing("DELETE", flap), ThreadPoolExecutor(8) as pool:
        answers = list(
            pool.map(lambda token: call_tool(served, token, "delete_client", {"id": records[token]}), tokens)
        )
    for token, got in zip(tokens, answers, strict=True):
        result = "failed" if got.result["isError"] else "succeeded"
        assert [row[:2] for row in either_bench.record_of(prefix_of(token))] == [("intent", ""), ("outcome", result)]
        assert len([seen for seen in hoursmith.changes if records[token] in seen.path]) == 1
    assert len([got for got in answers if not got.result["isError"]]) == 2


class Impostor:
    """Speaks TLS at Hoursmith's address with whatever certificate it is given, and keeps what it could read."""

    def __init__(self, folder: Path) -> None:
        self._folder = folder
        self._key = ec.generate_private_key(ec.SECP256R1())
        self._name = x509.Name([x509.NameAttribute(NameOID.COMMON_NAME, "Test authority")])
        self.authority = folder / "authority.pem"
        self.authority.write_bytes(self._signed(self._name, self._key, is_authority=True).public_bytes(_PEM))
        self._context = ssl.SSLContext(ssl.PROTOCOL_TLS_SERVER)
        self.heard: list[bytes] = []
        self._socket = socket.create_server(("127.0.0.1", 0))
        self.port = self._socket.getsockname()[1]
        threading.Thread(target=self._serve, daemon=True).start()

    def show(self, *, address: str = "127.0.0.1", days: int = 2, is_known: bool = True) -> None:
        """From now on show a certificate for `address`, `days` from now its last, by the known authority or nobody."""
        key = ec.generate_private_key(ec.SECP256R1())
        subject = x509.Name([x509.NameAttribute(NameOID.COMMON_NAME, "Hoursmith")])
        made = self._signed(subject, key, address=address, days=days, by=self._key if is_known else key)
        private = key.private_bytes(_PEM, serialization.PrivateFormat.PKCS8, serialization.NoEncryption())
        (self._folder / "shown.pem").write_bytes(made.public_bytes(_PEM) + private)
        self._context = ssl.SSLContext(ssl.PROTOCOL_TLS_SERVER)
        self._context.load_cert_chain(self._folder / "shown.pem")

    def _signed(
        self,
        subject: x509.Name,
        key: ec.EllipticCurvePrivateKey,
        *,
        address: str = "127.0.0.1",
        days: int = 2,
        by: ec.EllipticCurvePrivateKey | None = None,
        is_authority: bool = False,
    ) -> x509.Certificate:
        now = datetime.datetime.now(datetime.UTC)
        builder = x509.CertificateBuilder().subject_name(subject).issuer_name(self._name).public_key(key.public_key())
        builder = builder.serial_number(x509.random_serial_number())
        builder = builder.not_valid_before(now - datetime.timedelta(days=9))
        builder = builder.not_valid_after(now + datetime.timedelta(days=days))
        names = x509.SubjectAlternativeName([x509.IPAddress(ipaddress.ip_address(address))])
        builder = builder.add_extension(names, critical=False)
        builder = builder.add_extension(x509.BasicConstraints(ca=is_authority, path_length=None), critical=True)
        return builder.sign(by or self._key, hashes.SHA256())

    def _serve(self) -> None:
        while True:
            try:
                line, _ = self._socket.accept()
            except OSError:
                return
            # One at a time will do: whoever believes it says everything at once.
            with suppress(OSError), self._context.wrap_socket(line, server_side=True) as secure:
                secure.settimeout(5)
                self.heard.append(secure.recv(65536))
                secure.sendall(b"HTTP/1.1 401 No\r\nContent-Length: 0\r\nConnection: close\r\n\r\n")

    def end(self) -> None:
        self._socket.close()


_PEM = serialization.Encoding.PEM


@contextmanager
def impostor(folder: Path) -> Iterator[Impostor]:
    running = Impostor(folder)
    try:
        yield running
    finally:
        running.end()


def test_whoever_shows_a_wrong_certificate_hears_no_token(tmp_path: Path, hoursmith: Hoursmith) -> None:
    token = new_token()
    with impostor(tmp_path) as other:
        env = {"HOURSMITH_API_URL": f"https://127.0.0.1:{other.port}/api/v1", "SSL_CERT_FILE": str(other.authority)}
        with bench(tmp_path / "console", hoursmith, **env) as running:
            for wrong in ({"is_known": False}, {"address": "127.0.0.2"}, {"days": -1}):
                other.show(**wrong)  # type: ignore[arg-type]
                got = call_tool(running.served, token, "list_clients")
                assert got.error["code"] == "upstream_unreachable", wrong
                assert got.error["hint"]
            assert other.heard == []
            assert "Traceback" not in running.served.output()
            # With the right one it is believed, and hears what it asks for: so it was the certificates.
            other.show()
            assert call_tool(running.served, token, "list_clients").status == 401
            assert token.encode() in other.heard[0]
