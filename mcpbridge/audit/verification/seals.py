"""Verify the sealed members that a row of format 2 shows (`docs/audit-format.md`, section 3)."""

from mcpbridge.audit.hashchain import FORMAT
from mcpbridge.audit.tree.encoding import hash_from_hex
from mcpbridge.audit.tree.errors import FormatError, ProofError
from mcpbridge.audit.tree.sealed import MEMBERS, commitments, verify_shown
from mcpbridge.audit.verification.findings import FindingKind, FoundError
from mcpbridge.audit.verification.records import Event, canonical_or_none


def verify_seals(event: Event) -> None:
    """Raise FoundError unless each sealed member that a valid row shows has its salt and matches its commitment."""
    facts = event.facts or {}
    if facts.get("format") == FORMAT or not (event.shown or _has_seal(event) or _has_salts(event)):
        return
    try:
        if _has_seal(event):
            _verify_all(event, facts["sealed"])
        else:
            verify_shown(facts["sealed"], event.shown or {}, _salts_of(event))
    except (FormatError, ProofError) as error:
        raise FoundError(FindingKind.BAD_SALT, str(error)) from None


def _verify_all(event: Event, sealed: dict[str, str]) -> None:
    """Verify a row that shows all members with its seal. Raises FormatError and ProofError."""
    shown = event.shown or {}
    if _has_salts(event) or set(shown) != set(MEMBERS):
        raise ProofError("its seal is there beside salts, or without all values")
    forms = {member: canonical_or_none(shown[member]) for member in MEMBERS}
    found = {member: form for member, form in forms.items() if form is not None}
    if len(found) < len(MEMBERS):
        raise ProofError("a value has no canonical form")
    made = commitments(hash_from_hex(event.seal), found)
    if wrong := [member for member in MEMBERS if made[member] != sealed[member]]:
        raise ProofError(f"the seal or the value of {wrong[0]} does not match its commitment")


def _salts_of(event: Event) -> dict[str, str]:
    if not isinstance(event.salts, dict):
        raise ProofError("a member is shown without its salt, or a salt without its member")
    return event.salts


def _has_seal(event: Event) -> bool:
    """Return whether the row says anything as its seal, even something that is none."""
    return bool(event.seal != "")


def _has_salts(event: Event) -> bool:
    return event.salts is not None
