#!/usr/bin/env python3
"""Verify an audit export of the Hoursmith console, without the console and without trusting its operator.

    python verify_audit.py EXPORT [KEY] --fingerprint F [--workspace W] [--head HASH] [--partial] [--json]

EXPORT is a file from `manage.py audit_export --format jsonl` (- for standard input). F is the fingerprint of one of
the operator's signing keys: the SHA-256 of its 32 bytes, 64 hexadecimal digits. Get it by another way than the export,
because whoever can change both can make both agree. KEY is the key file that `/audit/key` serves; it is needed only if
the export lacks keys. Instead of F, KEY may be a public key as PEM that you got by another way.

HASH is a head that you kept elsewhere, as HASH or as SEQUENCE:HASH. --partial verifies a filtered export, in which
rows were omitted; nothing is verified about omitted rows. --allow-unsigned-tail accepts rows after the last checkpoint,
which nobody has signed.

Exit codes: 0 verified; 1 not verified, the first bad row is named; 2 the input cannot be used.

Needs Python 3.11 and the package `cryptography`, nothing else. `audit-format.md`, beside this file, specifies
everything that is checked here; § refers to its sections.
"""

import argparse
import base64
import hashlib
import json
import math
import re
import sys
from collections import deque
from collections.abc import Iterable, Iterator
from typing import Any

from cryptography.exceptions import InvalidSignature, UnsupportedAlgorithm
from cryptography.hazmat.primitives.asymmetric.ed25519 import Ed25519PublicKey
from cryptography.hazmat.primitives.serialization import load_pem_public_key

FORMAT = "hoursmith-audit-1"
HASH = re.compile(r"[0-9a-f]{64}")
SHORT = {"\b": "\\b", "\t": "\\t", "\n": "\\n", "\f": "\\f", "\r": "\\r", '"': '\\"', "\\": "\\\\"}
ESCAPED = re.compile(r'[\x00-\x1f"\\]')
LARGEST_INTEGER = 2**53 - 1
RECENT_ROWS = 256
SEARCH_BEYOND = 10_000
SEARCH_BYTES = 256 * 1024 * 1024

Object = dict[str, Any]


class UnusableInputError(Exception):
    """The input cannot be verified at all; the text says why."""


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


def genesis(workspace: str) -> str:
    """Return the previous hash of the first row of a workspace (§ 4)."""
    return hashlib.sha256(f"{FORMAT}\n{workspace}".encode()).hexdigest()


def is_sealed(row: Object, sequence: int | None = None) -> bool:
    """Return whether the row's hash is right (§ 4); with `sequence`, whether it would be under that number."""
    facts = facts_of(row)
    if facts is None:
        return False
    made = canonical_bytes(facts if sequence is None else {**facts, "sequence": sequence})
    return made is not None and hashlib.sha256(made + bytes.fromhex(row["previous_hash"])).hexdigest() == row["hash"]


def facts_of(row: Object) -> Object | None:
    """Return the facts that a row's hash covers, all but the two hashes; None if it is no row of this format."""
    for name in ("previous_hash", "hash"):
        if not isinstance(row.get(name), str) or not HASH.fullmatch(row[name]):
            return None
    facts = {name: value for name, value in row.items() if name not in ("type", "previous_hash", "hash")}
    return facts if facts.get("format") == FORMAT else None


def number_of(row: Object) -> int:
    """Return the sequence of a row, 0 if it is no number."""
    return row["sequence"] if type(row["sequence"]) is int else 0


def id_of(row: Object) -> str:
    """Return the id of a row."""
    return str(row.get("id"))


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


