"""A line of trusted keys: those given beforehand, and the keys before and after them.

A key announces one next key, and the new key signs the same announcement, so that one known key is enough to find all
others. `docs/audit-format.md`, section 8, specifies the line.
"""

import base64
from collections.abc import Iterator, Sequence

from cryptography.hazmat.primitives.asymmetric.ed25519 import Ed25519PublicKey

from mcpbridge.audit.signing import is_signed, key_id_of
from mcpbridge.audit.tree.encoding import from_base64
from mcpbridge.audit.tree.errors import FormatError
from mcpbridge.audit.tree.notes import VerifierKey
from mcpbridge.audit.verification.announcements import (
    fingerprint_of,
    is_announced_by,
    is_countersigned,
    is_from_before,
    is_key,
    is_recovery,
)
from mcpbridge.audit.verification.findings import FindingKind, FoundError, UnusableInputError
from mcpbridge.audit.verification.records import Checkpoint, Key, Restore
from mcpbridge.audit.verification.signed_notes import verify_note

# No installation has as many, and each costs time.
MOST_KEYS = 1000


class Trust:
    """The trusted keys, as a line. Besides the keys given, it grows only by announcements that lead to or from them.

    `witnesses` must have cosigned; `origin` is the log that a given verifier key names, empty without one.
    """

    def __init__(self, fingerprint: str = "", *, witnesses: Sequence[VerifierKey] = ()) -> None:
        """`fingerprint` (64 hexadecimal digits) is that of a key which is trusted as soon as it is seen."""
        self._fingerprint = fingerprint
        self.witnesses = tuple(witnesses)
        self.origin = ""
        self._given: dict[str, str] = {}
        self._known: list[Key] = []
        # The lost key before a key, by its id.
        self._lost: dict[str, str] = {}
        self._line: dict[str, str] = {}
        self._successors: dict[str, str] = {}
        self._is_current = True

    def __contains__(self, key_id: str) -> bool:
        self._follow()
        return key_id in self._line

    @property
    def is_empty(self) -> bool:
        """Return whether no key is trusted yet."""
        return not self._given

    def anchor(self, public_key: str) -> str:
        """Trust `public_key` (base64 of 32 bytes) and return its id. Raises ValueError if it is not a key."""
        raw = base64.b64decode(public_key, validate=True)
        Ed25519PublicKey.from_public_bytes(raw)
        key_id = key_id_of(raw)
        self._given[key_id] = public_key
        self._is_current = False
        return key_id

    def learn(self, key: Key) -> None:
        """Take the announcement of a key into account, now and whenever another key becomes trusted.

        Raises UnusableInputError if there are too many.
        """
        if key in self._known or not is_key(key):
            return
        if len(self._known) == MOST_KEYS:
            raise UnusableInputError(f"There are more than {MOST_KEYS} keys.")
        self._known.append(key)
        if self._fingerprint and fingerprint_of(key.public_key) == self._fingerprint:
            self._given[key.key_id] = key.public_key
        self._is_current = False

    def learn_break(self, restore: Restore) -> None:
        """Take into account that a key was lost, if the key that followed it signed that."""
        try:
            lost, new = from_base64(restore.lost, size=32), from_base64(restore.public_key, size=32)
        except FormatError:
            return
        message = restore.message()
        if lost != new and message is not None and is_signed(restore.public_key, message, restore.signature):
            self._lost[key_id_of(new)] = restore.lost
            self._is_current = False

    def fault(self, checkpoint: Checkpoint) -> tuple[FindingKind, str] | None:
        """Return what is wrong with a checkpoint or cut, of format 2 also with its note; None if it is valid."""
        try:
            self.verify_head(checkpoint)
        except FoundError as error:
            return error.kind, error.reason
        return None

    def verify_head(self, checkpoint: Checkpoint) -> dict[str, int]:
        """Return when which witnesses cosigned a checkpoint, by name, in seconds since 1970. Raises FoundError."""
        public_key = self.verify(checkpoint.key_id, checkpoint.message(), checkpoint.signature)
        if not checkpoint.origin:
            return {}
        return verify_note(checkpoint, public_key, self.public_keys(), self.witnesses)

    def verify(self, key_id: str, message: bytes | None, signature: str) -> str:
        """Return the public key that signed a statement. Raises FoundError if it is not trusted or did not sign."""
        self._follow()
        public_key = self._line.get(key_id)
        if public_key is None:
            reason = f"it is signed with the key {key_id}, which is not in the line of the trusted key"
            raise FoundError(FindingKind.UNKNOWN_KEY, reason)
        if message is None or not is_signed(public_key, message, signature):
            raise FoundError(FindingKind.WRONG_KEY, f"its signature is not by the key {key_id} that it names")
        return public_key

    def is_earlier(self, key_id: str) -> bool:
        """Return whether this key is before the given one, so that it may be retired."""
        return key_id not in self._given and any(key_id in self.predecessors(given) for given in self._given)

    def public_keys(self) -> list[str]:
        """Return all keys of the line, in base64."""
        self._follow()
        return list(self._line.values())

    def predecessors(self, key_id: str) -> Iterator[str]:
        """Yield the keys of the line before this one, the nearest first."""
        self._follow()
        yield from self._before_in_line(key_id)

    def next_key(self, key_id: str) -> str:
        """Return the key that follows this one, or an empty text."""
        self._follow()
        return self._successors.get(key_id, "")

    def _before_in_line(self, key_id: str) -> Iterator[str]:
        before = {later: earlier for earlier, later in self._successors.items()}
        while (key_id := before.pop(key_id, "")) != "":
            yield key_id

    def _follow(self) -> None:
        """Build the line, if a key came since: back from each given key, then forward from its ends."""
        if self._is_current:
            return
        self._is_current = True
        self._line, self._successors = dict(self._given), {}
        # A key that a recovery key announced follows the last key of the line, which is not known yet.
        heirs: dict[str, str] = {}
        for key_id in self._given:
            self._go_back(key_id, heirs)
        ends = [key_id for key_id in self._line if key_id not in self._successors]
        while ends:
            self._go_forward(ends.pop(), ends)
        for earlier, heir in heirs.items():
            if earlier not in self._before_in_line(heir):
                self._successors[earlier] = heir

    def _go_back(self, key_id: str, heirs: dict[str, str]) -> None:
        while (found := next(self._before(key_id), None)) is not None:
            public_key, is_recovered = found
            earlier = key_id_of(base64.b64decode(public_key))
            if earlier in self._line:
                return
            self._line[earlier] = public_key
            (heirs if is_recovered else self._successors)[earlier] = key_id
            key_id = earlier

    def _before(self, key_id: str) -> Iterator[tuple[str, bool]]:
        """Yield the keys before this one, which it signed, too, and whether a recovery key is between them."""
        for key in self._known:
            if key.public_key != self._line[key_id] or not is_countersigned(key):
                continue
            for earlier in self._announcers(key):
                if not is_recovery(earlier):
                    yield earlier.public_key, False
                elif is_countersigned(earlier):
                    yield from ((each.public_key, True) for each in self._announcers(earlier) if not is_recovery(each))
        if lost := self._lost.get(key_id):
            yield lost, False

    def _announcers(self, key: Key) -> Iterator[Key]:
        for earlier in self._known:
            if earlier.key_id == key.announced_by and is_announced_by(earlier.public_key, key):
                yield earlier

    def _go_forward(self, end: str, ends: list[str]) -> None:
        after = self._after(end)
        if after is None or after.key_id in self._before_in_line(end):
            return
        self._successors[end] = after.key_id
        if after.key_id not in self._line:
            self._line[after.key_id] = after.public_key
            ends.append(after.key_id)

    def _after(self, end: str) -> Key | None:
        """Return the one key that the last key announced, or else the one that a recovery key of the line did."""
        announced = {key.key_id: key for key in self._known if not is_recovery(key) and self._is_announced(key, end)}
        if len(announced) != 1:
            # Of two next keys one was announced with a stolen key; only a recovery key can decide.
            announced = self._recovered([end, *self._before_in_line(end)])
        return next(iter(announced.values())) if len(announced) == 1 else None

    def _recovered(self, line: Sequence[str]) -> dict[str, Key]:
        recovery = {
            each.key_id: each.public_key
            for each in self._known
            if is_recovery(each) and any(self._is_announced(each, key_id) for key_id in line)
        }
        return {
            key.key_id: key
            for key in self._known
            if not is_recovery(key) and key.announced_by in recovery and key.key_id not in line
            if is_announced_by(recovery[key.announced_by], key) and is_countersigned(key)
        }

    def _is_announced(self, key: Key, announcer: str) -> bool:
        if key.announced_by != announcer or key.key_id == announcer:
            return False
        return (is_from_before(key) or is_countersigned(key)) and is_announced_by(self._line[announcer], key)
