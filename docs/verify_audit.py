#!/usr/bin/env python3
"""Verify an audit export or evidence of the Hoursmith console, without the console and without trusting its operator.

    python verify_audit.py FILE [KEY] --fingerprint F

FILE is evidence (a ZIP archive, as the console offers it for download), or an export from `manage.py audit_export
--format jsonl` (- for standard input). F is the fingerprint of one of the operator's signing keys: the SHA-256 of its
32 bytes, 64 hexadecimal digits. Get it by another way than the file, because someone who can change both can make both
agree; the same is true for this program, so do not take it out of the archive. Instead of F, give a C2SP verifier key
with --vkey, or a public key as PEM for KEY. Otherwise KEY is the key file that `/audit/key` serves, which is needed
only if an export lacks keys.

    --checkpoint FILE       the log must extend this older checkpoint, which you kept (a note, or a checkpoint line)
    --witness VKEY          this witness must have cosigned the log; may be repeated
    --head HASH             the log must contain this head, which you kept, as HASH or SEQUENCE:HASH (exports)
    --workspace W           verify only the chain of this workspace (exports)
    --partial               verify a filtered export; nothing is verified about omitted rows
    --allow-unsigned-tail   accept rows of an export after the last checkpoint, which nobody has signed
    --json                  print the verdict as JSON

Exit codes: 0 verified; 1 not verified, the first finding is named; 2 the input cannot be used.

Needs Python 3.10 and the package `cryptography`, nothing else. `audit-format.md`, beside this file, specifies
everything that is checked here; § refers to its sections. It is one file on purpose, so that it is easily copied,
read and kept. Its parts: strict reading · canonical JSON · the tree · notes · keys · signed statements · entries ·
one chain · exports · evidence · command line.
"""

import argparse
import base64
import hashlib
import hmac
import io
import json
import math
import re
import sys
import time
import zipfile
import zlib
from collections import deque
from collections.abc import Iterable, Iterator
from datetime import datetime
from typing import Any, BinaryIO
from urllib.parse import quote, unquote

from cryptography.exceptions import InvalidSignature, UnsupportedAlgorithm
from cryptography.hazmat.primitives.asymmetric.ed25519 import Ed25519PublicKey
from cryptography.hazmat.primitives.serialization import Encoding, PublicFormat, load_pem_public_key

FORMAT_1, FORMAT_2 = "hoursmith-audit-1", "hoursmith-audit-2"
SEALED = ("actor", "address", "arguments", "note", "snapshot", "target_label", "token_name")

Object = dict[str, Any]


class UnusableInputError(Exception):
    """The input cannot be verified at all; the text says why."""


class FoundError(Exception):
    """Something is not as it must be: the kind of the finding (§ 12), and the reason."""

    def __init__(self, kind: str, reason: str, **more: Any) -> None:
        """`more` may name the `place`, the `id` of the row, the kind of `record` and the end (`until`)."""
        super().__init__(reason)
        self.kind, self.reason, self.more = kind, reason, more

    def at(self, **place: Any) -> "FoundError":
        """Return the same with its place, as far as it has none."""
        return FoundError(self.kind, self.reason, **{**place, **self.more})


# ---- Strict reading: each value has one spelling. ----

HASH = re.compile(r"[0-9a-f]{64}")
DECIMAL = re.compile(r"0|[1-9][0-9]{0,17}")
INSTANT = re.compile(r"[0-9]{4}-[0-9]{2}-[0-9]{2}T[0-9]{2}:[0-9]{2}:[0-9]{2}\.[0-9]{6}Z")
LONGEST_LINE = 16 * 1024 * 1024


def is_hash(value: Any) -> bool:
    """Return whether this is a hash of 32 bytes in hexadecimal."""
    return isinstance(value, str) and HASH.fullmatch(value) is not None


def decoded(text: str, size: int | None = None) -> bytes:
    """Return the bytes of canonical base64, exactly `size` if given; raise ValueError."""
    data = base64.b64decode(text, validate=True)
    if base64.b64encode(data).decode() != text or size not in (None, len(data)):
        raise ValueError("it is not the base64 that is expected")
    return data


def decimal(text: str) -> int:
    """Return a whole number that is written without zeros in front; raise ValueError."""
    if not DECIMAL.fullmatch(text):
        raise ValueError("it is not a decimal number")
    return int(text)


def is_number(value: Any, least: int = 0) -> bool:
    """Return whether this is a whole number from `least`."""
    return type(value) is int and value >= least


def parsed(number: int, line: bytes, what: str = "Line") -> Object:
    """Parse one line or file as an object without duplicate names (I-JSON, RFC 7493)."""

    def unambiguous(pairs: list[tuple[str, Any]]) -> Object:
        if len(made := dict(pairs)) != len(pairs):
            raise ValueError("a name is repeated in one object")
        return made

    def refuse_constant(constant: str) -> None:
        raise ValueError(f"{constant} is not a number")

    place = f"{what} {number}" if number else what
    try:
        value = json.loads(line, object_pairs_hook=unambiguous, parse_constant=refuse_constant)
    except (ValueError, RecursionError) as error:
        raise UnusableInputError(f"{place} is not I-JSON: {error}") from None
    if not isinstance(value, dict):
        raise UnusableInputError(f"{place} is not a JSON object.")
    return value


def check(value: Object, *texts: str) -> None:
    """Raise TypeError or KeyError unless all of these members are texts."""
    if not all(isinstance(value[name], str) for name in texts):
        raise TypeError("a text is missing")


def check_numbers(value: Object, *names: str) -> None:
    """Raise TypeError or KeyError unless all of these members are whole numbers from 0."""
    if not all(is_number(value[name]) for name in names):
        raise TypeError("a number is missing")


# ---- The canonical form of JSON (RFC 8785, § 2). ----

SHORT = {"\b": "\\b", "\t": "\\t", "\n": "\\n", "\f": "\\f", "\r": "\\r", '"': '\\"', "\\": "\\\\"}
ESCAPED = re.compile(r'[\x00-\x1f"\\]')
LARGEST_INTEGER = 2**53 - 1


def canonical(value: Any) -> str:
    """Return the canonical form of a JSON value (RFC 8785, § 2); raise ValueError if it has none."""
    if value is None or isinstance(value, bool):
        return {None: "null", True: "true", False: "false"}[value]
    if isinstance(value, str):
        return '"' + ESCAPED.sub(lambda found: SHORT.get(found[0], f"\\u{ord(found[0]):04x}"), value) + '"'
    if isinstance(value, int):
        if abs(value) > LARGEST_INTEGER:
            raise ValueError("JSON cannot carry this integer exactly")
        return str(value)
    if isinstance(value, float):
        return canonical_number(value)
    if isinstance(value, list):
        return "[" + ",".join(map(canonical, value)) + "]"
    # Keys are ordered by their UTF-16 code units, which is the order of their big-endian bytes.
    names = sorted(value, key=lambda name: name.encode("utf-16-be"))
    return "{" + ",".join(f"{canonical(name)}:{canonical(value[name])}" for name in names) + "}"


def canonical_number(value: float) -> str:
    """Return a number as ECMAScript prints it (RFC 8785, 3.2.2.3). Python finds the same shortest digits."""
    if not math.isfinite(value):
        raise ValueError("JSON has no such number")
    if value == 0:
        return "0"
    mantissa, _, exponent = repr(abs(value)).partition("e")
    whole, _, fraction = mantissa.partition(".")
    leading = len(whole + fraction) - len((whole + fraction).lstrip("0"))
    digits = (whole + fraction).strip("0")
    # The value is 0.DIGITS times ten to the power of `point`.
    point = len(whole) + int(exponent or 0) - leading
    if len(digits) <= point <= 21:
        text = digits + "0" * (point - len(digits))
    elif 0 < point <= 21:
        text = f"{digits[:point]}.{digits[point:]}"
    elif -6 < point <= 0:
        text = f"0.{'0' * -point}{digits}"
    else:
        text = f"{digits[0]}{'.' if len(digits) > 1 else ''}{digits[1:]}e{point - 1:+d}"
    return ("-" if value < 0 else "") + text


def canonical_bytes(value: Any) -> bytes | None:
    """Return the canonical form in UTF-8, or None if there is none."""
    try:
        return canonical(value).encode()
    except (ValueError, RecursionError):
        return None


# ---- The tree (RFC 9162, § 5) and its proofs (§ 10). ----


def leaf_hash(entry: bytes) -> bytes:
    """Return the hash of the leaf that holds the 32 bytes of an entry's hash."""
    return hashlib.sha256(b"\x00" + entry).digest()


def node_hash(left: bytes, right: bytes) -> bytes:
    """Return the hash of the node above two others."""
    return hashlib.sha256(b"\x01" + left + right).digest()


def subtrees(begin: int, end: int) -> list[int]:
    """Return the sizes of the largest aligned subtrees that fill the leaves [begin, end), from left to right."""
    sizes = []
    while begin < end:
        size = 1 << ((end - begin).bit_length() - 1)
        if begin:
            size = min(size, begin & -begin)
        sizes.append(size)
        begin += size
    return sizes


class Tree:
    """A tree that grows to the right; of its left part, only the roots of complete subtrees are kept."""

    def __init__(self, size: int = 0, nodes: Iterable[bytes] = ()) -> None:
        """Begin with `size` leaves of which the roots of the largest subtrees are known."""
        self.size, self.nodes = size, list(nodes)
        if len(self.nodes) != len(subtrees(0, size)):
            raise FoundError("bad-proof", "the hashes beside the range do not fit its size")

    def add(self, hash: bytes, leaves: int = 1) -> None:
        """Add a leaf, or the root of the next aligned subtree with as many leaves."""
        self.size += leaves
        above = self.size // leaves
        while not above & 1:
            hash = node_hash(self.nodes.pop(), hash)
            above >>= 1
        self.nodes.append(hash)

    def root(self) -> bytes:
        """Return the root of all leaves so far."""
        if not self.nodes:
            return hashlib.sha256().digest()
        *others, root = self.nodes
        for node in reversed(others):
            root = node_hash(node, root)
        return root


def root_by_inclusion(leaf: bytes, index: int, size: int, proof: list[bytes]) -> bytes:
    """Return the root to which the proof of a leaf leads (RFC 9162, 2.1.3.2); raise ValueError."""
    if not 0 <= index < size:
        raise ValueError(f"there is no leaf {index} in a tree of {size}")
    place, last, root = index, size - 1, leaf
    for hash in proof:
        if last == 0:
            raise ValueError("the proof is too long")
        if place & 1 or place == last:
            root = node_hash(hash, root)
            while place and not place & 1:
                place, last = place >> 1, last >> 1
        else:
            root = node_hash(root, hash)
        place, last = place >> 1, last >> 1
    if last:
        raise ValueError("the proof is too short")
    return root


def roots_by_consistency(old_size: int, new_size: int, old_root: bytes, proof: list[bytes]) -> tuple[bytes, bytes]:
    """Return the older and newer root to which a proof leads (RFC 9162, 2.1.4.2); raise ValueError."""
    if not 0 < old_size <= new_size:
        raise ValueError(f"a tree of {new_size} cannot extend one of {old_size}")
    if old_size == new_size:
        if proof:
            raise ValueError("the proof is too long")
        return old_root, old_root
    # The root of an older tree that is one complete subtree is the first hash itself.
    path = [old_root, *proof] if old_size & (old_size - 1) == 0 else proof
    if not path:
        raise ValueError("the proof is too short")
    place, last = old_size - 1, new_size - 1
    while place & 1:
        place, last = place >> 1, last >> 1
    old = new = path[0]
    for hash in path[1:]:
        if last == 0:
            raise ValueError("the proof is too long")
        if place & 1 or place == last:
            old, new = node_hash(hash, old), node_hash(hash, new)
            while place and not place & 1:
                place, last = place >> 1, last >> 1
        else:
            new = node_hash(new, hash)
        place, last = place >> 1, last >> 1
    if last:
        raise ValueError("the proof is too short")
    return old, new


# ---- Origins and notes (C2SP, § 5 and § 6). ----

ED25519, COSIGNATURE = 1, 4
LOG_NAME = re.compile(r"[0-9A-Za-z][0-9A-Za-z._~:%/-]*")
EPOCH = re.compile(r"([0-9]+)(?:-from-([0-9]+))?")
SIGNATURE_LINE = re.compile("\u2014 (\\S+) (\\S+)")
VKEY = re.compile(r"([^\s+]+)\+([0-9a-f]{8})\+(\S+)")
MOST_NOTE_BYTES, MOST_NOTE_LINES, MOST_ORIGIN_BYTES = 64 * 1024, 64, 255


