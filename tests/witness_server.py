"""A small witness on loopback that keeps the rules of C2SP tlog-witness strictly, or misbehaves as it is told."""

import base64
import hashlib
import re
import threading
import time
from collections.abc import Callable
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer

from mcpbridge.audit.signing import SigningKeyPair, key_pair
from mcpbridge.audit.tree.checkpoints import TreeHead, open_checkpoint
from mcpbridge.audit.tree.errors import ProofError, TreeError
from mcpbridge.audit.tree.notes import COSIGNATURE, VerifierKey, cosignature_line, key_named, parse_note
from mcpbridge.audit.tree.proofs import verify_consistency

HANG = "hang"
_BODY = re.compile(r"old (0|[1-9][0-9]*)\n((?:[A-Za-z0-9+/]{43}=\n){0,63})\n(.+)", re.DOTALL)
_SIZE = "text/x.tlog.size"
Answer = tuple[int, str, bytes]


class WitnessServer:
    """Cosigns the logs whose keys it `trusts`. `answers` are given first: (status, body), or HANG."""

    def __init__(
        self, *trusts: VerifierKey, name: str = "witness.example.com", key: SigningKeyPair | None = None
    ) -> None:
        self.trusts = {each.name: each for each in trusts}
        self.name, self.key = name, key or key_pair(f"key of {name}")
        self.answers: list[tuple[int, bytes] | str] = []
        self.latest: dict[str, tuple[TreeHead, str]] = {}
        self.requests: list[bytes] = []
        self.now: Callable[[], int] = lambda: int(time.time())
        self.port = 9
        self._released = threading.Event()

    @property
    def url(self) -> str:
        return f"http://127.0.0.1:{self.port}"

    @property
    def vkey(self) -> VerifierKey:
        return key_named(self.name, self.key, kind=COSIGNATURE)

    @property
    def setting(self) -> str:
        """What AUDIT_WITNESSES says of it."""
        return f"{self.vkey} {self.url}"

    def __enter__(self) -> "WitnessServer":
        self._server = ThreadingHTTPServer(("127.0.0.1", 0), self._handler())
        self._server.daemon_threads = True
        self.port = self._server.server_port
        self._thread = threading.Thread(target=self._server.serve_forever, args=[0.01], daemon=True)
        self._thread.start()
        return self

    def __exit__(self, *_: object) -> None:
        self._released.set()
        self._server.shutdown()
        self._thread.join()
        self._server.server_close()

    def add_checkpoint(self, body: bytes) -> Answer:
        """Answer a submission."""
        found = _BODY.fullmatch(body.decode())
        if found is None:
            return 400, "text/plain", b"malformed\n"
        old, note = int(found[1]), found[3]
        proof = [base64.b64decode(line, validate=True) for line in found[2].splitlines()]
        origin = note.split("\n", 1)[0]
        if origin not in self.trusts:
            return 404, "text/plain", b"unknown log\n"
        try:
            head = open_checkpoint(note, self.trusts[origin]).head
        except ProofError:
            return 403, "text/plain", b"not signed\n"
        except TreeError:
            return 400, "text/plain", b"malformed\n"
        if old > head.size:
            return 400, "text/plain", b"the old size is larger\n"
        known = self.latest[origin][0] if origin in self.latest else TreeHead(origin, 0, hashlib.sha256().digest())
        if old != known.size:
            return 409, _SIZE, f"{known.size}\n".encode()
        if not self._is_consistent(known, head, proof):
            return 422, "text/plain", b"not consistent\n"
        text = parse_note(note).text
        line = str(cosignature_line(text, name=self.name, signer=self.key, seconds=self.now()))
        self.latest[origin] = head, note + line
        return 200, "text/plain", line.encode()

    @staticmethod
    def _is_consistent(known: TreeHead, head: TreeHead, proof: list[bytes]) -> bool:
        if known.size in (0, head.size):
            return not proof and (known.size == 0 or known.root == head.root)
        try:
            verify_consistency(
                older=known.size, newer=head.size, older_root=known.root, newer_root=head.root, proof=proof
            )
        except TreeError:
            return False
        return True

    def _monitored(self, path: str) -> Answer:
        for origin, (_, note) in self.latest.items():
            if path == f"/{hashlib.sha256(origin.encode()).hexdigest()}/checkpoint":
                return 200, "text/plain", note.encode()
        return 404, "text/plain", b""

    def _answer(self, body: bytes | None, path: str) -> Answer | None:
        if body is not None:
            self.requests.append(body)
        behaviour = self.answers.pop(0) if self.answers else None
        if isinstance(behaviour, str):
            self._released.wait(30)
            return None
        if behaviour is not None:
            return behaviour[0], _SIZE if behaviour[0] == 409 else "text/plain", behaviour[1]
        if body is None:
            return self._monitored(path)
        return self.add_checkpoint(body) if path == "/add-checkpoint" else (404, "text/plain", b"")

    def _handler(self) -> type[BaseHTTPRequestHandler]:
        witness = self

        class Handler(BaseHTTPRequestHandler):
            def do_GET(self) -> None:
                self._send(witness._answer(None, self.path))

            def do_POST(self) -> None:
                self._send(witness._answer(self.rfile.read(int(self.headers["Content-Length"])), self.path))

            def _send(self, answer: Answer | None) -> None:
                if answer is None:
                    return
                status, kind, body = answer
                self.send_response(status)
                self.send_header("Content-Type", kind)
                self.send_header("Content-Length", str(len(body)))
                self.end_headers()
                self.wfile.write(body)

            def log_message(self, *_: object) -> None:
                """Keep quiet."""

        return Handler