class Trust:
    """The trusted keys as a line: those given, and the keys before and after them (§ 8)."""

    def __init__(self, fingerprint: str = "") -> None:
        """Start without trusted keys; one with `fingerprint` is trusted as soon as it is seen."""
        self.fingerprint = fingerprint
        self.given: dict[str, bytes] = {}
        self.known: list[Object] = []
        self.keys: dict[str, bytes] = {}
        self.successors: dict[str, str] = {}

    def anchor(self, raw: bytes) -> None:
        """Trust a key from the start."""
        self.given[hashlib.sha256(raw).hexdigest()[:16]] = raw
        self.follow()

    def learn(self, key: Object) -> None:
        """Take the announcement of a key into account, now and whenever another key becomes trusted."""
        raw = raw_key(key["public_key"])
        if raw is None or hashlib.sha256(raw).hexdigest()[:16] != key["key_id"] or key in self.known:
            return
        self.known.append(key)
        if self.fingerprint and hashlib.sha256(raw).hexdigest() == self.fingerprint:
            self.given[key["key_id"]] = raw
        self.follow()

    def follow(self) -> None:
        """Build the line: back from each given key by announcements that both keys signed, then forward."""
        self.keys, self.successors = dict(self.given), {}
        for key_id in self.given:
            while (earlier := self.before(key_id)) is not None and earlier["key_id"] not in self.keys:
                self.keys[earlier["key_id"]] = base64.b64decode(earlier["public_key"])
                self.successors[earlier["key_id"]] = key_id
                key_id = earlier["key_id"]
        ends = [key_id for key_id in self.keys if key_id not in self.successors]
        while ends:
            end = ends.pop()
            after = {key["key_id"]: key for key in self.known if self.is_announced(key, end)}
            # One of two successors was announced with a stolen key; neither is trusted.
            if len(after) == 1:
                ((key_id, key),) = after.items()
                self.successors[end] = key_id
                if key_id not in self.keys:
                    self.keys[key_id] = base64.b64decode(key["public_key"])
                    ends.append(key_id)

    def before(self, key_id: str) -> Object | None:
        """Return the key that announced this one, if this one signed the announcement, too."""
        for key in self.known:
            raw, message = self.keys[key_id], statement("hoursmith-key-1", key)
            if key["key_id"] != key_id or base64.b64decode(key["public_key"]) != raw:
                continue
            for earlier in self.known if is_signed(raw, message, key.get("countersignature", "")) else ():
                announcer = base64.b64decode(earlier["public_key"])
                if earlier["key_id"] == key["announced_by"] and is_signed(announcer, message, key["signature"]):
                    return earlier
        return None

    def is_announced(self, key: Object, by: str) -> bool:
        """Return whether the trusted key `by` announced this one, and this one signed that unless it is an old one."""
        message, own = statement("hoursmith-key-1", key), key.get("countersignature", "")
        if key["announced_by"] != by or key["key_id"] == by:
            return False
        if own and not is_signed(base64.b64decode(key["public_key"]), message, own):
            return False
        return is_signed(self.keys[by], message, key["signature"])

    def predecessors(self, key_id: str) -> Iterator[str]:
        """Yield the keys of the line before this one."""
        before = {later: earlier for earlier, later in self.successors.items()}
        while key_id := before.pop(key_id, ""):
            yield key_id

    def fault(self, checkpoint: Object) -> tuple[str, str] | None:
        """Return the kind and reason if the signature of a checkpoint or cut is invalid (§ 6, § 7)."""
        raw = self.keys.get(checkpoint["key_id"])
        if raw is None:
            return (
                "unknown-key",
                f"it is signed with the key {checkpoint['key_id']}, not one of the trusted line",
            )
        form = "hoursmith-cut-1" if checkpoint["type"] == "cut" else "hoursmith-checkpoint-1"
        if not is_signed(raw, statement(form, checkpoint), checkpoint["signature"]):
            return "wrong-key", f"its signature is not by the key {checkpoint['key_id']} that it names"
        return None


SIGNED_FACTS = {
    "hoursmith-checkpoint-1": ("workspace", "sequence", "hash", "at"),
    "hoursmith-cut-1": ("workspace", "sequence", "hash", "at", "rows"),
    "hoursmith-key-1": ("key_id", "public_key", "since", "announced_by"),
}


def statement(form: str, facts: Object) -> bytes | None:
    """Return the signed message: the canonical form of the facts and the name of the statement."""
    return canonical_bytes({"format": form, **{name: facts[name] for name in SIGNED_FACTS[form]}})


def is_signed(raw: bytes, message: bytes | None, signature: str) -> bool:
    """Return whether this is the Ed25519 signature of `message`, in base64."""
    try:
        Ed25519PublicKey.from_public_bytes(raw).verify(base64.b64decode(signature, validate=True), message or b"")
    except (InvalidSignature, ValueError):
        return False
    return message is not None