class Origin:
    """The name of one log: `NAME/WORKSPACE/EPOCH`, and `-from-FIRST` where its tree begins later."""

    def __init__(self, text: str) -> None:
        """Read an origin; raise ValueError."""
        parts = text.rsplit("/", 2)
        found = EPOCH.fullmatch(parts[-1])
        if len(parts) != 3 or found is None or not LOG_NAME.fullmatch(parts[0]) or parts[0].endswith("/"):
            raise ValueError("it is not the origin of a log")
        self.text, self.name, self.workspace = text, parts[0], unquote(parts[1])
        self.epoch, self.first = decimal(found[1]), decimal(found[2] or "1")
        spelled = quote(self.workspace, safe="") == parts[1] and (self.first == 1) == (found[2] is None)
        if not spelled or not self.workspace or min(self.epoch, self.first) < 1 or len(text) > MOST_ORIGIN_BYTES:
            raise ValueError("it is not the origin of a log")

    @property
    def log(self) -> tuple[str, str, int]:
        """Everything but the epoch: the same for all origins of one log."""
        return self.name, self.workspace, self.first


class VerifierKey:
    """A named public key: of a log, or of a witness."""

    def __init__(self, name: str, raw: bytes, kind: int = ED25519) -> None:
        """`raw` are the 32 bytes of the key."""
        self.name, self.raw, self.kind = name, raw, kind
        self.id = hashlib.sha256(name.encode() + b"\n" + bytes([kind]) + raw).digest()[:4]

    @classmethod
    def parse(cls, text: str, kind: int) -> "VerifierKey":
        """Read a vkey; raise UnusableInputError."""
        found = VKEY.fullmatch(text.strip())
        try:
            data = decoded(found[3], 33) if found else b""
        except ValueError:
            data = b""
        made = cls(found[1], data[1:], data[0]) if found and data else None
        if made is None or found is None or made.id.hex() != found[2] or made.kind != kind:
            what = "a witness (cosignature/v1)" if kind == COSIGNATURE else "a log (Ed25519)"
            raise UnusableInputError(f"This is not the verifier key of {what}: {text}")
        return made

    def signed_at(self, text: str, signature: bytes) -> int:
        """Return the time of a cosignature, 0 for a log's own signature; raise FoundError if it is not valid."""
        seconds, message = 0, text.encode()
        if self.kind == COSIGNATURE:
            seconds, signature = int.from_bytes(signature[:8], "big"), signature[8:]
            message = f"cosignature/v1\ntime {seconds}\n{text}".encode()
        if not is_signed(self.raw, message, signature):
            raise FoundError("wrong-key", f"the signature line of {self.name} in the note is not valid")
        return seconds


class Note:
    """A signed note, read strictly; nothing in it is verified yet."""

    def __init__(self, whole: str) -> None:
        """Read the note; raise FoundError."""
        text, divider, lines = whole.rpartition("\n\n")
        is_long = len(whole.encode()) > MOST_NOTE_BYTES or whole.count("\n") > MOST_NOTE_LINES
        if is_long or re.search(r"[\x00-\x09\x0b-\x1f]", whole) or not divider or not lines.endswith("\n"):
            raise FoundError("bad-proof", "it is not a signed note")
        self.text, self.lines = text + "\n", []
        for line in lines[:-1].split("\n"):
            found = SIGNATURE_LINE.fullmatch(line)
            try:
                data = decoded(found[2]) if found else b""
            except ValueError:
                data = b""
            if found is None or len(data) <= 4 or "+" in found[1] or not found[1].isprintable():
                raise FoundError("bad-proof", "a signature line of the note is malformed")
            self.lines.append((found[1], data[:4], data[4:]))

    def signatures(self, keys: Iterable[VerifierKey]) -> dict[str, int]:
        """Return which of these keys signed, by name, and when; raise FoundError if a line of one is not valid."""
        signed = {}
        for key in keys:
            for name, id, signature in self.lines:
                if (name, id) == (key.name, key.id):
                    signed[key.name] = key.signed_at(self.text, signature)
        return signed

    def head(self) -> tuple[Origin, int, bytes]:
        """Return origin, size and root of the tree; raise FoundError."""
        lines = self.text.split("\n")
        try:
            if len(lines) != 4:
                raise ValueError("it has other lines than origin, size and root")
            origin, size, root = Origin(lines[0]), decimal(lines[1]), decoded(lines[2], 32)
            if size == 0 and root != Tree().root():
                raise ValueError("an empty tree has another root")
            return origin, size, root
        except ValueError as error:
            raise FoundError("bad-proof", f"the note is not a checkpoint: {error}") from None


def is_signed(raw: bytes, message: bytes | None, signature: str | bytes) -> bool:
    """Return whether this is the Ed25519 signature of `message`; a text is base64."""
    try:
        given = decoded(signature) if isinstance(signature, str) else signature
        Ed25519PublicKey.from_public_bytes(raw).verify(given, message or b"")
    except (InvalidSignature, ValueError):
        return False
    return message is not None


# ---- Keys (§ 8). ----

MOST_KEYS = 1000


def fingerprint_of(raw: bytes) -> str:
    """Return the fingerprint of a key; its first 16 digits are the key's id."""
    return hashlib.sha256(raw).hexdigest()


def key_id_of(raw: bytes) -> str:
    """Return the id of a key."""
    return fingerprint_of(raw)[:16]


def raw_key(text: str) -> bytes | None:
    """Return the 32 bytes of a public key in base64, or None."""
    try:
        return decoded(text, 32)
    except ValueError:
        return None


class Announcement:
    """A key as another one announced it: `by` is the id of that one, empty for the first key."""

    def __init__(self, line: Object, raw: bytes) -> None:
        """`line` is a checked `key` line of either format."""
        self.raw, self.id = raw, key_id_of(raw)
        self.signature, self.own = line["signature"], line.get("countersignature", "")
        self.is_old = line.get("format") != "hoursmith-key-2"
        self.use = "signing" if self.is_old else line["use"]
        self.message = statement("hoursmith-key-1" if self.is_old else "hoursmith-key-2", line)
        before = None if self.is_old else raw_key(line["predecessor"])
        self.by = line["announced_by"] if self.is_old else key_id_of(before) if before else ""

    def is_by(self, raw: bytes) -> bool:
        """Return whether this key signed the announcement."""
        return is_signed(raw, self.message, self.signature)

    def is_countersigned(self) -> bool:
        """Return whether the announced key signed its announcement, too."""
        return is_signed(self.raw, self.message, self.own)

    def is_announced_by(self, other: "Announcement") -> bool:
        """Return whether another key announced this one with all signatures that are needed; the first does itself."""
        if not self.by:
            return other is self and self.is_by(self.raw)
        return self.by == other.id and self.is_by(other.raw) and (self.is_countersigned() or self.is_from_before)

    @property
    def is_from_before(self) -> bool:
        """Whether it may lack a countersignature, as announcements of earlier releases do."""
        return self.is_old and not self.own


class Trust:
    """The trusted keys as a line: those given, and the keys before and after them (§ 8)."""

    def __init__(self, fingerprint: str = "") -> None:
        """Start without trusted keys; one with `fingerprint` is trusted as soon as it is seen."""
        self.fingerprint = fingerprint
        # The origin that a vkey names.
        self.origin = ""
        self.witnesses: list[VerifierKey] = []
        self.given: dict[str, bytes] = {}
        self.known: list[Announcement] = []
        self.seen: set[tuple[Any, ...]] = set()
        # Of keys that were lost: the key after each of them, and its bytes.
        self.lost: dict[str, bytes] = {}
        self.line: dict[str, bytes] = {}
        self.is_current = True
        self.successors: dict[str, str] = {}

    @property
    def keys(self) -> dict[str, bytes]:
        """The trusted keys by id."""
        if not self.is_current:
            self.is_current = True
            self.follow()
        return self.line

    def anchor(self, raw: bytes) -> None:
        """Trust a key from the start."""
        self.given[key_id_of(raw)] = raw
        self.is_current = False

    def learn(self, line: Object) -> None:
        """Take the announcement of a key into account, now and whenever another key becomes trusted."""
        raw = raw_key(line["public_key"])
        if raw is None:
            return
        made = Announcement(line, raw)
        same = (made.message, made.signature, made.own)
        if made.id != line.get("key_id", made.id) or same in self.seen:
            return
        if len(self.seen) == MOST_KEYS:
            raise UnusableInputError(f"There are more than {MOST_KEYS} keys.")
        self.seen.add(same)
        self.known.append(made)
        if self.fingerprint and fingerprint_of(raw) == self.fingerprint:
            self.given[made.id] = raw
        self.is_current = False

    def learn_break(self, restore: Object) -> None:
        """Take into account that a key was lost, if the key that followed it signed that (§ 9)."""
        lost, raw = raw_key(restore["lost"]), raw_key(restore["public_key"])
        message = statement("hoursmith-break-1", restore)
        if lost and raw and lost != raw and is_signed(raw, message, restore["signature"]):
            self.lost[key_id_of(raw)] = lost
            self.is_current = False

    def follow(self) -> None:
        """Build the line: back from each given key by announcements that both keys signed, then forward."""
        self.line, self.successors = dict(self.given), {}
        # A key that a recovery key announced follows the last key of the line, which is not known yet.
        heirs: dict[str, str] = {}
        for key_id in self.given:
            while (found := self.before(key_id)) is not None and found[0] not in self.line:
                earlier, raw, is_recovered = found
                self.line[earlier] = raw
                (heirs if is_recovered else self.successors)[earlier] = key_id
                key_id = earlier
        ends = [key_id for key_id in self.line if key_id not in self.successors]
        while ends:
            end = ends.pop()
            after = self.after(end)
            if after is not None and after.id not in self.earlier(end):
                self.successors[end] = after.id
                if after.id not in self.line:
                    self.line[after.id] = after.raw
                    ends.append(after.id)
        for earlier, heir in heirs.items():
            if earlier not in self.earlier(heir):
                self.successors[earlier] = heir

    def before(self, key_id: str) -> tuple[str, bytes, bool] | None:
        """Return the key before this one, with both signatures; and whether a recovery key is between them."""
        for key in self.known:
            if key.raw != self.line[key_id] or not key.is_countersigned():
                continue
            for earlier in self.known:
                if earlier.id != key.by or not key.is_by(earlier.raw):
                    continue
                if earlier.use == "signing":
                    return earlier.id, earlier.raw, False
                if earlier.is_countersigned():
                    for owner in self.known:
                        if owner.id == earlier.by and owner.use == "signing" and earlier.is_by(owner.raw):
                            return owner.id, owner.raw, True
        lost = self.lost.get(key_id)
        return (key_id_of(lost), lost, False) if lost else None

    def after(self, end: str) -> Announcement | None:
        """Return the one key that follows the last key: it announced that, or else a recovery key did."""
        announced = {key.id: key for key in self.known if key.use == "signing" and self.is_announced(key, end)}
        if len(announced) != 1:
            # Of two next keys one was announced with a stolen key; only a recovery key can decide.
            line = [end, *self.earlier(end)]
            recovery = {
                each.id: each.raw
                for each in self.known
                if each.use == "recovery" and any(self.is_announced(each, key_id) for key_id in line)
            }
            announced = {
                key.id: key
                for key in self.known
                if key.use == "signing" and key.by in recovery and key.id not in line
                if key.is_by(recovery[key.by]) and key.is_countersigned()
            }
        return next(iter(announced.values())) if len(announced) == 1 else None

    def is_announced(self, key: Announcement, by: str) -> bool:
        """Return whether the trusted key `by` announced this one, and this one signed that unless it is an old one."""
        if key.by != by or key.id == by:
            return False
        return (key.is_from_before or key.is_countersigned()) and key.is_by(self.line[by])

    def predecessors(self, key_id: str) -> list[str]:
        """Return the keys of the line before this one, the nearest first."""
        return self.earlier(key_id) if self.keys else []

    def earlier(self, key_id: str) -> list[str]:
        """Return the same while the line is built."""
        before = {later: earlier for earlier, later in self.successors.items()}
        found: list[str] = []
        while (key_id := before.pop(key_id, "")) != "":
            found.append(key_id)
        return found

    def is_earlier(self, key_id: str) -> bool:
        """Return whether this key is before the given one, so that it may be retired."""
        return key_id not in self.given and any(key_id in self.predecessors(given) for given in self.given)

    def verify(self, form: str, said: Object) -> bytes:
        """Return the key that signed a statement; raise FoundError if it is not in the line, or did not sign it."""
        raw = self.keys.get(said["key_id"])
        if raw is None:
            raise FoundError("unknown-key", f"it is signed with the key {said['key_id']}, not one of the trusted line")
        if not is_signed(raw, statement(form, said), said["signature"]):
            raise FoundError("wrong-key", f"its signature is not by the key {said['key_id']} that it names")
        return raw


# ---- Signed statements (§ 6, § 7, § 8, § 9). ----

