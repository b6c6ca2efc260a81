"""Ask one witness for its cosignature of the newest checkpoint of a log (C2SP tlog-witness)."""

import hashlib
from collections.abc import Sequence
from contextlib import suppress
from dataclasses import dataclass
from typing import Protocol

from mcpbridge.audit.destinations.errors import DestinationError
from mcpbridge.audit.destinations.targets import secret_webhook_target
from mcpbridge.audit.destinations.transports.http import HttpAnswer, exchange
from mcpbridge.audit.tree.checkpoints import SignedHead, TreeHead, open_checkpoint
from mcpbridge.audit.tree.encoding import decimal, to_base64
from mcpbridge.audit.tree.errors import FormatError, TreeError
from mcpbridge.audit.tree.notes import Note, SignatureLine, VerifierKey, cosigned_at
from mcpbridge.audit.witnesses.config import Witness
from mcpbridge.audit.witnesses.errors import NotCosignedError, RefusalKind

_ATTEMPTS = 3
_MOST_LINES = 16


class WitnessedLog(Protocol):
    """One log, as its witness sees it."""

    def newest(self) -> tuple[TreeHead, str]:
        """Return the newest signed head and its note."""

    def proof(self, older: int, newer: TreeHead) -> Sequence[bytes]:
        """Return the proof that the log only grew from size `older`. Raises TreeError."""


@dataclass(frozen=True, slots=True)
class Cosigned:
    """A verified cosignature: its line and its time in seconds since 1970."""

    head: TreeHead
    line: SignatureLine
    at: int


def cosign(witness: Witness, log: WitnessedLog, *, known: int, limit_s: float) -> Cosigned:
    """Return the cosignature of the witness, which last cosigned size `known` as far as we know.

    Raises NotCosignedError. One attempt takes at most `limit_s` seconds.
    """
    head, note = log.newest()
    for _ in range(_ATTEMPTS):
        old = min(known, head.size)
        answer = _add_checkpoint(witness, old, _proof(witness, log, old, head), note, limit_s)
        if answer.status == 200:
            return _cosignature(witness, head, answer.body)
        if answer.status != 409:
            raise _refusal(witness, head, answer.status)
        known = _other_size(witness, answer)
        if known > head.size:
            # Another process may have signed and submitted meanwhile.
            head, note = log.newest()
            if known > head.size:
                raise NotCosignedError(
                    RefusalKind.BEHIND,
                    f"The witness {witness.name} has cosigned {known} entries, but the log has {head.size}.",
                )
    raise _unavailable(witness, "names another size each time")


def last_cosigned(witness: Witness, keys: Sequence[VerifierKey], *, limit_s: float) -> SignedHead | None:
    """Return the last checkpoint of the log that the witness cosigned; None if it has cosigned none.

    It is signed by the witness and by one of `keys`, which all have the origin as their name. Raises NotCosignedError.
    """
    path = f"/{hashlib.sha256(keys[0].name.encode()).hexdigest()}/checkpoint"
    answer = _exchange(witness, "GET", path, b"", limit_s)
    if answer.status == 404:
        return None
    if answer.status != 200:
        raise _unavailable(witness, f"answered {answer.status}")
    for key in keys:
        with suppress(TreeError):
            found = open_checkpoint(answer.body, key, cosigners=[witness.key])
            if witness.key in found.cosigned:
                return found
    raise _unavailable(witness, "shows a checkpoint that it or this console has not signed")


def _proof(witness: Witness, log: WitnessedLog, old: int, head: TreeHead) -> Sequence[bytes]:
    try:
        return log.proof(old, head)
    except TreeError as error:
        raise NotCosignedError(
            RefusalKind.UNAVAILABLE, f"Nothing can be proven to the witness {witness.name}: {error}."
        ) from None


def _add_checkpoint(witness: Witness, old: int, proof: Sequence[bytes], note: str, limit_s: float) -> HttpAnswer:
    lines = [f"old {old}", *map(to_base64, proof), "", note]
    return _exchange(witness, "POST", "/add-checkpoint", "\n".join(lines).encode(), limit_s)


def _exchange(witness: Witness, method: str, path: str, body: bytes, limit_s: float) -> HttpAnswer:
    try:
        target = secret_webhook_target(f"{witness.url}{path}")
        return exchange(method, target, headers={"Content-Type": "text/plain"}, body=body, limit_s=limit_s)
    except DestinationError as error:
        raise NotCosignedError(RefusalKind.UNAVAILABLE, f"The witness {witness.name}: {error}") from None


def _cosignature(witness: Witness, head: TreeHead, body: bytes) -> Cosigned:
    """Return the line of the witness if it verifies; lines of other keys are ignored."""
    try:
        lines = body.decode().removesuffix("\n").split("\n")
        if len(lines) > _MOST_LINES:
            raise FormatError("the answer has too many lines")
        note = Note(head.text, tuple(SignatureLine.parse(line) for line in lines))
        signature = note.signatures([witness.key])[witness.key]
    except (UnicodeDecodeError, TreeError, KeyError):
        raise NotCosignedError(
            RefusalKind.CONFIGURATION,
            f"The witness {witness.name} answered without a valid cosignature of its key in AUDIT_WITNESSES.",
        ) from None
    line = SignatureLine(witness.name, witness.key.key_id, signature)
    return Cosigned(head, line, cosigned_at(signature))


def _other_size(witness: Witness, answer: HttpAnswer) -> int:
    try:
        return decimal(answer.body.decode("ascii").removesuffix("\n"))
    except (UnicodeDecodeError, FormatError):
        raise _unavailable(witness, "answered 409 without a size") from None


def _refusal(witness: Witness, head: TreeHead, status: int) -> NotCosignedError:
    if status == 422:
        text = f"The witness {witness.name} has cosigned other entries than the first {head.size} of this log."
        return NotCosignedError(RefusalKind.CHANGED, text)
    if status in (403, 404):
        text = f"The witness {witness.name} does not know this log or its key ({status})."
        return NotCosignedError(RefusalKind.CONFIGURATION, f"{text} Give its operator the verifier key.")
    return _unavailable(witness, f"answered {status}")


def _unavailable(witness: Witness, text: str) -> NotCosignedError:
    return NotCosignedError(RefusalKind.UNAVAILABLE, f"The witness {witness.name} {text}.")