def raw_key(text: str) -> bytes | None:
    """Return the 32 bytes of a public key in base64, or None."""
    try:
        raw = base64.b64decode(text, validate=True)
    except ValueError:
        return None
    return raw if len(raw) == 32 else None


def parsed_fingerprint(text: str) -> str:
    """Return a fingerprint as 64 hexadecimal digits in lower case."""
    made = "".join(text.split()).replace(":", "").lower()
    if not HASH.fullmatch(made):
        raise UnusableInputError("A fingerprint is the whole SHA-256 of a public key: 64 hexadecimal digits.")
    return made


def trust_from(text: str, fingerprint: str = "") -> Trust:
    """Build the trusted keys from the text of a key file, which may be empty, and a fingerprint (§ 8)."""
    fingerprint = parsed_fingerprint(fingerprint) if fingerprint else ""
    trust = Trust(fingerprint)
    try:
        if text.lstrip().startswith("-----BEGIN"):
            pem = load_pem_public_key(text.encode())
            if not isinstance(pem, Ed25519PublicKey):
                raise UnusableInputError("The key file contains a public key that is not Ed25519.")
            raw_pem = pem.public_bytes_raw()
            if fingerprint not in ("", hashlib.sha256(raw_pem).hexdigest()):
                raise UnusableInputError("The public key in the key file has another fingerprint than the given one.")
            trust.anchor(raw_pem)
            return trust
        if not fingerprint:
            raise UnusableInputError("Give the fingerprint of a key that you trust, got by another way: --fingerprint.")
        if not text:
            return trust
        forward = Trust()
        keys = json.loads(text)["keys"]
        first = keys[0]
        check_key(first)
        raw = raw_key(first["public_key"])
        if raw is None or not is_signed(raw, statement("hoursmith-key-1", first), first["signature"]):
            raise UnusableInputError(f"The first key of the key file, {first['key_id']}, does not sign itself.")
        forward.anchor(raw)
        if first["announced_by"] or first["key_id"] not in forward.keys:
            raise UnusableInputError(f"The key file's first key {first['key_id']} has a wrong id or announcer.")
        trust.learn(first)
        for key in keys[1:]:
            check_key(key)
            forward.learn(key)
            trust.learn(key)
            if key["key_id"] not in forward.keys:
                raise UnusableInputError(f"The key file's key {key['key_id']} was not announced by one before it.")
        if not trust.keys:
            raise UnusableInputError("No key of the key file has the given fingerprint.")
    except (ValueError, KeyError, IndexError, TypeError, UnsupportedAlgorithm) as error:
        raise UnusableInputError(f"The key file is neither PEM nor a file from /audit/key: {error!r}") from None
    return trust


class Chain:
    """One workspace's chain (§ 11): verifies up to the first mismatch, then reads on to find out what happened."""

    def __init__(
        self, workspace: str, trust: Trust, origins: dict[str, str], head: Object | None, partial: bool, tail: bool
    ) -> None:
        """`origins` maps each genesis to its workspace; `head` was kept elsewhere; `tail` allows an unsigned one."""
        self.workspace, self.trust, self.origins, self.head, self.partial = workspace, trust, origins, head, partial
        self.tail = tail
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
        sealed = is_sealed(row)
        if self.partial and number > self.at + 1:
            self.left_out += number - self.at - 1
            self.never_signed_from = self.never_signed_from or self.unsigned_from
            self.unsigned_from = None
            self.at, self.hash, self.ahead = number - 1, row["previous_hash"], None
            self.recent.clear()
        if not sealed or number != self.at + 1 or row["previous_hash"] != self.hash:
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
            self.reach()

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

    def agree(self, hash: str, source: str) -> None:
        """Compare the last row with a trusted statement of its hash."""
        if hash == self.hash:
            self.vouched, self.first_unvouched, self.unsigned_from = self.at, None, None
        else:
            self.disagrees = (hash, source)

    def checkpoint(self, checkpoint: Object) -> None:
        """Process the next checkpoint or cut."""
        fault, place, kind = self.trust.fault(checkpoint), checkpoint["sequence"], checkpoint["type"]
        if not self.holds:
            if not fault:
                self.watch_checkpoint(checkpoint)
            return
        self.checkpoints += kind == "checkpoint"
        fault = fault or self.retired(checkpoint)
        if fault:
            self.settle(fault[0], place, fault[1], kind)
        elif self.begun or (kind == "checkpoint" and place == 0):
            if place == self.at:
                self.agree(checkpoint["hash"], f"a {kind}")
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
            if place and is_sealed(row, place["sequence"]):
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
            if is_sealed(row, self.at + 1):
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
        if self.holds and self.head is not None and not self.head_found:
            self.miss_head(self.head["sequence"])
        if self.holds:
            self.find_unsigned()
        bad = self.bad
        if self.disagrees is not None:
            bad = self.rewritten(*self.disagrees)
        if self.misfit is not None:
            bad = self.explain(self.misfit)
        names = ("workspace", "rows", "checkpoints", "behind", "hash", "vouched", "left_out")
        return {**{name: getattr(self, name) for name in names}, "sequence": self.at, "bad": bad}

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
        if not is_sealed(misfit):
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
        other = self.origins.get(misfit.get("previous_hash", ""))
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


