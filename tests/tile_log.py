"""A log of tiles on loopback, as the console serves one, with a tree that is computed the slow and plain way."""

import base64
import hashlib
import json
import threading
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass, field
from datetime import UTC, datetime, timedelta
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from typing import Any

from mcpbridge.audit.hashchain import canonical
from mcpbridge.audit.signing import SigningKeyPair, key_pair

WORKSPACE = "0b6f1c52-9a3e-4a0f-8f1d-2d6f0f9c7a11"
WATCH_KEY = "the-watch-key"


def root_of(leaves: list[bytes]) -> bytes:
    """The root of leaf hashes, as RFC 9162 section 2.1.1 defines it."""
    if not leaves:
        return hashlib.sha256().digest()
    if len(leaves) == 1:
        return leaves[0]
    split = 1 << (len(leaves) - 1).bit_length() - 1
    return hashlib.sha256(b"\x01" + root_of(leaves[:split]) + root_of(leaves[split:])).digest()


def leaf(number: int, history: str = "") -> bytes:
    """A leaf hash; `history` makes another one for the same place."""
    return hashlib.sha256(b"\x00" + hashlib.sha256(f"{history}{number}".encode()).digest()).digest()


def note_of(origin: str, leaves: list[bytes], key: SigningKeyPair) -> str:
    """A signed note."""
    text = f"{origin}\n{len(leaves)}\n{base64.b64encode(root_of(leaves)).decode()}\n"
    payload = key_id(origin, key) + base64.b64decode(key.sign(text.encode()))
    return f"{text}\n— {origin} {base64.b64encode(payload).decode()}\n"


def key_id(origin: str, key: SigningKeyPair, kind: bytes = b"\x01") -> bytes:
    """The four bytes that name a key in a note."""
    return hashlib.sha256(origin.encode() + b"\n" + kind + base64.b64decode(key.public_key)).digest()[:4]


def vkey_of(origin: str, key: SigningKeyPair) -> str:
    """The verifier key."""
    raw = base64.b64encode(b"\x01" + base64.b64decode(key.public_key)).decode()
    return f"{origin}+{key_id(origin, key).hex()}+{raw}"


@dataclass
class TileLog:
    """The log. What is set here is signed and served at the next request."""

    leaves: list[bytes] = field(default_factory=list)
    key: SigningKeyPair = field(default_factory=lambda: key_pair("hoursmith evidence example"))
    epoch: int = 1
    at: datetime = field(default_factory=lambda: datetime.now(UTC))
    # Answers instead of those of the log, by path below the origin.
    answers: dict[str, tuple[int, bytes]] = field(default_factory=dict)
    frozen: dict[str, bytes] = field(default_factory=dict)
    posted: list[dict[str, Any]] = field(default_factory=list)
    asked: list[str] = field(default_factory=list)
    url: str = ""

    @property
    def origin(self) -> str:
        return f"audit.example.com/{WORKSPACE}/{self.epoch}"

    @property
    def vkey(self) -> str:
        return vkey_of(self.origin, self.key)

    def grow(self, size: int, history: str = "") -> None:
        """Append up to `size` leaves."""
        self.leaves += [leaf(number, history) for number in range(len(self.leaves), size)]
        self.at = datetime.now(UTC)

    def age(self, minutes: float) -> None:
        """Let the newest checkpoint be older."""
        self.at = datetime.now(UTC) - timedelta(minutes=minutes)

    def answer(self, path: str) -> tuple[int, bytes]:
        """What is served below an origin."""
        if path in self.answers:
            return self.answers[path]
        if path == "checkpoint":
            return 200, self.frozen.get(path) or note_of(self.origin, self.leaves, self.key).encode()
        if path == "checkpoint.json":
            return 200, self.frozen.get(path) or self.dated()
        return self._tile(*path.removeprefix("tile/").split("/", 1))

    def dated(self) -> bytes:
        """The dated checkpoint."""
        facts = {
            "at": self.at.strftime("%Y-%m-%dT%H:%M:%S.%fZ"),
            "epoch": self.epoch,
            "first": 1,
            "format": "hoursmith-checkpoint-2",
            "hash": hashlib.sha256(str(len(self.leaves)).encode()).hexdigest(),
            "origin": self.origin,
            "root": root_of(self.leaves).hex(),
            "sequence": len(self.leaves),
            "workspace": WORKSPACE,
        }
        return json.dumps({**facts, "signature": self.key.sign(canonical(facts))}).encode()

    def _tile(self, level: str, place: str) -> tuple[int, bytes]:
        place, _, width = place.partition(".p/")
        number = int("".join(group.removeprefix("x") for group in place.split("/")))
        below = 256 ** int(level)
        hashes = [root_of(self.leaves[at : at + below]) for at in range(0, len(self.leaves) // below * below, below)]
        tile = hashes[256 * number :][: int(width or 256)]
        return (200, b"".join(tile)) if len(tile) == int(width or 256) else (404, b"")


@contextmanager
def served(log: TileLog) -> Iterator[TileLog]:
    """Serve the log under the hash of any of its origins, to those who have the watch key."""

    class Handler(BaseHTTPRequestHandler):
        def do_GET(self) -> None:
            _, _, rest = self.path.removeprefix("/audit/log/").partition("/")
            log.asked.append(rest)
            self._answer(*(log.answer(rest) if self._is_known() else (401, b"")))

        def do_POST(self) -> None:
            body = self.rfile.read(int(self.headers["Content-Length"]))
            log.posted.append(json.loads(body))
            self._answer(*log.answers.get("cosignature", (204, b"")))

        def _is_known(self) -> bool:
            return self.headers["Authorization"] == f"Bearer {WATCH_KEY}"

        def _answer(self, status: int, body: bytes) -> None:
            self.send_response(status)
            if status in (301, 302):
                self.send_header("Location", body.decode())
            self.send_header("Content-Length", str(len(body)))
            self.end_headers()
            self.wfile.write(body)

        def log_message(self, *_: object) -> None:
            """Keep quiet."""

    server = ThreadingHTTPServer(("127.0.0.1", 0), Handler)
    thread = threading.Thread(target=server.serve_forever, args=[0.01], daemon=True)
    thread.start()
    log.url = f"http://127.0.0.1:{server.server_port}/audit/log"
    try:
        yield log
    finally:
        server.shutdown()
        thread.join()
        server.server_close()