SIGNED_FACTS = {
    "hoursmith-checkpoint-1": ("workspace", "sequence", "hash", "at"),
    "hoursmith-checkpoint-2": (*("workspace", "origin", "epoch", "first", "sequence", "hash", "root", "at"),),
    "hoursmith-cut-1": ("workspace", "sequence", "hash", "at", "rows"),
    "hoursmith-key-1": ("key_id", "public_key", "since", "announced_by"),
    "hoursmith-key-2": ("public_key", "predecessor", "since", "use"),
    "hoursmith-restore-1": ("workspace", "at", "reason", "from", "kept", "to"),
    "hoursmith-break-1": ("workspace", "at", "reason", "from", "kept", "to", "lost", "public_key"),
    "hoursmith-evidence-1": ("at", "made_by", "workspace", "filters", "files"),
}


def statement(form: str, facts: Object) -> bytes | None:
    """Return the signed message: the canonical form of the facts and the name of the statement."""
    return canonical_bytes({"format": form, **{name: facts[name] for name in SIGNED_FACTS[form]}})


def check_key(value: Any) -> None:
    """Raise TypeError or KeyError unless this is the announcement of a key."""
    if not isinstance(value, dict):
        raise TypeError("a key is not an object")
    form = value.get("format", "hoursmith-key-1")
    if form not in ("hoursmith-key-1", "hoursmith-key-2"):
        raise TypeError("its format is unknown")
    check(value, *SIGNED_FACTS[form], "signature")
    if not isinstance(value.get("countersignature", ""), str) or not isinstance(value.get("key_id", ""), str):
        raise TypeError("a text is missing")
    if value.get("use", "signing") not in ("signing", "recovery"):
        raise TypeError("its use is unknown")


def check_head(value: Object) -> None:
    """Raise TypeError or KeyError unless this is a checkpoint or cut."""
    check(value, "workspace", "hash", "at", "key_id", "signature")
    check_numbers(value, "sequence", *(("rows",) if value["type"] == "cut" else ()))
    if value["type"] != "cut" and not isinstance(value.get("reason", ""), str):
        raise TypeError("a text is missing")
    if "format" in value:
        if value["format"] != "hoursmith-checkpoint-2" or value["type"] == "cut" or not value["origin"]:
            raise TypeError("its format is unknown")
        check(value, "origin", "root")
        check_numbers(value, "epoch", "first")
        if not isinstance(value.get("note", ""), str):
            raise TypeError("its note is not a text")


def check_restore(value: Object) -> None:
    """Raise TypeError or KeyError unless this is the statement of a restore or of a lost key."""
    if value["format"] not in ("hoursmith-restore-1", "hoursmith-break-1"):
        raise TypeError("its format is unknown")
    check(value, "workspace", "at", "reason", "to", "key_id", "signature")
    if value["format"] == "hoursmith-break-1":
        check(value, "lost", "public_key")
        if not value["lost"]:
            raise TypeError("the lost key is missing")
    for head, names in (("from", ("origin", "hash", "root")), ("kept", ("hash", "root"))):
        if not isinstance(value[head], dict) or set(value[head]) != {*names, "sequence"}:
            raise TypeError(f"{head} is not a head")
        check(value[head], *names)
        check_numbers(value[head], "sequence")


def is_new(checkpoint: Object) -> bool:
    """Return whether this is a checkpoint of format 2, which signs a tree, too."""
    return "format" in checkpoint


def origin_of(checkpoint: Object) -> Origin:
    """Return the origin of a checkpoint of format 2, which agrees with the rest of it; raise FoundError."""
    try:
        origin = Origin(checkpoint["origin"])
    except ValueError as error:
        raise FoundError("bad-epoch", f"{checkpoint['origin']}: {error}") from None
    said = checkpoint["workspace"], checkpoint["epoch"], checkpoint["first"]
    if said != (origin.workspace, origin.epoch, origin.first):
        raise FoundError("bad-epoch", f"the origin {origin.text} is not that of its workspace, epoch and first row")
    if not (is_hash(checkpoint["root"]) and is_hash(checkpoint["hash"])):
        raise FoundError("bad-proof", "its root or hash is not a hash")
    size = checkpoint["sequence"] - origin.first + 1
    if size < 0 or (size == 0 and checkpoint["root"] != Tree().root().hex()):
        raise FoundError("bad-proof", "there is no such tree")
    return origin


def verify_head(trust: Trust, said: Object, note: str | None = None) -> dict[str, int]:
    """Verify a checkpoint or cut (§ 6) and return when which witnesses cosigned it; raise FoundError."""
    if not is_new(said):
        trust.verify("hoursmith-cut-1" if said["type"] == "cut" else "hoursmith-checkpoint-1", said)
        return {}
    raw = trust.verify("hoursmith-checkpoint-2", said)
    origin, size = origin_of(said), said["sequence"] - said["first"] + 1
    whole = note if note is not None else said.get("note")
    if whole is None:
        raise FoundError("bad-proof", "its note is missing")
    return verify_note(trust, Note(whole), origin, size, bytes.fromhex(said["root"]), raw)


def verify_note(trust: Trust, note: Note, origin: Origin, size: int, root: bytes, raw: bytes) -> dict[str, int]:
    """Verify that a note states this tree and is signed by this key; return the cosignatures; raise FoundError."""
    found = note.head()
    if (found[0].text, *found[1:]) != (origin.text, size, root):
        raise FoundError("inconsistent", "the checkpoint and its note state two heads")
    keys = [VerifierKey(origin.text, key) for key in trust.keys.values()]
    note.signatures(keys)
    if not note.signatures([VerifierKey(origin.text, raw)]):
        raise FoundError("wrong-key", "the note is not signed by the key of the checkpoint")
    return note.signatures(trust.witnesses)


class Epochs:
    """The epochs of one log, from the statements of restores and lost keys (§ 9)."""

    def __init__(self, workspace: str) -> None:
        """Begin with a log that was never restored."""
        self.workspace = workspace
        self.statements: dict[int, Object] = {}
        self.log: tuple[str, str, int] | None = None

    def learn(self, trust: Trust, said: Object) -> None:
        """Take a `restore` line into account; raise FoundError."""
        if said["format"] == "hoursmith-break-1":
            trust.learn_break(said)
        trust.verify(said["format"], said)
        kept, given_up = said["kept"], said["from"]
        try:
            old, new = Origin(given_up["origin"]), Origin(said["to"])
        except ValueError as error:
            raise FoundError("bad-epoch", f"it names no origin: {error}") from None
        self.belongs(old)
        self.belongs(new)
        if new.epoch != old.epoch + 1 or said["workspace"] != self.workspace:
            raise FoundError("bad-epoch", f"{said['to']} does not follow {given_up['origin']}")
        if kept["sequence"] > given_up["sequence"] or kept["sequence"] < new.first - 1:
            raise FoundError("bad-epoch", "it keeps rows that were not there")
        if self.statements.setdefault(new.epoch, said) != said:
            raise FoundError("bad-epoch", f"two statements lead to {said['to']}")

    def belongs(self, origin: Origin) -> None:
        """Raise FoundError unless the origin is one of this log."""
        self.log = self.log or origin.log
        if origin.log != self.log or origin.workspace != self.workspace:
            raise FoundError("bad-epoch", f"{origin.text} is the origin of another log")

    def at(self, sequence: int) -> int:
        """Return the epoch in which the row at this place was written, if it is of format 2."""
        return max((e for e, said in self.statements.items() if said["kept"]["sequence"] < sequence), default=1)

    def later(self, epoch: int) -> list[Object]:
        """Return the statements that lead to later epochs."""
        return [said for number, said in sorted(self.statements.items()) if number > epoch]

    def is_given_up(self, origin: Origin, sequence: int) -> bool:
        """Return whether the head of an old origin was given up by a restore; raise FoundError if it fits nowhere."""
        self.belongs(origin)
        if origin.epoch != 1 and origin.epoch not in self.statements and not self.later(origin.epoch):
            raise FoundError("bad-epoch", f"no restore statement leads to {origin.text}")
        own = self.statements.get(origin.epoch)
        if own and sequence < own["kept"]["sequence"]:
            raise FoundError("bad-epoch", f"{origin.text} begins after row {own['kept']['sequence']}")
        if all(sequence <= said["kept"]["sequence"] for said in self.later(origin.epoch)):
            return False
        left = next((said for said in self.later(origin.epoch) if said["from"]["origin"] == origin.text), None)
        if left and sequence > left["from"]["sequence"]:
            raise FoundError("bad-epoch", f"{origin.text} ended at row {left['from']['sequence']}")
        return True

    def refuse_given_up(self, origin: Origin, sequence: int) -> None:
        """Raise FoundError if the rows under an older checkpoint that was kept were given up."""
        if self.is_given_up(origin, sequence):
            said = min(self.later(origin.epoch), key=lambda each: each["kept"]["sequence"])
            reason = f"rows {said['kept']['sequence'] + 1} to {sequence} of {origin.text} were given up"
            raise FoundError("bad-epoch", f"{reason} on {said['at']}: {said['reason']}", until=sequence)

    def heads(self) -> dict[int, Object]:
        """Return the heads that restores kept and no later one gave up, by sequence."""
        kept = {}
        for epoch, said in self.statements.items():
            place = said["kept"]["sequence"]
            if all(place <= other["kept"]["sequence"] for other in self.later(epoch)):
                kept[place] = said["kept"]
        return kept

    def report(self) -> list[Object]:
        """Return what was given up, for the verdict."""
        return [
            {
                **{"epoch": epoch, "kept": said["kept"]["sequence"], "given_up_to": said["from"]["sequence"]},
                **{"at": said["at"], "reason": said["reason"], "is_key_lost": said["format"] == "hoursmith-break-1"},
            }
            for epoch, said in sorted(self.statements.items())
        ]


# ---- Entries (§ 1, § 3, § 4). ----

NOT_FACTS = {"type", "previous_hash", "hash"}
NOT_FACTS_2 = NOT_FACTS | {"seal", "salts", *SEALED}


def genesis(workspace: str) -> str:
    """Return the previous hash of the first row of a workspace (§ 4)."""
    return hashlib.sha256(f"{FORMAT_1}\n{workspace}".encode()).hexdigest()


def facts_of(row: Object) -> Object | None:
    """Return the facts that a row's hash covers; None if it is no row of a known format."""
    if not is_hash(row.get("previous_hash")) or not is_hash(row.get("hash")):
        return None
    if row.get("format") == FORMAT_1:
        return {name: value for name, value in row.items() if name not in NOT_FACTS}
    if row.get("format") != FORMAT_2 or not is_number(row.get("epoch"), 1):
        return None
    sealed = row.get("sealed")
    if not isinstance(sealed, dict) or set(sealed) != set(SEALED) or not all(map(is_hash, sealed.values())):
        return None
    return {name: value for name, value in row.items() if name not in NOT_FACTS_2}


def has_valid_hash(row: Object, sequence: int | None = None) -> bool:
    """Return whether the row's hash is right (§ 4); with `sequence`, whether it would be under that number."""
    facts = facts_of(row)
    if facts is None:
        return False
    made = canonical_bytes(facts if sequence is None else {**facts, "sequence": sequence})
    return made is not None and hashlib.sha256(made + bytes.fromhex(row["previous_hash"])).hexdigest() == row["hash"]


def check_seals(row: Object) -> None:
    """Raise FoundError unless each sealed member that a valid row shows has its salt and matches (§ 3)."""
    shown = [name for name in SEALED if name in row]
    if row["format"] == FORMAT_1 or not (shown or "seal" in row or "salts" in row):
        return
    salts = row.get("salts", {})
    if "seal" in row:
        if "salts" in row or len(shown) != len(SEALED) or not is_hash(row["seal"]):
            raise FoundError("bad-salt", "its seal does not have 32 bytes, or is there beside salts or without values")
        seal = bytes.fromhex(row["seal"])
        salts = {name: hmac.digest(seal, f"hoursmith-salt-2\n{name}".encode(), "sha256").hex() for name in SEALED}
    if not isinstance(salts, dict) or set(salts) != set(shown):
        raise FoundError("bad-salt", "a member is shown without its salt, or a salt without its member")
    for name in shown:
        value = canonical_bytes(row[name])
        if value is None or not is_hash(salts[name]):
            raise FoundError("bad-salt", f"the value or salt of {name} has no valid form")
        made = f"hoursmith-sealed-2\n{name}\n".encode() + bytes.fromhex(salts[name]) + value
        if hashlib.sha256(made).hexdigest() != row["sealed"][name]:
            raise FoundError("bad-salt", f"{name} does not match its commitment: value or salt were changed")


def number_of(row: Object) -> int:
    """Return the sequence of a row, 0 if it is no number."""
    return row["sequence"] if type(row["sequence"]) is int else 0


def id_of(row: Object) -> str:
    """Return the id of a row."""
    return str(row.get("id"))


SEARCH_BEYOND = 10_000
SEARCH_BYTES = 256 * 1024 * 1024