def check(value: Object, *texts: str) -> None:
    """Raise TypeError or KeyError unless all of these members are texts."""
    if not all(isinstance(value[name], str) for name in texts):
        raise TypeError("a text is missing")


def check_key(value: Object) -> None:
    """Raise TypeError or KeyError unless this is the announcement of a key."""
    check(value, *SIGNED_FACTS["hoursmith-key-1"], "signature")
    if not isinstance(value.get("countersignature", ""), str):
        raise TypeError("a text is missing")


def parsed(number: int, line: bytes) -> Object:
    """Parse one line of the export as an object without duplicate names (I-JSON, RFC 7493)."""

    def unambiguous(pairs: list[tuple[str, Any]]) -> Object:
        if len(made := dict(pairs)) != len(pairs):
            raise ValueError("a name is repeated in one object")
        return made

    def refuse_constant(constant: str) -> None:
        raise ValueError(f"{constant} is not a number")

    try:
        value = json.loads(line, object_pairs_hook=unambiguous, parse_constant=refuse_constant)
    except (ValueError, RecursionError) as error:
        raise UnusableInputError(f"Line {number} is not I-JSON: {error}") from None
    if not isinstance(value, dict):
        raise UnusableInputError(f"Line {number} is not a JSON object.")
    return value


def read(lines: Iterable[bytes]) -> Iterator[Object]:
    """Yield the checked objects of the export (§ 13); the last one is `end` if there is one."""
    ended = False
    for number, line in enumerate(lines, start=2):
        value = parsed(number, line)
        kind = value.get("type")
        if ended:
            raise UnusableInputError(f"Line {number}: there is data after the last line of the export.")
        try:
            if kind == "event":
                check(value, "workspace")
                number_of(value)
            elif kind in ("checkpoint", "cut"):
                check(value, "workspace", "hash", "at", "key_id", "signature")
                numbers = [value[name] for name in ("sequence", "rows")[: 2 if kind == "cut" else 1]]
                if any(type(number) is not int or number < 0 for number in numbers):
                    raise TypeError("a number is missing")
            elif kind == "key":
                check_key(value)
            elif kind != "end":
                raise UnusableInputError(f"Line {number} has the unknown type {kind!r}.")
        except (KeyError, TypeError) as error:
            raise UnusableInputError(f"Line {number} is no {kind}: {error!r}") from None
        ended = kind == "end"
        yield value


