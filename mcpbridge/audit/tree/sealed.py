"""Seal members of a row: each is replaced by a salted commitment, so that it can be left out and the row still verify.

    salt(m)   = HMAC-SHA256(seal, "hoursmith-salt-2\\n" ‖ m)
    sealed[m] = hex SHA-256("hoursmith-sealed-2\\n" ‖ m ‖ "\\n" ‖ salt(m) ‖ RFC 8785 form of the value)

The seal is 32 random bytes, one a row, kept in a column beside it.
"""

import hashlib
import os
from collections.abc import Mapping
from typing import Any

import rfc8785

from mcpbridge.audit.tree.encoding import hash_from_hex
from mcpbridge.audit.tree.errors import ProofError

MEMBERS = ("actor", "address", "arguments", "note", "snapshot", "target_label", "token_name")
SEAL_SIZE = SALT_SIZE = 32
# The block of HMAC (RFC 2104) with SHA-256, and the two masks of the key.
_BLOCK_SIZE = 64
_INNER, _OUTER = (bytes(byte ^ mask for byte in range(256)) for mask in (0x36, 0x5C))
_SALTS = [(member, f"hoursmith-salt-2\n{member}".encode()) for member in MEMBERS]
_BEGINNINGS = {member: f"hoursmith-sealed-2\n{member}\n".encode() for member in MEMBERS}


def new_seal() -> bytes:
    """Return a seal from the system's random source."""
    return os.urandom(SEAL_SIZE)


def salts(seal: bytes) -> dict[str, bytes]:
    """Return the salt of each member, 32 bytes. Raises ProofError for a seal of another size."""
    if len(seal) != SEAL_SIZE:
        raise ProofError("the seal does not have 32 bytes")
    # Both masked keys are made once for all members: calling `hmac` for each takes twice as long.
    key = seal.ljust(_BLOCK_SIZE, b"\0")
    inner, outer, sha256 = key.translate(_INNER), key.translate(_OUTER), hashlib.sha256
    return {member: sha256(outer + sha256(inner + message).digest()).digest() for member, message in _SALTS}


def commitment(member: str, salt: bytes, value: Any) -> str:
    """Return the commitment to a value that came from outside, in hexadecimal.

    Raises ProofError for a salt of another size or a value without an RFC 8785 form.
    """
    if len(salt) != SALT_SIZE:
        raise ProofError("the salt does not have 32 bytes")
    try:
        form = rfc8785.dumps(value)
    except (ValueError, RecursionError):
        raise ProofError(f"the value of {member} has no canonical form") from None
    return hashlib.sha256(_BEGINNINGS[member] + salt + form).hexdigest()


def commitments(seal: bytes, forms: Mapping[str, bytes]) -> dict[str, str]:
    """Return the commitments to the seven members, given the RFC 8785 form of each value.

    Raises ProofError for a seal of another size.
    """
    sha256 = hashlib.sha256
    return {
        member: sha256(_BEGINNINGS[member] + salt + forms[member]).hexdigest() for member, salt in salts(seal).items()
    }


def verify_shown(sealed: Mapping[str, Any], shown: Mapping[str, Any], given: Mapping[str, str]) -> None:
    """Raise ProofError unless each shown member has its salt, in hexadecimal, and fits to its commitment.

    Members that are neither shown nor salted are withheld; `sealed` always has all seven commitments.
    """
    if set(sealed) != set(MEMBERS):
        raise ProofError("the row does not have seven commitments")
    if set(shown) != set(given) or not set(shown) <= set(MEMBERS):
        raise ProofError("a member is shown without its salt, or a salt without its member")
    for member, value in shown.items():
        if commitment(member, hash_from_hex(given[member]), value) != sealed[member]:
            raise ProofError(f"the salt or the value of {member} does not fit to its commitment")