def sealed_place(row: Object, near: int, highest: int) -> int | None:
    """Return the number under which the row was hashed, searched from `near` outwards (§ 12)."""
    facts = facts_of(row)
    if facts is None:
        return None
    pivot = "sequence".encode("utf-16-be")
    order = {name: name.encode("utf-16-be", "surrogatepass") for name in facts}
    before = canonical_bytes({name: facts[name] for name in facts if order[name] < pivot})
    after = canonical_bytes({name: facts[name] for name in facts if order[name] > pivot})
    if before is None or after is None:
        return None
    beginning = before[:-1] + (b"," if len(before) > 2 else b"") + b'"sequence":'
    end = (b"," if len(after) > 2 else b"") + after[1:] + bytes.fromhex(row["previous_hash"])
    reach = min(max(highest, near) + SEARCH_BEYOND, SEARCH_BYTES // (2 * (len(beginning) + len(end))))
    for distance in range(reach + 1):
        for place in {near + distance, near - distance}:
            if place > 0 and hashlib.sha256(b"%b%d%b" % (beginning, place, end)).hexdigest() == row["hash"]:
                return place
    return None


MOST_WARNINGS = 10
A_MINUTE = 60


class Clock:
    """Warns of times that go back by more than a minute (§ 11): time is the word of the operator's machine."""

    def __init__(self) -> None:
        """Begin without any time."""
        self.warnings: list[Object] = []
        self.recorded = self.signed = ""

    def row(self, row: Object) -> None:
        """Compare a row with the rows and checkpoints before it."""
        at, place = str(row.get("recorded_at")), number_of(row)
        if not INSTANT.fullmatch(at):
            return
        if goes_back(self.recorded, at):
            self.warn("event", place, f"it was recorded at {at}, an earlier row at {self.recorded}")
        elif goes_back(self.signed, at):
            self.warn("event", place, f"it was recorded at {at}, before the checkpoint before it, at {self.signed}")
        self.recorded = max(self.recorded, at)

    def checkpoint(self, checkpoint: Object) -> None:
        """Compare a checkpoint with the ones before it."""
        at = checkpoint["at"]
        if not INSTANT.fullmatch(at):
            return
        if goes_back(self.signed, at):
            place = checkpoint["sequence"]
            self.warn("checkpoint", place, f"it was made at {at}, an earlier checkpoint at {self.signed}")
        self.signed = max(self.signed, at)

    def earlier_key(self, trust: Trust, key_id: str, place: int) -> None:
        """Warn if the last checkpoint is signed with a key before the given one (§ 11)."""
        if trust.is_earlier(key_id):
            reason = (
                "it is the last one, and signed with a key before the given one: the holder of that key can invent it"
            )
            self.warnings.insert(0, {"record": "checkpoint", "sequence": place, "reason": reason})

    def warn(self, record: str, place: int, reason: str) -> None:
        """Keep the first warnings."""
        if len(self.warnings) < MOST_WARNINGS:
            self.warnings.append({"record": record, "sequence": place, "reason": reason})


def goes_back(before: str, now: str) -> bool:
    """Return whether one instant is more than a minute before another one, which comes first."""
    if now >= before:
        return False
    try:
        earlier, later = (datetime.strptime(text, "%Y-%m-%dT%H:%M:%S.%fZ") for text in (now, before))
    except ValueError:
        return False
    return (later - earlier).total_seconds() > A_MINUTE


def check_epoch(row: Object, epochs: Epochs, before: int) -> int:
    """Return the epoch of a valid row, 0 for format 1; raise FoundError if it is not that of its place (§ 9)."""
    if row["format"] == FORMAT_1:
        if before:
            raise FoundError("bad-epoch", "it is of format 1, an earlier row of format 2")
        return 0
    if row["epoch"] != epochs.at(row["sequence"]):
        reason = f"it says epoch {row['epoch']}, but rows here are of epoch {epochs.at(row['sequence'])}"
        raise FoundError("bad-epoch", reason)
    return int(row["epoch"])


def instant_of(seconds: int) -> str:
    """Return the time of a cosignature as text."""
    try:
        return time.strftime("%Y-%m-%dT%H:%M:%SZ", time.gmtime(seconds))
    except (ValueError, OverflowError, OSError):
        return str(seconds)


# ---- One chain (§ 11, § 12). ----

RECENT_ROWS = 256


class Chain:
    """One workspace's chain (§ 11): verifies up to the first mismatch, then reads on to find out what happened."""

    def __init__(
        self,
        workspace: str,
        trust: Trust,
        origins: dict[str, str],
        head: Object | None = None,
        older: Object | None = None,
        *,
        partial: bool = False,
        tail: bool = False,
    ) -> None:
        """`origins` maps each genesis to its workspace; `head` and the checkpoint `older` were kept elsewhere.

        `tail` allows rows after the last checkpoint.
        """
        self.workspace, self.trust, self.origins, self.head, self.partial = workspace, trust, origins, head, partial
        self.older = older if older is not None and older["workspace"] == workspace else None
        self.tail = tail
        self.epochs, self.epoch, self.clock = Epochs(workspace), 0, Clock()
        # The tree of the rows so far, if its left part is known, and the row that is its first leaf.
        self.tree: Tree | None = None
        self.tree_first = 0
        self.range: Object | None = None
        self.cosigned: dict[str, Object] = {}
        self.withheld = 0
        self.last: Object | None = None
        # The first row since the last signed one, and the first before an omission, which no checkpoint can reach.
        self.unsigned_from: int | None = None
        self.never_signed_from: int | None = None
        self.retired_at: dict[str, int] = {}
        self.rows = self.checkpoints = self.left_out = self.behind = self.vouched = self.at = 0
        self.hash = genesis(workspace)
        self.cuts: dict[int, str] = {}
        self.begun = self.head_found = False
        self.recent: deque[Object] = deque(maxlen=RECENT_ROWS)
        self.first_unvouched: str | None = None
        self.ahead: Object | None = None
        # What went wrong: known at once, a signed hash that disagrees, or a row that does not match.
        self.bad: Object | None = None
        self.disagrees: tuple[str, str] | None = None
        self.misfit: Object | None = None
        self.following: Object | None = None
        self.first_inserted: Object | None = None
        self.signs: set[str] = set()
        self.highest = 0

    @property
    def holds(self) -> bool:
        """Whether everything was valid so far."""
        return self.bad is None and self.disagrees is None and self.misfit is None

    def row(self, row: Object) -> None:
        """Process the next row."""
        self.rows += 1
        if not self.holds:
            self.watch(row)
            return
        number = number_of(row)
        if not self.begun:
            self.begin(row)
            if self.bad or self.disagrees:
                self.watch(row)
                return
        valid = has_valid_hash(row)
        if self.partial and number > self.at + 1:
            self.left_out += number - self.at - 1
            self.never_signed_from = self.never_signed_from or self.unsigned_from
            self.unsigned_from = None
            self.at, self.hash, self.ahead, self.tree = number - 1, row["previous_hash"], None, None
            self.recent.clear()
        if not valid or number != self.at + 1 or row["previous_hash"] != self.hash:
            self.misfit, self.highest = row, number
        elif self.ahead is not None:
            self.settle("reordered", self.ahead["sequence"], "it comes before the row that it names", "checkpoint")
        else:
            self.at, self.hash = number, row["hash"]
            self.recent.append(
                {"id": id_of(row), **{name: row[name] for name in ("sequence", "previous_hash", "hash")}}
            )
            self.first_unvouched = self.first_unvouched or id_of(row)
            self.unsigned_from = self.unsigned_from or number
            self.accept_format_2(row)
            self.reach()

    def accept_format_2(self, row: Object) -> None:
        """Check what is special in format 2: the epoch, the sealed members and the tree."""
        self.clock.row(row)
        if self.tree is not None:
            self.tree.add(leaf_hash(bytes.fromhex(row["hash"])))
        try:
            self.epoch = check_epoch(row, self.epochs, self.epoch)
            check_seals(row)
        except FoundError as error:
            self.bad = self.finding(error.kind, self.at, id_of(row), error.reason)

    def restore(self, said: Object) -> None:
        """Process the statement of a restore or lost key, which comes before the rows."""
        if self.holds:
            try:
                self.epochs.learn(self.trust, said)
            except FoundError as error:
                self.settle(error.kind, said["kept"]["sequence"] + 1, error.reason, "restore")

    def extent(self, said: Object) -> None:
        """Process a `range` line, which gives the left part of the tree where the chain begins at a cut."""
        if self.range is not None or self.begun:
            raise UnusableInputError("A range line must come once, before the rows of its workspace.")
        self.range = said

    def begin_tree(self) -> None:
        """Begin the tree at the first row, or with the roots to the left of it."""
        self.tree, self.tree_first = Tree(), self.at + 1
        if self.range is None:
            return
        try:
            origin = Origin(self.range["origin"])
            self.epochs.belongs(origin)
            if self.range["first"] != self.at + 1 or origin.first > self.at + 1 or self.range["right"]:
                raise FoundError("bad-proof", "the range is not that of the rows of this chain")
            left = [bytes.fromhex(hash) for hash in self.range["left"]]
            self.tree, self.tree_first = Tree(self.at + 1 - origin.first, left), origin.first
        except ValueError as error:
            self.settle("bad-epoch", self.at + 1, str(error), "range")
        except FoundError as error:
            self.settle(error.kind, self.at + 1, error.reason, "range")

    def begin(self, first: Object | None) -> None:
        """Begin at the cut or genesis that the first row names, otherwise at the nearest cut below it (§ 7)."""
        self.begun = True
        previous_hash = first.get("previous_hash") if first else None
        start = [place for place, hash in self.cuts.items() if hash == previous_hash]
        if not start and self.cuts and previous_hash != self.hash:
            below = [place for place in self.cuts if first is None or place < number_of(first)]
            start = [max(below, default=min(self.cuts))]
        if start:
            self.at = self.behind = max(start)
            self.hash = self.cuts[self.at]
        self.begin_tree()
        self.reach()

    def reach(self) -> None:
        """Compare the current row with a cut at its position and with the head that was kept elsewhere."""
        if self.at in self.cuts and self.at != self.behind:
            self.agree(self.cuts[self.at], "a cut")
        if self.head is not None and self.holds and self.head["sequence"] in (None, self.at):
            if self.head["sequence"] is not None:
                self.head_found = True
                self.agree(self.head["hash"], "the given head")
            self.head_found = self.head_found or self.head["hash"] == self.hash
        if self.at > self.behind and (kept := self.epochs.heads().get(self.at)) and self.holds:
            self.agree(kept["hash"], "a restore statement")
            self.compare_root(self.epochs.log and self.epochs.log[2], kept["root"], "restore")
        if self.older is not None and self.holds and self.older["sequence"] == self.at:
            self.extend_older(self.older)

    def refuse_given_up(self, older: Object) -> None:
        """Settle it if a restore gave up the rows under the checkpoint that was kept elsewhere."""
        if "origin" in older:
            try:
                self.epochs.refuse_given_up(Origin(older["origin"]), older["sequence"])
            except FoundError as error:
                self.settle(error.kind, older["sequence"], error.reason, "checkpoint", **error.more)

    def extend_older(self, older: Object) -> None:
        """Compare the log with the checkpoint that was kept elsewhere, at its last row."""
        self.refuse_given_up(older)
        if self.bad:
            return
        comparable = self.tree is not None and self.tree_first == older.get("first") and self.holds
        if comparable and self.tree is not None and self.tree.root().hex() != older["root"]:
            self.settle("inconsistent", self.at, "the tree is not that of the given checkpoint", "checkpoint")
        elif older.get("hash", self.hash) != self.hash:
            self.settle("inconsistent", self.at, "the row has another hash in the given checkpoint", "checkpoint")
        elif not comparable and "hash" not in older:
            self.settle("bad-proof", self.at, "nothing proves the tree of the given checkpoint", "checkpoint")
        else:
            self.head_found = True
            self.agree(self.hash, "the given checkpoint")

    def compare_root(self, first: int | None, root: str, record: str = "checkpoint") -> None:
        """Compare the tree of the rows so far with a signed root, if it can be calculated."""
        if self.holds and self.tree is not None and self.tree_first == first and self.tree.root().hex() != root:
            if self.range is not None:
                self.settle("bad-proof", self.at, "the range and the rows do not lead to the signed root", record)
            else:
                self.settle("forked", self.at, "the signed tree has other leaves than the chain has rows", record)

    def agree(self, hash: str, source: str) -> None:
        """Compare the last row with a trusted statement of its hash."""
        if hash == self.hash:
            self.vouched, self.first_unvouched, self.unsigned_from = self.at, None, None
        else:
            self.disagrees = (hash, source)

    def checkpoint(self, checkpoint: Object) -> None:
        """Process the next checkpoint or cut."""
        fault, place, kind = self.fault(checkpoint), checkpoint["sequence"], checkpoint["type"]
        if not self.holds:
            if not fault:
                self.watch_checkpoint(checkpoint)
            return
        self.checkpoints += kind == "checkpoint"
        fault = fault or self.retired(checkpoint)
        if kind == "checkpoint" and not fault:
            self.clock.checkpoint(checkpoint)
            self.last = checkpoint
        if fault:
            self.settle(fault[0], place, fault[1], kind)
        elif is_new(checkpoint) and self.is_given_up(checkpoint):
            pass
        elif self.begun or (kind == "checkpoint" and place == 0):
            if place == self.at:
                self.agree(checkpoint["hash"], f"a {kind}")
                if is_new(checkpoint):
                    self.compare_root(checkpoint["first"], checkpoint["root"])
            elif place > self.at:
                self.ahead = checkpoint
            elif place > self.behind and not self.partial:
                self.settle("reordered", place, f"it comes after row {self.at}, out of order", "checkpoint")
        elif kind == "cut":
            self.cuts[place] = checkpoint["hash"]
        elif place in self.cuts:
            if checkpoint["hash"] != self.cuts[place]:
                self.settle("replaced", place, "a checkpoint and a cut at the same row name two hashes", "cut")
        elif place > max(self.cuts, default=0):
            self.ahead = checkpoint

    def fault(self, checkpoint: Object) -> tuple[str, str] | None:
        """Return the kind and reason if something about a checkpoint or cut is not valid (§ 6, § 7)."""
        try:
            cosigned = verify_head(self.trust, checkpoint)
        except FoundError as error:
            return error.kind, error.reason
        for name, seconds in cosigned.items():
            self.cosigned[name] = {"name": name, "at": instant_of(seconds), "sequence": checkpoint["sequence"]}
        return None

    def is_given_up(self, checkpoint: Object) -> bool:
        """Return whether a restore gave up the rows under a checkpoint; settle what its origin has no place for."""
        try:
            return self.epochs.is_given_up(origin_of(checkpoint), checkpoint["sequence"])
        except FoundError as error:
            self.settle(error.kind, checkpoint["sequence"], error.reason, "checkpoint")
            return True

    def retired(self, checkpoint: Object) -> tuple[str, str] | None:
        """Return a fault if the key was retired before this row; else retire the keys before it (§ 8)."""
        key_id, place = checkpoint["key_id"], checkpoint["sequence"]
        last = self.retired_at.get(key_id)
        if last is not None and place > last:
            return "retired-key", f"it is signed with the key {key_id}, but the next key had signed row {last}"
        if checkpoint["type"] == "checkpoint":
            for earlier in self.trust.predecessors(key_id):
                self.retired_at.setdefault(earlier, place)
        return None

    def find_unsigned(self) -> None:
        """Find rows that lie under no signature, or a log without any (§ 11)."""
        if not (self.checkpoints or self.behind or self.vouched or self.head_found):
            self.settle("unsigned", 1, "nothing is signed: no checkpoint of a trusted key", until=self.at or None)
        elif self.never_signed_from is not None:
            self.settle("unsigned", self.never_signed_from, "no checkpoint confirms it before rows are omitted")
        elif self.unsigned_from is not None and not self.tail:
            self.settle("unsigned", self.unsigned_from, "no checkpoint covers these rows", until=self.at)
        elif missing := [each.name for each in self.trust.witnesses if each.name not in self.cosigned]:
            self.settle("unsigned", self.at, f"{missing[0]} cosigned none of the checkpoints", "checkpoint")

    def settle(self, kind: str, place: int, reason: str, record: str = "event", **more: Any) -> None:
        """Record a fault that is clear already."""
        self.bad = self.finding(kind, place, None, reason, record=record, **more)

    def finding(self, kind: str, place: int, id: str | None, reason: str, **more: Any) -> Object:
        """Return a finding: what is wrong, and where (§ 12)."""
        named = {"kind": kind, "workspace": self.workspace, "sequence": place, "id": id}
        return {**named, "record": "event", "until": None, "reason": reason, **more}

    def watch(self, row: Object) -> None:
        """Collect signs from a row after the mismatch (§ 12)."""
        number, hash, previous_hash = number_of(row), row.get("hash"), row.get("previous_hash")
        self.highest = max(self.highest, number)
        if self.misfit is None:
            self.following = self.following or row
            place = None if self.first_inserted else self.inserted_before(row)
            if place and has_valid_hash(row, place["sequence"]):
                self.first_inserted = place
            return
        if hash == self.misfit.get("hash"):
            self.signs.add("repeated")
        if hash == self.misfit.get("previous_hash"):
            self.signs.add("predecessor follows")
        if previous_hash == self.misfit.get("hash"):
            self.signs.add("continues after mismatch")
        if previous_hash == self.hash:
            self.signs.add("continues after last")
            if has_valid_hash(row, self.at + 1):
                self.signs.add("expected follows")

    def watch_checkpoint(self, checkpoint: Object) -> None:
        """Note which of two rows for one position a signature confirms."""
        if self.misfit is not None and checkpoint["sequence"] == self.at:
            if checkpoint["hash"] == self.misfit.get("hash"):
                self.signs.add("continues after mismatch")
            if checkpoint["hash"] == self.hash:
                self.signs.add("continues after last")

    def finish(self) -> Object:
        """Return the report on the chain."""
        if not self.begun and self.holds:
            self.begin(None)
        if self.holds and self.ahead is not None and not self.partial:
            until = self.ahead["sequence"]
            self.settle("cut-tail", self.at + 1, f"a checkpoint says that there were rows up to {until}", until=until)
        if self.holds and not self.partial and max(self.epochs.heads(), default=0) > self.at:
            until = max(self.epochs.heads())
            self.settle("cut-tail", self.at + 1, f"a restore kept rows up to {until}", until=until)
        if self.holds and self.older is not None:
            self.miss_older(self.older)
        if self.holds and self.head is not None and not self.head_found:
            self.miss_head(self.head["sequence"])
        if self.holds:
            self.find_unsigned()
        bad = self.bad
        if self.disagrees is not None:
            bad = self.rewritten(*self.disagrees)
        if self.misfit is not None:
            bad = self.explain(self.misfit)
        names = ("workspace", "rows", "checkpoints", "behind", "hash", "vouched", "left_out", "withheld", "epoch")
        found: Object = {**{name: getattr(self, name) for name in names}, "sequence": self.at, "bad": bad}
        if self.last is not None:
            self.clock.earlier_key(self.trust, self.last["key_id"], self.last["sequence"])
        found["restores"], found["warnings"] = self.epochs.report(), self.clock.warnings
        return {**found, "cosigned": [self.cosigned[name] for name in sorted(self.cosigned)]}

    def miss_older(self, older: Object) -> None:
        """Record that the log does not reach the checkpoint that was kept, or gave up its rows."""
        place = older["sequence"]
        self.refuse_given_up(older)
        if self.bad:
            return
        if place > self.at:
            self.settle("cut-tail", self.at + 1, f"the given checkpoint is of row {place}", until=place)
        elif place <= self.behind and place < self.at:
            raise UnusableInputError(f"The given checkpoint, row {place}, is below the cut at row {self.behind}.")

    def miss_head(self, place: int | None) -> None:
        """Record that the head that was kept elsewhere is not in the chain."""
        if place is not None and place <= self.at:
            raise UnusableInputError(f"The given head, row {place}, is below the cut at row {self.behind}.")
        reason = f"the given head is row {place}"
        if place is None:
            below = ", or it is below the cut" if self.behind else ""
            reason = f"no row has the hash given as --head: the tail was cut, or the chain rewritten{below}"
        self.settle("cut-tail", self.at + 1, reason, until=place)

    def rewritten(self, hash: str, source: str) -> Object:
        """Return the finding for a last row whose hash differs from a trusted statement."""
        after = self.following
        if after and after.get("previous_hash") == hash and number_of(after) == self.at + 1 and self.recent:
            reason = f"{source} and the row after it name another hash for this row"
            return self.finding("edited", self.at, self.recent[-1]["id"], reason)
        if self.first_inserted:
            return self.inserted(self.first_inserted)
        first = min(max(self.vouched, self.behind) + 1, self.at)
        reason = f"{source} at row {self.at} names another hash: rows {first} to {self.at} were rewritten"
        return self.finding("replaced", first, self.first_unvouched, reason, until=self.at)

    def explain(self, misfit: Object) -> Object:
        """Return the finding for a mismatch, from the signs in the order of § 12."""
        awaited, place = self.at + 1, number_of(misfit)
        follows = "expected follows" in self.signs
        if not has_valid_hash(misfit):
            found = sealed_place(misfit, awaited, self.highest)
            if found is None:
                return self.explain_changed(misfit, place, follows)
            place = found
        if place < awaited:
            return self.explain_surplus(misfit, place, follows)
        if place > awaited:
            if not follows and not self.partial:
                return self.missing(misfit, place)
            if not follows:
                return self.here("edited", misfit, f"its number was changed to {misfit['sequence']}")
            if "predecessor follows" in self.signs and "repeated" not in self.signs:
                return self.here("reordered", misfit, f"row {place} is here, and this one comes later")
            return self.here("inserted", misfit, "it belongs nowhere in this chain, and the expected row follows")
        if follows:
            return self.here("inserted", misfit, "it does not match, and the expected row follows")
        if misfit["previous_hash"] == self.hash:
            return self.here("edited", misfit, f"its number was changed to {misfit['sequence']}")
        return self.explain_link(misfit)

    def explain_changed(self, misfit: Object, place: int, follows: bool) -> Object:
        """Return the finding for a row whose hash is right under no number."""
        if follows:
            return self.here("inserted", misfit, "its hash is not that of its facts, and the expected row follows")
        if place > self.at + 1:
            return self.missing(misfit, place)
        other = self.origins.get(str(misfit.get("previous_hash")))
        if self.at == 0 and other not in (None, self.workspace):
            return self.here("other-genesis", misfit, f"the chain begins at the genesis of the workspace {other}")
        return self.here("edited", misfit, "its hash is not that of its facts and the previous hash it names")

    def explain_link(self, misfit: Object) -> Object:
        """Return the finding for a valid row at this position whose previous hash is another one."""
        if self.at == 0:
            other = self.origins.get(misfit["previous_hash"], "no known workspace")
            return self.here("other-genesis", misfit, f"the chain begins at the genesis of {other}")
        if not self.recent or self.vouched == self.at:
            return self.here("edited", misfit, "its previous hash is not the proven hash of the row before it")
        return self.finding("edited", self.at, self.recent[-1]["id"], "the row after it names another hash for it")

    def explain_surplus(self, misfit: Object, place: int, follows: bool) -> Object:
        """Return the finding for a valid row whose position is taken."""
        last, bears = self.recent[-1] if self.recent else None, number_of(misfit)
        is_twin = last and place == bears == self.at and last["previous_hash"] == misfit["previous_hash"]
        if last and is_twin and last["hash"] != misfit["hash"]:
            is_last_bad = "continues after mismatch" in self.signs and "continues after last" not in self.signs
            bad, other = (last["id"], id_of(misfit)) if is_last_bad else (id_of(misfit), last["id"])
            return self.finding("forked", place, bad, f"the row {other} claims the same position after the same row")
        first = self.inserted_before(misfit)
        if not follows and bears == self.at + 1 and first and first["sequence"] == place:
            return self.inserted(first)
        return self.here("inserted", misfit, f"row {place} is here, and its position is taken")

    def inserted_before(self, row: Object) -> Object | None:
        """Return the unsigned row at the position that `row` claims by its previous hash."""
        for recent in self.recent:
            if recent["sequence"] > self.vouched and recent["previous_hash"] == row.get("previous_hash"):
                return recent if recent["hash"] != row.get("hash") else None
        return None

    def inserted(self, first: Object) -> Object:
        """Return the finding for rows from `first` on that were inserted before the original of its number."""
        reason = f"the row that was written as number {first['sequence']} comes after row {self.at}, renumbered"
        return self.finding("inserted", first["sequence"], first["id"], reason, until=self.at)

    def missing(self, misfit: Object, place: int) -> Object:
        """Return the finding for rows that are missing before the mismatch."""
        reason = f"rows are missing before row {place} ({id_of(misfit)})"
        return self.finding("removed", self.at + 1, None, reason, until=place - 1)

    def here(self, kind: str, misfit: Object, reason: str) -> Object:
        """Return a finding whose bad row is the mismatch itself."""
        return self.finding(kind, self.at + 1, id_of(misfit), reason)


# ---- Exports (§ 13). ----


def trust_from(text: str, fingerprint: str = "", vkey: str = "", witnesses: Iterable[str] = ()) -> Trust:
    """Build the trusted keys from the text of a key file, which may be empty, and a fingerprint or vkey (§ 8)."""
    trust = Trust(parsed_fingerprint(fingerprint) if fingerprint else "")
    trust.witnesses = [VerifierKey.parse(each, COSIGNATURE) for each in witnesses]
    if vkey:
        key = VerifierKey.parse(vkey, ED25519)
        if trust.fingerprint not in ("", fingerprint_of(key.raw)):
            raise UnusableInputError("The verifier key and the fingerprint are of two keys.")
        trust.origin = key.name
        trust.anchor(key.raw)
    if text.lstrip().startswith("-----BEGIN"):
        trust.anchor(raw_of_pem(text, trust.fingerprint))
        return trust
    if not (trust.fingerprint or vkey):
        raise UnusableInputError("Give the fingerprint of a key that you trust, got by another way: --fingerprint.")
    if text:
        learn_key_file(trust, text)
        if not trust.given:
            raise UnusableInputError("No key of the key file has the given fingerprint.")
    return trust


def parsed_fingerprint(text: str) -> str:
    """Return a fingerprint as 64 hexadecimal digits in lower case."""
    made = "".join(text.split()).replace(":", "").lower()
    if not HASH.fullmatch(made):
        raise UnusableInputError("A fingerprint is the whole SHA-256 of a public key: 64 hexadecimal digits.")
    return made


def raw_of_pem(text: str, fingerprint: str) -> bytes:
    """Return the 32 bytes of a public key as PEM, which has the fingerprint if there is one."""
    try:
        key = load_pem_public_key(text.encode())
    except (ValueError, UnsupportedAlgorithm) as error:
        raise UnusableInputError(f"The key file contains no public key: {error}") from None
    if not isinstance(key, Ed25519PublicKey):
        raise UnusableInputError("The key file contains a public key that is not Ed25519.")
    raw = key.public_bytes(Encoding.Raw, PublicFormat.Raw)
    if fingerprint not in ("", fingerprint_of(raw)):
        raise UnusableInputError("The public key in the key file has another fingerprint than the given one.")
    return raw


def learn_key_file(trust: Trust, text: str) -> None:
    """Take into account the keys of a file from /audit/key; raise UnusableInputError."""
    try:
        keys = json.loads(text)["keys"]
        for key in keys:
            check_key(key)
        made = [Announcement(key, decoded(key["public_key"], 32)) for key in keys]
        first = made[0]
    except (ValueError, LookupError, TypeError, RecursionError) as error:
        raise UnusableInputError(f"The key file is neither PEM nor a file from /audit/key: {error!r}") from None
    for number, key in enumerate(made):
        # The first key signs itself, and so does one after a lost key.
        before = [key] if not key.by else made[:number]
        if keys[number].get("key_id", key.id) != key.id or not any(key.is_announced_by(each) for each in before):
            which = "first key" if key is first else "key"
            raise UnusableInputError(f"The key file's {which} {key.id} was not announced by one before it.")
    for each in keys:
        trust.learn(each)


# Withheld rows may be a million; they are read without a JSON parser.
WITHHELD = re.compile(rb'\{"type":"withheld","sequence":([1-9][0-9]{0,14}),"hash":"([0-9a-f]{64})"\}\n?')


def read(lines: Iterable[bytes], kinds: tuple[str, ...]) -> Iterator[Object]:
    """Yield the checked objects after the first line (§ 13); the last one is `end` if there is one."""
    ended, has_withheld = False, "withheld" in kinds
    for number, line in enumerate(lines, start=2):
        if has_withheld and not ended and (quick := WITHHELD.fullmatch(line)):
            yield {"type": "withheld", "sequence": int(quick[1]), "hash": quick[2].decode()}
            continue
        value = parsed(number, line)
        kind = value.get("type")
        if ended:
            raise UnusableInputError(f"Line {number}: there is data after the last line of the export.")
        if kind != "end" and kind not in kinds:
            raise UnusableInputError(f"Line {number} has the unknown type {kind!r}.")
        try:
            check_line(value)
        except (KeyError, TypeError) as error:
            raise UnusableInputError(f"Line {number} is no {kind}: {error!r}") from None
        ended = kind == "end"
        yield value


def check_line(value: Object) -> None:
    """Raise TypeError or KeyError unless a line has what its type needs."""
    kind = value["type"]
    if kind == "event":
        check(value, "workspace")
        number_of(value)
    elif kind in ("checkpoint", "cut"):
        check_head(value)
    elif kind == "key":
        check_key(value)
    elif kind == "restore":
        check_restore(value)
    elif kind == "range":
        check(value, "workspace", "origin")
        check_numbers(value, "first", "last", "size")
        if any(not isinstance(value[side], list) or not all(map(is_hash, value[side])) for side in ("left", "right")):
            raise TypeError("a hash is missing")
    elif kind == "end":
        value["lines"] = value["lines"] if is_number(value.get("lines")) else -1
    elif kind == "withheld" and not (is_number(value["sequence"]) and is_hash(value["hash"])):
        raise TypeError("a hash or number is missing")


def first_line(line: bytes) -> Object:
    """Return the checked first line of an export."""
    header = parsed(1, line)
    names = header.get("workspaces")
    if (
        header.get("type") != "export"
        or header.get("format") not in (FORMAT_1, FORMAT_2)
        or not isinstance(names, list)
    ):
        raise UnusableInputError(f"The first line is not that of an export in the format {FORMAT_1} or {FORMAT_2}.")
    if not all(isinstance(name, str) for name in names):
        raise UnusableInputError("Line 1 does not name the workspaces of the export.")
    return header


def verify(
    lines: Iterable[bytes],
    key_text: str,
    *,
    fingerprint: str = "",
    vkey: str = "",
    witnesses: Iterable[str] = (),
    checkpoint: str = "",
    only: str | None = None,
    head: str = "",
    partial: bool = False,
    tail: bool = False,
) -> Object:
    """Return the verdict on an export; raise UnusableInputError."""
    lines = iter(lines)
    header = first_line(next(lines, b"{}"))
    names = header["workspaces"]
    if (header.get("filters") or header.get("complete") is False) and not partial:
        raise UnusableInputError(
            "This export is filtered, so it cannot prove completeness."
            " Use --partial to verify the rows that it contains."
        )
    trust, kept = trust_from(key_text, fingerprint, vkey, witnesses), parsed_head(head)
    older = parsed_checkpoint(checkpoint)
    origins = {genesis(name): name for name in names}
    chains: dict[str, Chain] = {}

    def chain(name: str) -> Chain:
        if name not in chains:
            chains[name] = Chain(name, trust, origins, kept, older, partial=partial, tail=tail)
        return chains[name]

    for name in names if only is None else [only]:
        chain(name)
    count, said, seen = 0, None, False
    for value in read(lines, ("event", "checkpoint", "cut", "key", "restore", "range")):
        kind = value["type"]
        if kind == "end":
            said = value["lines"]
            continue
        count += 1
        if kind == "key":
            trust.learn(value)
        elif only in (None, value["workspace"]):
            takes = {"event": Chain.row, "restore": Chain.restore, "range": Chain.extent}
            takes.get(kind, Chain.checkpoint)(chain(value["workspace"]), value)
            seen = True
    if kept and len(chains) != 1:
        raise UnusableInputError("The export has several chains: name the head's workspace with --workspace.")
    if only is not None and only not in names and not seen and not kept:
        raise UnusableInputError(f"The export does not contain the workspace {only}.")
    if older is not None:
        refuse_unsigned(trust, older)
        if older["workspace"] not in chains:
            raise UnusableInputError(f"The given checkpoint is of the workspace {older['workspace']}.")
    reports = [each.finish() for each in chains.values()]
    nothing = {"kind": "unsigned", "workspace": "", "sequence": 0, "id": None, "record": "checkpoint", "until": None}
    found = [report["bad"] for report in reports if report["bad"]]
    bad = found[0] if found else None if reports else {**nothing, "reason": "there is no log"}
    if (bad is None or bad["kind"] == "unsigned") and said != count:
        raise UnusableInputError(f"The export is incomplete: it has {count} lines, and its last line says {said}.")
    return {"ok": bad is None, "partial": partial, "workspaces": reports, "bad": bad}


def parsed_head(text: str) -> Object | None:
    """Parse a head, HASH or SEQUENCE:HASH."""
    if not text:
        return None
    number, _, hash = text.rpartition(":")
    if not HASH.fullmatch(hash.lower()) or (number and not number.isdecimal()):
        raise UnusableInputError("A head is HASH or SEQUENCE:HASH; HASH has 64 hexadecimal digits.")
    return {"sequence": int(number) if number else None, "hash": hash.lower()}


def parsed_checkpoint(text: str) -> Object | None:
    """Parse a checkpoint that was kept elsewhere: a note, or a checkpoint line of either format."""
    if not text:
        return None
    if not text.lstrip().startswith("{"):
        try:
            note = Note(text)
            found = {**older_of(note), "note": note}
        except FoundError as error:
            raise UnusableInputError(f"The given checkpoint cannot be used: {error}.") from None
        if found["size"] == 0:
            raise UnusableInputError("The given checkpoint is of an empty log, which says nothing.")
        return found
    said = parsed(0, text.encode(), "The given checkpoint")
    try:
        check_head({**said, "type": "checkpoint"})
        origin_text = {"origin": origin_of(said).text} if is_new(said) else {}
    except (KeyError, TypeError, FoundError) as error:
        raise UnusableInputError(f"The given checkpoint cannot be used: {error!r}.") from None
    names = ("workspace", "sequence", "hash", *(("first", "root") if is_new(said) else ()))
    return {**{name: said[name] for name in names}, **origin_text, "line": {**said, "type": "checkpoint"}}


def verify_older(trust: Trust, older: Object) -> None:
    """Raise FoundError unless a checkpoint that was kept elsewhere is signed by a key of the line."""
    if "line" in older:
        trust.verify(older["line"].get("format", "hoursmith-checkpoint-1"), older["line"])
    elif not older["note"].signatures([VerifierKey(older["origin"], raw) for raw in trust.keys.values()]):
        raise FoundError("unknown-key", "no key of the trusted line signed the older checkpoint")


def refuse_unsigned(trust: Trust, older: Object) -> None:
    """Raise UnusableInputError unless a checkpoint that was kept elsewhere is signed by a key of the line."""
    try:
        verify_older(trust, older)
    except FoundError as error:
        raise UnusableInputError(f"The given checkpoint cannot be used: {error}.") from None


# ---- Evidence (§ 14). ----

MIB = 1024 * 1024
MOST_FILES, MOST_FILE_BYTES, MOST_ENTRIES_BYTES, MOST_BYTES = 512, 64 * MIB, 1024 * MIB, 1280 * MIB
REQUIRED = {"README.txt", "entries.jsonl", "checkpoint", "checkpoint.json", "keys.json", "manifest.json"}
OPTIONAL = {"report.html", "consistency.txt", "verify_audit.py"}
PROOF = re.compile(r"proofs/([1-9][0-9]{0,17})\.(tlog-proof|leaf)")
PROOF_FORMAT, CONSISTENCY_FORMAT = "c2sp.org/tlog-proof@v1", "hoursmith-consistency-1"


class Archive:
    """A ZIP archive with exactly the files that evidence may have; every file is hashed when it is read."""

    def __init__(self, file: BinaryIO) -> None:
        """Open the archive and check its directory; raise UnusableInputError."""
        try:
            self.zip = zipfile.ZipFile(file)
        except (zipfile.BadZipFile, ValueError, NotImplementedError, OSError) as error:
            raise UnusableInputError(f"It is not a ZIP archive: {error}") from None
        self.files: dict[str, zipfile.ZipInfo] = {}
        self.digests: dict[str, str] = {}
        infos = self.zip.infolist()
        if len(infos) > MOST_FILES or sum(info.file_size for info in infos) > MOST_BYTES:
            raise UnusableInputError("The archive has too many files, or too large ones.")
        for info in infos:
            name = info.orig_filename
            is_known = name in REQUIRED | OPTIONAL or PROOF.fullmatch(name)
            if not is_known or name != info.filename:
                raise UnusableInputError(f"Evidence has no file with the name {name!r}.")
            if name in self.files:
                raise UnusableInputError(f"The archive has two files with the name {name}.")
            if info.flag_bits & 1 or info.compress_type not in (zipfile.ZIP_STORED, zipfile.ZIP_DEFLATED):
                raise UnusableInputError(f"{name} is encrypted, or compressed in an unusual way.")
            if info.file_size > (MOST_ENTRIES_BYTES if name == "entries.jsonl" else MOST_FILE_BYTES):
                raise UnusableInputError(f"{name} is too large.")
            self.files[name] = info
        if missing := sorted(REQUIRED - self.files.keys()):
            raise UnusableInputError(f"The archive has no file with the name {missing[0]}.")
        self.proved = {int(found[1]) for name in self.files if (found := PROOF.fullmatch(name))}
        for place in self.proved:
            if not {f"proofs/{place}.leaf", f"proofs/{place}.tlog-proof"} <= self.files.keys():
                raise UnusableInputError(f"The proof of row {place} lacks a file.")

    def chunks(self, name: str) -> Iterator[bytes]:
        """Yield the content of a file, which is hashed meanwhile; raise UnusableInputError."""
        digest, size = hashlib.sha256(), 0
        try:
            with self.zip.open(self.files[name]) as file:
                while chunk := file.read(MIB):
                    digest.update(chunk)
                    size += len(chunk)
                    yield chunk
        except (zipfile.BadZipFile, zlib.error, ValueError, EOFError, NotImplementedError, OSError) as error:
            raise UnusableInputError(f"{name} cannot be read: {error}") from None
        if size != self.files[name].file_size:
            raise UnusableInputError(f"{name} is not as large as it says.")
        self.digests[name] = digest.hexdigest()

    def content(self, name: str) -> bytes:
        """Return the content of a file."""
        return b"".join(self.chunks(name))

    def text(self, name: str) -> str:
        """Return the content of a file in UTF-8."""
        try:
            return self.content(name).decode()
        except UnicodeDecodeError:
            raise UnusableInputError(f"{name} is not UTF-8.") from None

    def lines(self, name: str) -> Iterator[bytes]:
        """Yield the lines of a file."""
        rest = b""
        for chunk in self.chunks(name):
            *whole, rest = (rest + chunk).split(b"\n")
            yield from whole
            if len(rest) > LONGEST_LINE:
                raise UnusableInputError(f"A line of {name} is too long.")
        if rest:
            yield rest


class Evidence:
    """Verifies an archive against the trusted keys, in the order of § 14, up to the first finding."""

    def __init__(self, archive: Archive, trust: Trust, older: Object | None) -> None:
        """`older` is a checkpoint that the receiver kept."""
        self.archive, self.trust, self.older = archive, trust, older
        self.manifest: Object = {}
        self.restores: list[Object] = []
        self.checkpoint: Object = {}
        self.note_text = ""
        self.root = b""
        self.cosigned: dict[str, int] = {}
        self.filters: Object = {}
        self.epochs, self.epoch, self.clock = Epochs(""), 0, Clock()
        self.extends: Object | None = None
        # The tree of a range, where the next row of it must be, and the roots to the right of it.
        self.tree: Tree | None = None
        self.expected = self.last = 0
        self.right: list[str] = []
        self.place, self.hash = 0, ""
        self.kept: dict[int, Object] = {}
        self.rows = self.withheld = self.matching = 0
        self.unjudged: set[str] = set()

    @property
    def origin(self) -> Origin:
        """The origin of the log."""
        return origin_of(self.checkpoint)

    @property
    def size(self) -> int:
        """The number of leaves of the signed tree."""
        return int(self.checkpoint["sequence"] - self.checkpoint["first"] + 1)

    def verdict(self) -> Object:
        """Return the verdict; raise UnusableInputError."""
        bad = None
        self.read_statements()
        try:
            self.check_manifest()
            self.check_checkpoint()
            self.check_restores()
            self.check_lineage()
            self.check_entries()
            self.check_files()
        except FoundError as error:
            said = {"sequence": self.place, "id": None, "record": "event", "until": None, **error.more}
            bad = {"kind": error.kind, "workspace": self.checkpoint["workspace"], **said, "reason": error.reason}
        return {"ok": bad is None, "partial": True, "workspaces": [self.report(bad)], "bad": bad, **self.about()}

    def report(self, bad: Object | None) -> Object:
        """Return the report on the log, as on a chain of an export."""
        said = self.checkpoint
        left_out = max(self.size - self.rows - self.withheld, 0)
        cosigned = [
            {"name": name, "at": instant_of(seconds), "sequence": said["sequence"]}
            for name, seconds in sorted(self.cosigned.items())
        ]
        return {
            **{"workspace": said["workspace"], "rows": self.rows, "checkpoints": 1, "behind": 0},
            **{"hash": said["hash"], "vouched": said["sequence"], "left_out": left_out, "withheld": self.withheld},
            **{"epoch": said["epoch"], "sequence": said["sequence"], "bad": bad, "cosigned": cosigned},
            **{"restores": self.epochs.report(), "warnings": self.clock.warnings},
        }

    def about(self) -> Object:
        """Return what the maker of the evidence says of it, and how the filter was judged."""
        found = {name: self.manifest[name] for name in ("at", "made_by", "filters")}
        found |= {"origin": self.checkpoint["origin"], "matching": self.matching, "unjudged": sorted(self.unjudged)}
        extends = self.extends and self.extends["sequence"]
        proof = "range" if self.tree is not None else "single"
        key = self.trust.keys.get(self.checkpoint["key_id"], b"")
        signed = {"signed_at": self.checkpoint["at"], "fingerprint": fingerprint_of(key) if key else ""}
        return {"evidence": {**found, **signed, "extends": extends, "proof": proof}}

    def read_statements(self) -> None:
        """Read keys, manifest and checkpoint without believing them; raise UnusableInputError."""
        keys = parsed(0, self.archive.content("keys.json"), "keys.json")
        self.manifest = parsed(0, self.archive.content("manifest.json"), "manifest.json")
        said = parsed(0, self.archive.content("checkpoint.json"), "checkpoint.json")
        try:
            for key in keys["keys"]:
                check_key(key)
            if said["type"] != "checkpoint" or not is_new(said) or self.manifest["format"] != "hoursmith-evidence-1":
                raise TypeError("a format is unknown")
            check_head(said)
            check(self.manifest, "at", "made_by", "workspace", "key_id", "signature")
            for name in ("filters", "files"):
                check(self.manifest[name], *self.manifest[name].keys())
        except (KeyError, TypeError, AttributeError) as error:
            raise UnusableInputError(f"keys.json, checkpoint.json or manifest.json is malformed: {error!r}") from None
        for key in keys["keys"]:
            self.trust.learn(key)
        self.checkpoint, self.epochs = said, Epochs(said["workspace"])
        for line in self.archive.lines("entries.jsonl"):
            value = parsed(0, line, "entries.jsonl")
            if value.get("type") == "restore":
                self.restores.append(value)
                if len(self.restores) > MOST_KEYS:
                    raise UnusableInputError("There are too many restore lines.")
            elif value.get("type") != "export":
                break
        try:
            for value in self.restores:
                check_restore(value)
        except (KeyError, TypeError) as error:
            raise UnusableInputError(f"A restore line is malformed: {error!r}") from None
        for value in self.restores:
            # It may lead to the key of the checkpoint.
            if value["format"] == "hoursmith-break-1":
                self.trust.learn_break(value)

    def check_manifest(self) -> None:
        """Verify who signed the manifest (1)."""
        try:
            self.trust.verify("hoursmith-evidence-1", self.manifest)
            key_id = self.checkpoint["key_id"]
            line = (self.manifest["key_id"], *self.trust.predecessors(self.manifest["key_id"]))
            if key_id in self.trust.keys and key_id not in line:
                raise FoundError("retired-key", "its key was retired before the checkpoint was signed")
            if self.manifest["workspace"] != self.checkpoint["workspace"]:
                raise FoundError("inconsistent", "it is of another workspace than the checkpoint")
        except FoundError as error:
            raise error.at(record="manifest", sequence=0) from None

    def check_checkpoint(self) -> None:
        """Verify the checkpoint and its note (2)."""
        said = self.checkpoint
        try:
            whole = self.archive.text("checkpoint")
            self.cosigned = verify_head(self.trust, said, whole)
            self.note_text, self.root = Note(whole).text, bytes.fromhex(said["root"])
            self.clock.earlier_key(self.trust, said["key_id"], said["sequence"])
            if missing := [each.name for each in self.trust.witnesses if each.name not in self.cosigned]:
                raise FoundError("unsigned", f"the witness {missing[0]} did not cosign it")
        except FoundError as error:
            raise error.at(record="checkpoint", sequence=said["sequence"]) from None

    def check_restores(self) -> None:
        """Verify the statements of restores and lost keys (3)."""
        for said in self.restores:
            try:
                self.epochs.learn(self.trust, said)
            except FoundError as error:
                place = said["kept"]["sequence"] + 1
                raise error.at(record="restore", sequence=place) from None
        self.kept = self.epochs.heads()

    def check_lineage(self) -> None:
        """Verify that the origin is that of the vkey, or follows it, and that the older checkpoints fit (2, 3)."""
        place = self.checkpoint["sequence"]
        try:
            if self.epochs.is_given_up(self.origin, place) or (self.origin.epoch > 1 and not self.epochs.statements):
                raise FoundError("bad-epoch", f"the statements of restores do not lead to {self.origin.text}")
            known = {self.origin.text, *(said["from"]["origin"] for said in self.epochs.statements.values())}
            if self.trust.origin not in ("", *known):
                raise FoundError("bad-epoch", f"the verifier key is of {self.trust.origin}, not {self.origin.text}")
            if "consistency.txt" in self.archive.files:
                self.extends = self.check_consistency(self.archive.text("consistency.txt"))
            if self.older is not None:
                self.check_older(self.older)
        except FoundError as error:
            raise error.at(record="checkpoint", sequence=place) from None

    def check_consistency(self, text: str) -> Object:
        """Verify that the log extends the older checkpoint of the archive, and return it."""
        above, divider, whole = text.partition("\n\n")
        first, *hashes = above.split("\n")
        try:
            if not divider or first != CONSISTENCY_FORMAT or len(hashes) > 64:
                raise ValueError("it is not a proof of consistency")
            proof = [decoded(each, 32) for each in hashes]
        except ValueError as error:
            raise FoundError("bad-proof", f"consistency.txt: {error}") from None
        older: Object = {**older_of(Note(whole)), "note": Note(whole)}
        verify_older(self.trust, older)
        self.refuse_newer(older)
        try:
            roots = roots_by_consistency(older["size"], self.size, bytes.fromhex(older["root"]), proof)
        except ValueError as error:
            raise FoundError("inconsistent", f"consistency.txt: {error}") from None
        if roots != (bytes.fromhex(older["root"]), self.root):
            raise FoundError("inconsistent", "the log does not extend the checkpoint of consistency.txt")
        self.epochs.refuse_given_up(Origin(older["origin"]), older["sequence"])
        return older

    def refuse_newer(self, older: Object) -> None:
        """Raise FoundError if an older checkpoint is of another log or not older."""
        self.epochs.belongs(Origin(older["origin"]))
        if older["sequence"] > self.checkpoint["sequence"]:
            raise FoundError("inconsistent", "the checkpoint is older than the one that it should extend")

    def check_older(self, older: Object) -> None:
        """Verify that the log extends the checkpoint that the receiver kept."""
        refuse_unsigned(self.trust, older)
        if "root" not in older:
            raise UnusableInputError("The given checkpoint is of format 1, which no evidence can be compared with.")
        self.epochs.refuse_given_up(Origin(older["origin"]), older["sequence"])
        self.refuse_newer(older)
        if older["sequence"] == self.checkpoint["sequence"]:
            if older["root"] != self.checkpoint["root"]:
                raise FoundError("inconsistent", "the given checkpoint has another tree of the same size")
        elif self.extends is None or older["sequence"] != self.extends["sequence"]:
            raise FoundError("inconsistent", "nothing proves that the log extends the given checkpoint: ask for that")
        elif older["root"] != self.extends["root"]:
            raise FoundError("inconsistent", "the log extends another tree than that of the given checkpoint")

    def check_entries(self) -> None:
        """Verify the rows and their proofs (3, 4, 5)."""
        lines = self.archive.lines("entries.jsonl")
        header = first_line(next(lines, b"{}"))
        if header["workspaces"] != [self.checkpoint["workspace"]] or header.get("filters") != self.manifest["filters"]:
            raise FoundError("edited", "entries.jsonl is of another workspace or filter than the manifest")
        self.filters = self.manifest["filters"]
        count, said = 0, None
        for value in read(lines, ("event", "withheld", "range", "restore")):
            kind = value["type"]
            if kind == "end":
                said = value["lines"]
                continue
            count += 1
            if kind == "withheld":
                self.take(value["sequence"], value["hash"], None)
                self.withheld += 1
            elif kind == "event":
                self.check_row(value)
            elif kind == "range":
                self.begin_range(value)
            elif self.place or self.tree is not None:
                raise UnusableInputError("A restore line comes after the rows.")
        self.finish_range()
        if said != count:
            raise UnusableInputError(f"entries.jsonl is incomplete: {count} lines, and its last line says {said}.")

    def check_row(self, row: Object) -> None:
        """Verify a row that is shown: its hash, its place, what it shows and its proof (4, 5)."""
        place = number_of(row)
        try:
            if row["workspace"] != self.checkpoint["workspace"]:
                raise FoundError("inserted", "it is of another workspace")
            if not has_valid_hash(row):
                raise FoundError("edited", "its hash is not that of its facts and previous hash")
            self.take(place, row["hash"], row["previous_hash"])
            self.epoch = check_epoch(row, self.epochs, self.epoch)
            check_seals(row)
            if self.tree is None:
                self.check_proof(place, row["hash"])
        except FoundError as error:
            raise error.at(sequence=place, id=id_of(row)) from None
        self.clock.row(row)
        self.rows += 1
        self.matching += self.matches(row)

    def take(self, place: int, hash: str, previous_hash: str | None) -> None:
        """Take the next row, shown or withheld (without `previous_hash`): its place, its link and its leaf."""
        if self.tree is not None:
            if place > self.expected or self.expected > self.last:
                kind = "removed" if place > self.expected else "inserted"
                raise FoundError(kind, f"row {self.expected} should be here", sequence=self.expected, id=None)
            if place < self.expected:
                raise FoundError("reordered", f"row {self.expected} should be here", sequence=place)
            self.expected += 1
            self.tree.add(hashlib.sha256(b"\x00" + bytes.fromhex(hash)).digest())
        elif previous_hash is None:
            raise FoundError("unsigned", "it is withheld, and no range proves it", sequence=place)
        elif place <= self.place:
            raise FoundError("reordered", f"it comes after row {self.place}")
        if previous_hash is not None:
            if place == self.place + 1 and self.place and previous_hash != self.hash:
                raise FoundError("forked", "its previous hash is not the hash of the row before it")
            if place == 1 and previous_hash != genesis(self.checkpoint["workspace"]):
                raise FoundError("other-genesis", "the log begins at another genesis")
        self.place, self.hash = place, hash
        if place == self.checkpoint["sequence"] and hash != self.checkpoint["hash"]:
            raise FoundError("forked", "the checkpoint names another hash for the last row", sequence=place)
        if place in self.kept and hash != self.kept[place]["hash"]:
            raise FoundError("forked", "a restore statement names another hash for this row", sequence=place)

    def begin_range(self, said: Object) -> None:
        """Begin the tree with the roots to the left of the range."""
        first, last, start = said["first"], said["last"], self.checkpoint["first"]
        if self.tree is not None or self.place:
            raise UnusableInputError("A range line must come once, before the rows.")
        try:
            if (said["workspace"], said["origin"]) != (self.checkpoint["workspace"], self.checkpoint["origin"]):
                raise FoundError("bad-proof", "the range is of another log")
            if said["size"] != self.size or not start <= first <= last <= self.checkpoint["sequence"]:
                raise FoundError("bad-proof", "the range is not one of the signed tree")
            tree = Tree(first - start, [bytes.fromhex(hash) for hash in said["left"]])
            if len(said["right"]) != len(subtrees(last - start + 1, self.size)):
                raise FoundError("bad-proof", "the hashes beside the range do not fit its size")
        except FoundError as error:
            raise error.at(record="range", sequence=first) from None
        self.tree, self.expected, self.last, self.right = tree, first, last, said["right"]

    def finish_range(self) -> None:
        """Verify that the rows of the range lead to the signed root (5)."""
        if self.tree is None:
            return
        if self.expected <= self.last:
            raise FoundError("removed", "rows at the end of the range are missing", sequence=self.expected)
        for hash, leaves in zip(self.right, subtrees(self.tree.size, self.size), strict=True):
            self.tree.add(bytes.fromhex(hash), leaves)
        if self.tree.root() != self.root:
            raise FoundError("bad-proof", "the rows of the range do not lead to the signed root", record="range")

    def check_proof(self, place: int, hash: str) -> None:
        """Verify the proof that a single row is in the signed tree."""
        if place not in self.archive.proved:
            raise FoundError("unsigned", "neither a proof nor a range covers it")
        above, divider, whole = self.archive.text(f"proofs/{place}.tlog-proof").partition("\n\n")
        leaf = self.archive.content(f"proofs/{place}.leaf")
        lines = above.split("\n")
        index, hashes = "".join(lines[1:2]), lines[2:]
        try:
            if not divider or lines[0] != PROOF_FORMAT or not index.startswith("index ") or len(hashes) > 64:
                raise ValueError("it is not a proof of inclusion")
            if decimal(index[len("index ") :]) != place - self.checkpoint["first"]:
                raise ValueError("it is of another row")
            if leaf != bytes.fromhex(hash):
                raise ValueError("its leaf is not the hash of the row")
            root = root_by_inclusion(
                leaf_hash(leaf), place - self.checkpoint["first"], self.size, [decoded(each, 32) for each in hashes]
            )
        except ValueError as error:
            raise FoundError("bad-proof", f"the proof of row {place}: {error}") from None
        if Note(whole).text != self.note_text:
            raise FoundError("bad-proof", f"the proof of row {place} is of another checkpoint")
        if root != self.root:
            raise FoundError("bad-proof", f"the proof of row {place} does not lead to the signed root")

    def matches(self, row: Object) -> bool:
        """Return whether a row matches the filter, as far as that can be judged by what it shows."""
        matches = True
        for name, text in self.filters.items():
            if name in ("since", "until"):
                at = str(row.get("recorded_at"))
                matches &= at >= text if name == "since" else at < text
            elif name in row and name not in ("sealed", "seal", "salts", "type"):
                matches &= row[name] == text
            else:
                self.unjudged.add(name)
        return matches

    def check_files(self) -> None:
        """Verify that the archive has the files of the manifest, and no others (6)."""
        listed = self.manifest["files"]
        for name in self.archive.files:
            if name == "manifest.json":
                continue
            if name not in listed:
                raise FoundError("inserted", f"the manifest does not name {name}", record="file", sequence=0, id=name)
            if name not in self.archive.digests:
                self.archive.content(name)
            if self.archive.digests[name] != listed[name]:
                raise FoundError(
                    "edited", f"{name} is not the file that was signed", record="file", sequence=0, id=name
                )
        for name in listed:
            if name not in self.archive.files or name == "manifest.json":
                raise FoundError("removed", f"{name} is missing", record="file", sequence=0, id=name)


def older_of(note: Note) -> Object:
    """Return the head of a note as a checkpoint that was kept elsewhere."""
    origin, size, root = note.head()
    place = {"workspace": origin.workspace, "origin": origin.text, "first": origin.first}
    return {**place, "sequence": origin.first + size - 1, "size": size, "root": root.hex()}


def verify_evidence(
    file: BinaryIO,
    key_text: str,
    *,
    fingerprint: str = "",
    vkey: str = "",
    witnesses: Iterable[str] = (),
    checkpoint: str = "",
) -> Object:
    """Return the verdict on evidence; raise UnusableInputError."""
    trust = trust_from(key_text, fingerprint, vkey, witnesses)
    return Evidence(Archive(file), trust, parsed_checkpoint(checkpoint)).verdict()


# ---- The command line. ----


def summary(verdict: Object) -> Iterator[str]:
    """Yield the verdict as text, line by line."""
    if not verdict["workspaces"]:
        yield "  BAD: unsigned, there is no log in the export"
    for chain in verdict["workspaces"]:
        if "evidence" not in verdict:
            start = f"after the cut at row {chain['behind']}" if chain["behind"] else "from the beginning"
            yield f"{chain['workspace']}: {chain['rows']} rows {start}, {chain['checkpoints']} checkpoints"
        if bad := chain["bad"]:
            until = f" to {bad['until']}" if bad["until"] and bad["until"] != bad["sequence"] else ""
            row = f" ({bad['id']})" if bad["id"] else ""
            yield f"  BAD: {bad['kind']}, {bad['record']} at row {bad['sequence']}{until}{row}: {bad['reason']}"
        elif "evidence" in verdict:
            yield from evidence_summary(chain, verdict["evidence"])
        else:
            yield f"  valid through row {chain['sequence']}, {chain['hash']}"
            if chain["vouched"] < chain["sequence"]:
                yield f"  rows after {chain['vouched']} are not signed yet"
            if chain["left_out"]:
                yield f"  {chain['left_out']} rows were omitted and not verified"
        yield from common_summary(chain)


def evidence_summary(chain: Object, about: Object) -> Iterator[str]:
    """Yield what evidence proves, in plain words."""
    rows = f"{chain['rows']} {'entry' if chain['rows'] == 1 else 'entries'}"
    yield f"VERIFIED: {rows} of the audit log {about['origin']}"
    yield f"  Each is in the log of {chain['sequence']} entries that was signed, with exactly this content."
    if about["filters"]:
        said = ", ".join(f"{name} = {text}" for name, text in sorted(about["filters"].items()))
        yield f"  Filter: {said}. {about['matching']} of the entries shown match it."
        if about["unjudged"]:
            yield f"  Not judged, because the entries do not show it: {', '.join(about['unjudged'])}."
    if about["proof"] == "range":
        yield "  No entry is missing between the first and the last one."
        if chain["withheld"]:
            verb = "entry is" if chain["withheld"] == 1 else "entries are"
            yield f"  {chain['withheld']} {verb} withheld; nothing is known of them."
    if chain["left_out"]:
        yield f"  {chain['left_out']} other entries of the log are not included."
    yield f"  Signed at {about['signed_at']} (the operator's clock) by the key {about['fingerprint']}."
    yield f"  Downloaded by {about['made_by']} at {about['at']}."
    if about["extends"]:
        yield f"  The log extends an older checkpoint of {about['extends']} entries."


def common_summary(chain: Object) -> Iterator[str]:
    """Yield what is said of exports and evidence alike."""
    for each in chain["cosigned"]:
        yield f"  Cosigned by {each['name']} at {each['at']}, through row {each['sequence']}."
    if not chain["cosigned"] and not chain["bad"]:
        yield "  Cosigned by no witness that you named: only the operator's key stands behind it."
    for each in chain["restores"]:
        what = "The signing key was lost" if each["is_key_lost"] else "The log was restored"
        given_up = f"rows {each['kept'] + 1} to {each['given_up_to']} of the epoch before were given up"
        yield f"  {what} at {each['at']} (epoch {each['epoch']}): {given_up}. Reason: {each['reason']}"
    for each in chain["warnings"]:
        yield f"  Warning, {each['record']} {each['sequence']}: {each['reason']}"


def arguments() -> argparse.Namespace:
    """Return what was asked for."""
    asked = argparse.ArgumentParser(description="Verify an audit export or evidence of the Hoursmith console.")
    asked.add_argument("file", help="evidence (ZIP), or a JSON Lines export; - for standard input")
    asked.add_argument("key", nargs="?", help="the key file from /audit/key, or a public key as PEM")
    asked.add_argument("--fingerprint", default="", help="the SHA-256 of a key that you trust, got by another way")
    asked.add_argument("--vkey", default="", help="instead: a verifier key of the log, got by another way")
    asked.add_argument("--checkpoint", help="a file with an older checkpoint, which the log must extend")
    asked.add_argument("--witness", action="append", default=[], help="a verifier key of a witness that cosigned")
    asked.add_argument("--workspace", help="verify only the chain of this workspace")
    asked.add_argument("--head", default="", help="a head kept elsewhere: HASH or SEQUENCE:HASH")
    asked.add_argument("--partial", action="store_true", help="verify a filtered export, with rows omitted")
    asked.add_argument("--allow-unsigned-tail", action="store_true", help="accept rows after the last checkpoint")
    asked.add_argument("--json", action="store_true", help="print the verdict as JSON")
    return asked.parse_args()


def text_of(path: str | None) -> str:
    """Return the text of a file, nothing if there is none."""
    if not path:
        return ""
    with open(path, encoding="utf-8", newline="") as file:
        return file.read()


def verdict_on(given: argparse.Namespace) -> Object:
    """Return the verdict on a file of either kind; raise UnusableInputError."""
    asked: Object = {"fingerprint": given.fingerprint, "vkey": given.vkey, "witnesses": given.witness}
    asked["checkpoint"] = text_of(given.checkpoint)
    with io.BufferedReader(io.FileIO(0 if given.file == "-" else given.file)) as file:
        if file.peek(2)[:2] != b"PK":
            asked |= {"only": given.workspace, "head": given.head, "partial": given.partial}
            return verify(file, text_of(given.key), tail=given.allow_unsigned_tail, **asked)
        if given.workspace or given.head or given.partial or given.allow_unsigned_tail:
            raise UnusableInputError("--workspace, --head, --partial and --allow-unsigned-tail are for exports.")
        archive = io.BytesIO(file.read(MOST_BYTES)) if given.file == "-" else file
        return verify_evidence(archive, text_of(given.key), **asked)


def printable(line: str) -> str:
    """Return a line whose characters only print, so that nothing in a file can move the cursor or begin a line."""
    return "".join(each if each.isprintable() else f"\\u{ord(each):04x}" for each in line)


def main() -> int:
    """Run the command line and return the exit code."""
    given = arguments()
    try:
        verdict = verdict_on(given)
    except (UnusableInputError, OSError, UnicodeDecodeError) as error:
        sys.stderr.write(printable(str(error)) + "\n")
        return 2
    told = [json.dumps(verdict)] if given.json else map(printable, summary(verdict))
    sys.stdout.write("".join(f"{line}\n" for line in told))
    return 0 if verdict["ok"] else 1


if __name__ == "__main__":
    sys.exit(main())
