#!/usr/bin/env python3
"""Watch an audit log of the Hoursmith console from another machine, and say when its history changes or stands still.

    WATCH_KEY=… python watch_audit.py --log https://console.example.com/audit/log --vkey VKEY [--every SECONDS]

An Owner or Admin creates the watch key under Audit log → Watchers; that page shows the command. VKEY names the log and
its public key: compare it with the fingerprint that you got by another way. Each run fetches the newest signed
checkpoint, proves by the log's tiles that the log only grew since the one before, and keeps it in the folder --keep.
Keep that folder: it is what the log is compared with.

Exit codes: 0 the log only grew and was signed lately. 1 a finding: `changed` (the history was rewritten), `behind`
(its end is missing), `other key` (no given key signed it; give a new key with a further --vkey, after the old one),
`new epoch` (the log was restored; find out why, then accept it with --accept-epoch N). 2 the arguments or the folder
cannot be used. 3 `stale`: no new checkpoint for three periods, or no answer; with --every, none for three periods.

--cosign FILE signs each verified checkpoint with a key of your own and sends the signature to the console, which adds
it to evidence (C2SP cosignature/v1). The key is made at the first use; its public half is printed: give it to those
who verify evidence. Needs Python 3.10 and the package `cryptography`, nothing else.
"""

import argparse
import base64
import bisect
import calendar
import contextlib
import hashlib
import http.client
import json
import os
import re
import socket
import struct
import sys
import time
import urllib.error
import urllib.request
from collections.abc import Iterable, Iterator
from pathlib import Path
from typing import Any, NamedTuple
from urllib.parse import urlsplit

from cryptography.exceptions import InvalidSignature
from cryptography.hazmat.primitives.asymmetric.ed25519 import Ed25519PrivateKey, Ed25519PublicKey

ED25519, COSIGNATURE = b"\x01", b"\x04"
ORIGIN = re.compile(r"(?P<log>[A-Za-z0-9][^\s+]*)/(?P<epoch>[1-9][0-9]*)(?:-from-[1-9][0-9]*)?")
LINE = re.compile(r"— (?P<name>[^\s+]+) (?P<payload>[A-Za-z0-9+/=]+)")
NUMBER = re.compile(r"0|[1-9][0-9]{0,17}")
AT = re.compile(r"(\d{4}-\d\d-\d\dT\d\d:\d\d:\d\d)(?:\.\d{1,6})?Z")
STATEMENT = "hoursmith-checkpoint-2"
SIGNED_FACTS = ("at", "epoch", "first", "format", "hash", "origin", "root", "sequence", "workspace")
LOOPBACK = ("localhost", "127.0.0.1", "::1")
LARGEST_NOTE, TILE, PERIODS, TIMEOUT_S, CLOCK_S = 64 * 1024, 256, 3, 30.0, 300.0
Node = tuple[int, bytes]


class FindingError(Exception):
    """The log is not what it was: `kind` is changed, behind, other key, new epoch or stale."""

    def __init__(self, kind: str, text: str) -> None:
        super().__init__(f"{kind}: {text}")
        self.kind = kind


class NoAnswerError(Exception):
    """The log gave no usable answer."""


class UnusableInputError(Exception):
    """The arguments or the folder cannot be used."""


# Trees (RFC 9162, section 2.1): a list of nodes (level, hash) stands for the full subtrees of a log, from the left.


def parent(left: bytes, right: bytes) -> bytes:
    """Return the hash of an inner node."""
    return hashlib.sha256(b"\x01" + left + right).digest()


def subtrees(start: int, end: int) -> Iterator[tuple[int, int]]:
    """Yield level and index of the largest full subtrees that fill the leaves from `start` up to `end`."""
    while start < end:
        level = (end - start).bit_length() - 1
        if start:
            level = min(level, (start & -start).bit_length() - 1)
        yield level, start >> level
        start += 1 << level


