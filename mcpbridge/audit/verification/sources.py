"""Verifies what lies in the database, or in an export, with the keys that belong to it."""

from collections.abc import Callable, Iterable

from mcpbridge.audit.export.jsonl import Export
from mcpbridge.audit.export.source import Selection, alias, chain_records, known_workspaces, stored_keys
from mcpbridge.audit.signing import configured_key
from mcpbridge.audit.verification import OutsideHead, Trust, UnusableInputError, Verdict, verify
from mcpbridge.audit.verification.trust import is_first
from mcpbridge.models import AuditEvent


def stored_trust() -> Trust:
    """What this console itself trusts: its configured key, and the keys that lead to it from the first.

    Whoever can write into the database can put in a first key of their own, so for a proof to others the key file must
    come from elsewhere.
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
    """How many rows a verification of the database will read."""
    rows = AuditEvent.objects.using(alias())
    return (rows if workspace is None else rows.filter(org_id=workspace)).count()


def verify_stored(
    *,
    workspace: str | None = None,
    head: OutsideHead | None = None,
    trust: Trust | None = None,
    progress: Callable[[int], None] | None = None,
) -> Verdict:
    """Verify the chain of `workspace`, or all, as they lie in the database. Raises UnusableInputError.

    `progress` is told now and then how many rows were read.
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
) -> Verdict:
    """Verify the lines of an export. Raises UnusableInputError where they are none, or not all."""
    export = Export(lines)
    if export.is_filtered and not is_partial:
        raise UnusableInputError(
            "This export is filtered: rows were left out, so it cannot prove that none is missing."
            " --partial verifies those that are there."
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
