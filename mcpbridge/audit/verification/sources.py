"""Verify the database or an export."""

from collections.abc import Callable, Iterable

from mcpbridge.audit.export.jsonl import Export
from mcpbridge.audit.export.source import Selection, alias, chain_records, known_workspaces, stored_keys
from mcpbridge.audit.signing import configured_key
from mcpbridge.audit.verification import OutsideHead, Trust, UnusableInputError, VerificationReport, verify
from mcpbridge.audit.verification.trust import is_first
from mcpbridge.models import AuditEvent


def stored_trust() -> Trust:
    """Return the keys that this console trusts: its configured key, and the stored keys that lead to it.

    Someone who can write to the database can replace the first key, so a proof to others needs a key file from
    elsewhere.
    """
    configured = configured_key()
    keys = list(stored_keys())
    if keys and is_first(keys[0]):
        trust = Trust()
        trust.anchor(keys[0].public_key)
        for key in keys[1:]:
            trust.learn(key)
        if configured.key_id in trust:
            return trust
    trust = Trust()
    trust.anchor(configured.public_key)
    return trust


def stored_rows(workspace: str | None = None) -> int:
    """Return the number of rows that verifying the database will read."""
    rows = AuditEvent.objects.using(alias())
    return (rows if workspace is None else rows.filter(org_id=workspace)).count()


def verify_stored(
    *,
    workspace: str | None = None,
    head: OutsideHead | None = None,
    trust: Trust | None = None,
    progress: Callable[[int], None] | None = None,
) -> VerificationReport:
    """Verify the chain of `workspace`, or all chains, in the database. Raises UnusableInputError.

    `progress` is called with the number of rows read so far.
    """
    return verify(
        chain_records(Selection(workspace=workspace)),
        trust or stored_trust(),
        workspaces=known_workspaces(),
        only=workspace,
        head=head,
        progress=progress,
    )


def verify_export(
    lines: Iterable[bytes],
    trust: Trust,
    *,
    workspace: str | None = None,
    head: OutsideHead | None = None,
    is_partial: bool = False,
    progress: Callable[[int], None] | None = None,
) -> VerificationReport:
    """Verify the lines of an export. Raises UnusableInputError if they are not a complete export."""
    export = Export(lines)
    if export.is_filtered and not is_partial:
        raise UnusableInputError(
            "This export is filtered, so it cannot prove that no row is missing."
            " Use --partial to verify the rows that it contains."
        )
    verdict = verify(
        export.records(),
        trust,
        workspaces=export.workspaces,
        only=workspace,
        head=head,
        is_partial=is_partial,
        progress=progress,
    )
    if verdict.is_ok:
        export.check_complete()
    return verdict