def extended(nodes: Iterable[Node], more: Iterable[Node]) -> list[Node]:
    """Return the nodes of a log after the subtrees `more` were appended to it."""
    made: list[Node] = list(nodes)
    for node in more:
        made.append(node)
        while len(made) > 1 and made[-1][0] == made[-2][0]:
            level, right = made.pop()
            _, left = made.pop()
            made.append((level + 1, parent(left, right)))
    return made


def root_of(nodes: list[Node]) -> bytes:
    """Return the root of the log with these nodes."""
    if not nodes:
        return hashlib.sha256().digest()
    root = nodes[-1][1]
    for _, left in reversed(nodes[:-1]):
        root = parent(left, root)
    return root


# Keys and notes (C2SP signed-note, tlog-checkpoint, tlog-cosignature).


def key_id(name: str, raw: bytes, kind: bytes = ED25519) -> bytes:
    """Return the four bytes that name a public key in the lines of a note."""
    return hashlib.sha256(name.encode() + b"\n" + kind + raw).digest()[:4]


def has_signed(raw: bytes, message: bytes, signature: bytes) -> bool:
    """Return whether `signature` on `message` is one by the public key `raw`."""
    try:
        Ed25519PublicKey.from_public_bytes(raw).verify(signature, message)
    except (InvalidSignature, ValueError):
        return False
    return True


class Head(NamedTuple):
    """A signed head of the log; `key` is the place of the key that signed it among those that were given."""

    origin: str
    size: int
    root: bytes
    text: str
    key: int


def unbase64(text: str) -> bytes:
    """Decode canonical base64. Raises ValueError."""
    raw = base64.b64decode(text, validate=True)
    if base64.b64encode(raw).decode() != text:
        raise ValueError("not canonical base64")
    return raw


def parsed_vkey(text: str) -> tuple[str, bytes]:
    """Return the origin and the public key of a verifier key: NAME+ID+BASE64."""
    try:
        name, number, encoded = text.split("+", 2)
        raw = unbase64(encoded)
        if raw[:1] != ED25519 or len(raw) != 33 or key_id(name, raw[1:]).hex() != number or not ORIGIN.fullmatch(name):
            raise ValueError("wrong parts")
    except ValueError:
        raise UnusableInputError(f"--vkey is no verifier key of an audit log: {text}") from None
    return name, raw[1:]


def parsed_note(note: str, origin: str, keys: list[bytes]) -> Head:
    """Return the head in a signed note. Raises FindingError if no given key signed it, NoAnswerError if it is none."""
    text, divider, lines = note.rpartition("\n\n")
    text += "\n"
    parts = text.split("\n")
    try:
        found = [LINE.fullmatch(line) for line in lines.removesuffix("\n").split("\n")]
        signed = [(line["name"], unbase64(line["payload"])) for line in found if line]
        if not divider or not lines.endswith("\n") or len(signed) != len(found) or len(parts) != 4:
            raise ValueError("wrong lines")
        if not NUMBER.fullmatch(parts[1]) or len(root := unbase64(parts[2])) != 32:
            raise ValueError("wrong size or root")
    except ValueError:
        raise NoAnswerError("the checkpoint is not a signed note") from None
    known = {key_id(origin, raw): place for place, raw in enumerate(keys)}
    by = [(known[line[:4]], line[4:]) for name, line in signed if name == origin and line[:4] in known]
    if not by or not all(has_signed(keys[place], text.encode(), signature) for place, signature in by):
        raise FindingError("other key", "no given key signed the checkpoint")
    if parts[0] != origin:
        raise FindingError("changed", f"the checkpoint is one of another log, {parts[0]}")
    return Head(origin, int(parts[1]), root, text, max(by)[0])


