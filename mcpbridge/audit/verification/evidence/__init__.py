"""Verify evidence: a ZIP archive that shows some entries of a log with everything that proves them.

`docs/audit-format.md`, section 14, specifies what is checked, in which order, and what each finding means.
"""

from typing import IO

from mcpbridge.audit.verification.evidence.archive import EvidenceArchive
from mcpbridge.audit.verification.evidence.checks import EvidenceCheck
from mcpbridge.audit.verification.findings import VerificationReport
from mcpbridge.audit.verification.older import OlderCheckpoint
from mcpbridge.audit.verification.trust import Trust


def verify_evidence(file: IO[bytes], trust: Trust, *, older: OlderCheckpoint | None = None) -> VerificationReport:
    """Verify an archive against the trusted keys; `older` is a checkpoint that was kept, which the log must extend.

    Raises UnusableInputError.
    """
    return EvidenceCheck(EvidenceArchive(file), trust, older).report()
