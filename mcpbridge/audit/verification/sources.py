"""Verify the database or an export."""

from collections.abc import Callable, Iterable

from mcpbridge.audit.anchors.memory import node_anchors
from mcpbridge.audit.export.reading import Export, parsed_object, record_of
from mcpbridge.audit.export.source import Selection, alias, chain_records, known_workspaces
from mcpbridge.audit.keyring import key_line
from mcpbridge.audit.verification import (
    Checkpoint,
    FindingKind,
    OlderCheckpoint,
    OutsideHead,
    Trust,
    Unsigned,
    UnusableInputError,
    VerificationReport,
    verify,
)
from mcpbridge.audit.verification.findings import FoundError
from mcpbridge.models import AuditEvent


def stored_anchors() -> dict[str, Checkpoint]:
    """Return the anchors of this node by workspace, but for those of empty logs. Raises OSError."""
    anchors = node_anchors()
    anchors.sync()
    found = {org_id: anchors.anchor(org_id) for org_id in anchors.workspaces()}
    return {org_id: anchor for org_id, anchor in found.items() if anchor is not None and anchor.sequence}


def stored_rows(workspace: str | None = None) -> int:
    """Return the number of rows that verifying the database will read."""
    rows = AuditEvent.objects.using(alias())
    return (rows if workspace is None else rows.filter(org_id=workspace)).count()


def verify_stored(
    *,
    workspace: str | None = None,
    head: OutsideHead | None = None,
    trust: Trust | None = None,
    is_anchored: bool = True,
    progress: Callable[[int], None] | None = None,
) -> VerificationReport:
    """Verify the chain of `workspace`, or all chains, in the database and, if `is_anchored`, against the anchors.

    Rows after the last checkpoint are no finding: they are signed within minutes. `progress` is called with the number
    of rows read so far. Raises UnusableInputError, and OSError if the anchors cannot be read.
    """
    anchors = stored_anchors() if is_anchored else {}
    return verify(
        chain_records(Selection(workspace=workspace), anchors),
        trust or key_line(alias()),
        workspaces=sorted({*known_workspaces(), *anchors}),
        only=workspace,
        head=head,
        unsigned=Unsigned.ALLOWED,
        progress=progress,
    )


def verify_export(
    lines: Iterable[bytes],
    trust: Trust,
    *,
    workspace: str | None = None,
    head: OutsideHead | None = None,
    older: OlderCheckpoint | None = None,
    is_partial: bool = False,
    unsigned: Unsigned = Unsigned.REFUSED,
    progress: Callable[[int], None] | None = None,
) -> VerificationReport:
    """Verify the lines of an export, which must extend `older` if that is given.

    Raises UnusableInputError if they are not a complete export.
    """
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
        older=older,
        is_partial=is_partial,
        unsigned=unsigned,
        progress=progress,
    )
    # A truncated export is not an unsigned one.
    if verdict.first_bad is None or verdict.first_bad.kind is FindingKind.UNSIGNED:
        export.check_complete()
    return verdict


def older_from_text(text: str) -> OlderCheckpoint | None:
    """Read a checkpoint that was kept elsewhere: a note, or a line of either format; None if the text is empty.

    Raises UnusableInputError.
    """
    if not text:
        return None
    try:
        if text.lstrip().startswith("{"):
            said = record_of(1, {**parsed_object(1, text.encode()), "type": "checkpoint"})
            return OlderCheckpoint.from_statement(said) if isinstance(said, Checkpoint) else None
        found = OlderCheckpoint.from_note(text)
    except FoundError as error:
        raise UnusableInputError(f"The given checkpoint cannot be used: {error}.") from None
    if found.size == 0:
        raise UnusableInputError("The given checkpoint is of an empty log, which says nothing.")
    return found