class Cosigner:
    """A key of this watcher, in a file of one line: PRIVATE+KEY+NAME+ID+BASE64."""

    def __init__(self, path: Path) -> None:
        """Read the key, or make one. Raises UnusableInputError."""
        try:
            if not path.exists():
                name = (re.sub(r"[^A-Za-z0-9.-]", "", socket.gethostname()) or "host") + "/watch_audit"
                private = Ed25519PrivateKey.generate()
                number = key_id(name, private.public_key().public_bytes_raw(), COSIGNATURE).hex()
                secret = base64.b64encode(COSIGNATURE + private.private_bytes_raw()).decode()
                with os.fdopen(os.open(path, os.O_WRONLY | os.O_CREAT | os.O_EXCL, 0o600), "w") as file:
                    file.write(f"PRIVATE+KEY+{name}+{number}+{secret}\n")
            _, _, self.name, _, secret = path.read_text(encoding="utf-8").strip().split("+", 4)
            self._private = Ed25519PrivateKey.from_private_bytes(unbase64(secret)[1:])
        except (OSError, ValueError):
            raise UnusableInputError(f"{path} is no cosigning key; name a new file, and a key is made.") from None
        raw = self._private.public_key().public_bytes_raw()
        self._id = key_id(self.name, raw, COSIGNATURE)
        self.vkey = f"{self.name}+{self._id.hex()}+{base64.b64encode(COSIGNATURE + raw).decode()}"

    def line(self, text: str, at: int) -> str:
        """Return the line that says: at `at`, this was the longest log that the watcher had seen."""
        signature = self._private.sign(f"cosignature/v1\ntime {at}\n{text}".encode())
        return f"— {self.name} {base64.b64encode(self._id + struct.pack('>Q', at) + signature).decode()}\n"


