"""Open the stored log of a workspace for evidence, after signing it up to the entries that are asked for."""

from hoursmith_console.audit.evidence.log import EvidenceUnavailableError, ProvenLog


def has_tree(org_id: str) -> bool:
    """Return whether the log has a signed tree."""
    return False


def open_log(org_id: str, *, until: int) -> ProvenLog:
    """Return the log at a checkpoint that covers entry `until`, signing one first if none does.

    Raises EvidenceUnavailableError with the reason.
    """
    raise EvidenceUnavailableError(
        "The audit log of this workspace is in the older format, which can be exported but not shown in parts."
    )