def verify(
    lines: Iterable[bytes],
    key_text: str,
    *,
    fingerprint: str = "",
    only: str | None = None,
    head: str = "",
    partial: bool = False,
    tail: bool = False,
) -> Object:
    """Return the verdict on an export; raise UnusableInputError."""
    lines = iter(lines)
    header = parsed(1, next(lines, b"{}"))
    names = header.get("workspaces")
    if header.get("type") != "export" or header.get("format") != FORMAT or not isinstance(names, list):
        raise UnusableInputError(f"The first line is not that of an export in the format {FORMAT}.")
    if not all(isinstance(name, str) for name in names):
        raise UnusableInputError("Line 1 does not name the workspaces of the export.")
    if (header.get("filters") or header.get("complete") is False) and not partial:
        raise UnusableInputError(
            "This export is filtered, so it cannot prove completeness."
            " Use --partial to verify the rows that it contains."
        )
    trust, kept = trust_from(key_text, fingerprint), parsed_head(head)
    origins = {genesis(name): name for name in names}
    chains = {name: Chain(name, trust, origins, kept, partial, tail) for name in (names if only is None else [only])}
    count, said, seen = 0, None, False
    for value in read(lines):
        if value["type"] == "end":
            said = value.get("lines")
            continue
        count += 1
        if value["type"] == "key":
            trust.learn(value)
        elif only in (None, name := value["workspace"]):
            chain = chains.setdefault(name, Chain(name, trust, origins, kept, partial, tail))
            (chain.row if value["type"] == "event" else chain.checkpoint)(value)
            seen = True
    if kept and len(chains) != 1:
        raise UnusableInputError("The export has several chains: name the head's workspace with --workspace.")
    if only is not None and only not in names and not seen and not kept:
        raise UnusableInputError(f"The export does not contain the workspace {only}.")
    reports = [chain.finish() for chain in chains.values()]
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


def summary(verdict: Object) -> Iterator[str]:
    """Yield the verdict as text, line by line."""
    if not verdict["workspaces"]:
        yield "  BAD: unsigned, there is no log in the export"
    for chain in verdict["workspaces"]:
        start = f"after the cut at row {chain['behind']}" if chain["behind"] else "from the beginning"
        yield f"{chain['workspace']}: {chain['rows']} rows {start}, {chain['checkpoints']} checkpoints"
        if bad := chain["bad"]:
            until = f" to {bad['until']}" if bad["until"] and bad["until"] != bad["sequence"] else ""
            row = f" ({bad['id']})" if bad["id"] else ""
            yield f"  BAD: {bad['kind']}, {bad['record']} at row {bad['sequence']}{until}{row}: {bad['reason']}"
            continue
        yield f"  valid through row {chain['sequence']}, {chain['hash']}"
        if chain["vouched"] < chain["sequence"]:
            yield f"  rows after {chain['vouched']} are not signed yet"
        if chain["left_out"]:
            yield f"  {chain['left_out']} rows were omitted and not verified"


def main() -> int:
    """Run the command line and return the exit code."""
    asked = argparse.ArgumentParser(description="Verify an audit export of the Hoursmith console.")
    asked.add_argument("export", help="a JSON Lines export, or - for standard input")
    asked.add_argument("key", nargs="?", help="the key file from /audit/key, or a public key as PEM")
    asked.add_argument("--fingerprint", default="", help="the SHA-256 of a key that you trust, got by another way")
    asked.add_argument("--workspace", help="verify only the chain of this workspace")
    asked.add_argument("--head", default="", help="a head kept elsewhere: HASH or SEQUENCE:HASH")
    asked.add_argument("--partial", action="store_true", help="verify a filtered export, with rows omitted")
    asked.add_argument("--allow-unsigned-tail", action="store_true", help="accept rows after the last checkpoint")
    asked.add_argument("--json", action="store_true", help="print the verdict as JSON")
    given = asked.parse_args()
    try:
        key_text = ""
        if given.key:
            with open(given.key, encoding="utf-8") as key_file:
                key_text = key_file.read()
        asked_for = {"only": given.workspace, "head": given.head, "partial": given.partial}
        asked_for |= {"fingerprint": given.fingerprint, "tail": given.allow_unsigned_tail}
        with sys.stdin.buffer if given.export == "-" else open(given.export, "rb") as lines:
            verdict = verify(lines, key_text, **asked_for)
    except (UnusableInputError, OSError, UnicodeDecodeError) as error:
        sys.stderr.write(f"{error}\n")
        return 2
    sys.stdout.write(json.dumps(verdict) + "\n" if given.json else "\n".join([*summary(verdict), ""]))
    return 0 if verdict["ok"] else 1


if __name__ == "__main__":
    sys.exit(main())