class Log:
    """The log as the console serves it (C2SP tlog-tiles)."""

    def __init__(self, address: str, watch_key: str) -> None:
        """Refuse an address that would show the watch key to the network. Raises UnusableInputError."""
        parts = urlsplit(address)
        if parts.scheme != "https" and not (parts.scheme == "http" and parts.hostname in LOOPBACK):
            raise UnusableInputError("--log must begin with https://; http:// is for this machine alone.")
        self._address = address.rstrip("/")
        self._headers = {"Authorization": f"Bearer {watch_key}", "Content-Type": "application/json"}
        self._opener = urllib.request.build_opener(_NoRedirects)

    def ask(self, origin: str, path: str, limit: int, body: bytes | None = None) -> bytes:
        """Return the answer to a GET, or to a POST of `body` in JSON. Raises NoAnswerError."""
        address = f"{self._address}/{hashlib.sha256(origin.encode()).hexdigest()}/{path}"
        request = urllib.request.Request(address, body, self._headers)  # noqa: S310 - the scheme is checked
        until = time.monotonic() + TIMEOUT_S
        found = b""
        try:
            with self._opener.open(request, timeout=TIMEOUT_S) as answer:
                while part := answer.read1(limit + 1 - len(found)):
                    found += part
                    if len(found) > limit:
                        raise NoAnswerError(f"{path}: the answer is too long")
                    if time.monotonic() > until:
                        raise NoAnswerError(f"{path}: the answer took too long")
        except urllib.error.HTTPError as error:
            error.close()
            raise NoAnswerError(f"{path}: {error.code} {error.reason}") from None
        except (OSError, ValueError, http.client.HTTPException) as error:
            raise NoAnswerError(f"{path}: {getattr(error, 'reason', None) or error}") from None
        return found

    def nodes(self, origin: str, size: int, start: int) -> Iterator[Node]:
        """Yield the subtrees from leaf `start` to the end of the log of this size, from its tiles."""
        tiles: dict[tuple[int, int], bytes] = {}
        for level, index in subtrees(start, size):
            height, rest = divmod(level, 8)
            first = index << rest
            place = (height, first // TILE)
            if place not in tiles:
                tiles[place] = self._tile(origin, size, *place)
            begin = first % TILE
            row = [tiles[place][32 * at : 32 * at + 32] for at in range(begin, begin + (1 << rest))]
            while len(row) > 1:
                row = [parent(row[at], row[at + 1]) for at in range(0, len(row), 2)]
            yield level, row[0]

    def _tile(self, origin: str, size: int, height: int, number: int) -> bytes:
        width = min(TILE, (size >> (8 * height)) - TILE * number)
        groups = f"{number % 1000:03d}"
        while number := number // 1000:
            groups = f"x{number % 1000:03d}/{groups}"
        path = f"tile/{height}/{groups}" + (f".p/{width}" if width < TILE else "")
        tile = self.ask(origin, path, 32 * TILE)
        if len(tile) != 32 * width:
            raise FindingError("changed", f"{path} has {len(tile)} bytes instead of {32 * width}")
        return tile


class _NoRedirects(urllib.request.HTTPRedirectHandler):
    """Follow no redirect: urllib would send the watch key to wherever it leads."""

    def redirect_request(self, *_: Any) -> None:
        return None


class Memory:
    """The folder with what was seen of one log, over all its epochs."""

    def __init__(self, folder: Path, log: str) -> None:
        """Read what earlier runs kept. Raises UnusableInputError."""
        self._folder = folder / hashlib.sha256(log.encode()).hexdigest()[:16]
        self._notes = self._folder / "notes"
        try:
            self._notes.mkdir(parents=True, exist_ok=True)
            path = self._folder / "state.json"
            self.state: dict[str, Any] = json.loads(path.read_text(encoding="utf-8")) if path.exists() else {}
            self.nodes = [(level, bytes.fromhex(node)) for level, node in self.state.get("nodes", [])]
        except (OSError, ValueError, TypeError) as error:
            raise UnusableInputError(f"{self._folder} cannot be used: {error}") from None

    def keep_note(self, note: str, more: str = "") -> None:
        """Keep a note, signed or not, and a line that was added to it."""
        path = self._notes / f"{hashlib.sha256(note.encode()).hexdigest()}.note"
        if more or not path.exists():
            _write(path, note + more)

    def heads(self, origin: str, keys: list[bytes]) -> Iterator[Head]:
        """Yield the heads of one epoch that were kept."""
        for path in self._notes.glob("*.note"):
            with contextlib.suppress(FindingError, NoAnswerError):
                yield parsed_note(path.read_bytes().decode("utf-8", "replace"), origin, keys)

    def keep(self, head: Head, nodes: list[Node], **more: Any) -> None:
        """Keep the verified head, with which the next one is compared."""
        self.nodes = nodes
        kept = {"origin": head.origin, "size": head.size, "root": head.root.hex(), "key": head.key}
        self.state |= {**kept, "nodes": [[level, node.hex()] for level, node in nodes], **more}
        _write(self._folder / "state.json", json.dumps(self.state, indent=1) + "\n")


def _write(path: Path, text: str) -> None:
    part = path.with_name(path.name + ".part")
    with open(part, "w", encoding="utf-8", newline="") as file:
        file.write(text)
        file.flush()
        os.fsync(file.fileno())
    part.replace(path)


class Watcher:
    """Compares the log with what was seen of it."""

    def __init__(self, given: argparse.Namespace) -> None:
        """Check the arguments. Raises UnusableInputError."""
        vkeys = [parsed_vkey(text) for text in given.vkey]
        newest = max((name for name, _ in vkeys), key=lambda name: _origin(name)[1])
        if len({_origin(name)[0] for name, _ in vkeys}) != 1:
            raise UnusableInputError("Each --vkey must name the same log.")
        self._keys = [raw for _, raw in vkeys]
        watch_key = Path(given.key_file).read_text() if given.key_file else os.environ.get("WATCH_KEY", "")
        if not re.fullmatch(r"[\x21-\x7e]+", watch_key.strip()):
            raise UnusableInputError("Put the watch key into the variable WATCH_KEY, or into a file: --key-file.")
        self._log = Log(given.log, watch_key.strip())
        self._memory = Memory(Path(given.keep), _origin(newest)[0])
        self._origin = str(self._memory.state.get("origin", newest))
        # A verifier key of a later epoch accepts that epoch.
        self._accepted = {given.accept_epoch, _origin(newest)[1]}
        self._cosigner = Cosigner(Path(given.cosign)) if given.cosign else None
        if self._cosigner:
            say(f"cosigning as {self._cosigner.vkey}")
        self.period_s = 60.0 * given.period

    def look(self) -> str:
        """Compare once and return a sentence about it. Raises FindingError and NoAnswerError."""
        for _ in range(3):
            dated, at = self._dated()
            if dated.origin != self._origin:
                self._begin_epoch(dated)
            note = self._log.ask(self._origin, "checkpoint", LARGEST_NOTE).decode("utf-8", "replace")
            self._memory.keep_note(note)
            head = parsed_note(note, self._origin, self._keys)
            # Not so if the log was signed between the two answers.
            if head.size == dated.size:
                break
        else:
            raise FindingError("stale", f"the checkpoint stays at {head.size}, the dated one at {dated.size}")
        if head.root != dated.root:
            raise FindingError("changed", f"two roots of size {head.size} are signed")
        if min(head.key, dated.key) < self._memory.state.get("key", 0):
            raise FindingError("other key", "a key signed that a later one had replaced")
        self._memory.keep(head, self._grown(head))
        if self._cosigner and self._memory.state.get("cosigned") != [head.origin, head.size]:
            self._cosign(self._cosigner, head, note)
        if not -CLOCK_S < time.time() - _seconds(at) < PERIODS * self.period_s:
            raise FindingError("stale", f"the newest checkpoint is of {at}")
        return f"ok: {head.size} entries, signed at {at}, {head.root.hex()}"

    def _dated(self) -> tuple[Head, str]:
        """Return the newest checkpoint of the workspace with its time, which a note lacks."""
        try:
            value = json.loads(self._log.ask(self._origin, "checkpoint.json", LARGEST_NOTE))
            facts = {name: value[name] for name in SIGNED_FACTS}
            message = json.dumps(facts, sort_keys=True, separators=(",", ":"), ensure_ascii=False)
            signature, root = unbase64(value["signature"]), bytes.fromhex(facts["root"])
            log, epoch = _origin(facts["origin"])
            size = facts["sequence"] - facts["first"] + 1
            if facts["format"] != STATEMENT or facts["epoch"] != epoch or _seconds(facts["at"]) <= 0 or size < 0:
                raise ValueError("another format")
        except (ValueError, KeyError, TypeError, RecursionError, UnusableInputError):
            raise NoAnswerError("checkpoint.json: it is no dated checkpoint") from None
        if not (by := [place for place, raw in enumerate(self._keys) if has_signed(raw, message.encode(), signature)]):
            raise FindingError("other key", "no given key signed the dated checkpoint")
        if log != _origin(self._origin)[0]:
            raise FindingError("changed", f"the dated checkpoint is one of another log, {log}")
        return Head(facts["origin"], size, root, message, by[-1]), facts["at"]

    def _begin_epoch(self, dated: Head) -> None:
        """Turn to the next epoch if it was accepted and continues something that was seen."""
        old, new = _origin(self._origin)[1], _origin(dated.origin)[1]
        if new <= old:
            raise FindingError("behind", f"the log is {dated.origin} again, but it was {self._origin}")
        if new not in self._accepted:
            raise FindingError("new epoch", f"the log was restored and is at epoch {new}: --accept-epoch {new}")
        seen = self._memory.heads(self._origin, self._keys)
        kept = sorted((head for head in seen if head.size <= dated.size), key=lambda head: head.size)
        # Those up to the restored end agree, later ones do not.
        agreeing = bisect.bisect_left(kept, True, key=lambda head: not self._is_part(head, dated))
        if kept and not agreeing:
            raise FindingError("changed", f"epoch {new} continues no checkpoint that was seen before")
        say(f"epoch {new} continues from entry {kept[agreeing - 1].size if kept else 0} of epoch {old}")
        self._origin = dated.origin
        self._memory.state, self._memory.nodes = {"key": self._memory.state.get("key", 0)}, []

    def _is_part(self, head: Head, dated: Head) -> bool:
        """Return whether the log of `dated` begins with the entries of `head`."""
        nodes = extended([], self._log.nodes(dated.origin, head.size, 0))
        whole = extended(nodes, self._log.nodes(dated.origin, dated.size, head.size))
        return root_of(nodes) == head.root and root_of(whole) == dated.root

    def _grown(self, head: Head) -> list[Node]:
        """Prove that the log only grew; return its nodes. Raises FindingError."""
        size = self._memory.state.get("size", 0)
        if head.size < size:
            raise FindingError("behind", f"the log ends at {head.size}, but it had {size} entries")
        nodes = extended(self._memory.nodes, self._log.nodes(self._origin, head.size, size))
        if root_of(nodes) == head.root:
            return nodes
        if head.size == size or root_of(extended([], self._log.nodes(self._origin, head.size, 0))) == head.root:
            raise FindingError("changed", f"the first {size} entries are not those that were signed before")
        raise FindingError("changed", f"the tiles do not lead to the signed root of size {head.size}")

    def _cosign(self, cosigner: Cosigner, head: Head, note: str) -> None:
        line = cosigner.line(head.text, int(time.time()))
        self._memory.keep_note(note, line)
        body = json.dumps({"vkey": cosigner.vkey, "note": f"{head.text}\n{line}"})
        try:
            self._log.ask(head.origin, "cosignature", LARGEST_NOTE, body.encode())
        except NoAnswerError as error:
            say(f"The cosignature was not taken: {error}")
        else:
            self._memory.keep(head, self._memory.nodes, cosigned=[head.origin, head.size])


def _origin(name: str) -> tuple[str, int]:
    """Return the log that an origin names, and its epoch."""
    if (found := ORIGIN.fullmatch(name)) is None:
        raise UnusableInputError(f"{name} is no origin of an audit log.")
    return found["log"], int(found["epoch"])


def _seconds(at: str) -> int:
    """Return an instant such as 2026-11-23T11:15:00.000000Z in seconds since 1970. Raises ValueError."""
    if (found := AT.fullmatch(at)) is None:
        raise ValueError("no instant")
    return calendar.timegm(time.strptime(found[1], "%Y-%m-%dT%H:%M:%S"))


def say(text: str) -> None:
    """Print a line at once."""
    sys.stdout.write(f"{text}\n")
    sys.stdout.flush()


def watch(watcher: Watcher, every_s: float) -> int:
    """Look once, or again and again; return the exit code."""
    last, answered = "", time.monotonic()
    while True:
        try:
            said = watcher.look()
            answered = time.monotonic()
        except FindingError as finding:
            say(str(finding))
            return 3 if finding.kind == "stale" else 1
        except NoAnswerError as error:
            said = f"stale: no answer, {error}"
            if not every_s or time.monotonic() - answered >= PERIODS * watcher.period_s:
                say(said)
                return 3
        if said != last:
            say(said)
            last = said
        if not every_s:
            return 0
        time.sleep(every_s)


def main(arguments: list[str] | None = None) -> int:
    """Run the command line and return the exit code."""
    asked = argparse.ArgumentParser(description="Watch an audit log of the Hoursmith console from another machine.")
    asked.add_argument("--log", required=True, help="where logs are served: https://…/audit/log")
    asked.add_argument("--vkey", required=True, action="append", help="verifier key of the log; later keys after it")
    asked.add_argument("--key-file", help="file with the watch key, instead of the variable WATCH_KEY")
    asked.add_argument("--keep", default="watch-audit", help="folder for what was seen (watch-audit)")
    asked.add_argument("--every", type=float, default=0.0, metavar="SECONDS", help="look again and again")
    asked.add_argument("--period", type=float, default=15.0, metavar="MINUTES", help="how often the log signs (15)")
    asked.add_argument("--accept-epoch", type=int, default=0, metavar="N", help="go on with epoch N after a restore")
    asked.add_argument("--cosign", metavar="FILE", help="cosign what was verified with the key in this file")
    given = asked.parse_args(arguments)
    try:
        return watch(Watcher(given), given.every)
    except (UnusableInputError, OSError) as error:
        sys.stderr.write(f"{error}\n")
        return 2


if __name__ == "__main__":
    sys.exit(main())
