"""Anchor a log at what its witnesses last cosigned, on nodes that keep no files.

Asked once for each log when a process begins; then its anchors move on in memory. Only checkpoints that our keys and
the witness signed count, and of several the largest. While no witness answers, the log is not signed.

The database does not decide what is asked for: a log without checkpoints has the configured name, and the epoch after
the one in the database is asked for, too.
"""

import logging
import time
from dataclasses import replace

from django.conf import settings

from mcpbridge.audit.anchors.faults import FaultKind
from mcpbridge.audit.anchors.memory import NodeAnchors
from mcpbridge.audit.export.source import checkpoint_of
from mcpbridge.audit.log_tree.origins import new_origin
from mcpbridge.audit.tree.checkpoints import TreeHead
from mcpbridge.audit.tree.encoding import from_base64
from mcpbridge.audit.tree.errors import FormatError
from mcpbridge.audit.tree.notes import VerifierKey
from mcpbridge.audit.tree.origins import Origin
from mcpbridge.audit.verification.records import Checkpoint
from mcpbridge.audit.verification.trust import Trust
from mcpbridge.audit.witnesses.client import last_cosigned
from mcpbridge.audit.witnesses.config import configured_witnesses
from mcpbridge.audit.witnesses.errors import NotCosignedError
from mcpbridge.audit.witnesses.logs import heads_with
from mcpbridge.models import AuditEvent, SigningHead

logger = logging.getLogger("mcpbridge.anchor")

_AGAIN_S = 30.0
_LIMIT_S = 5.0


class WitnessedFindingError(Exception):
    """The database does not hold what a witness cosigned. The text is the reason of a finding."""

    def __init__(self, kind: FaultKind, reason: str) -> None:
        super().__init__(reason)
        self.kind = kind


class NoWitnessError(Exception):
    """No witness could say what it cosigned last. The text may be shown to operators."""


def witnessed_checkpoint(anchors: NodeAnchors, alias: str, org_id: str, trust: Trust) -> Checkpoint | None:
    """Return the stored checkpoint that a witness cosigned last; None if no witness knows the log.

    Asked at most every 30 seconds for each log. Raises WitnessedFindingError, and NoWitnessError if none has answered.
    """
    if anchors.next_question.get(org_id, 0.0) > time.monotonic():
        raise NoWitnessError("The next question to the witnesses is due in a moment.")
    anchors.next_question[org_id] = time.monotonic() + _AGAIN_S
    newest = _newest(alias, org_id, trust)
    origin = Origin.parse(newest.origin) if newest else _configured_origin(alias, org_id)
    head = _last_cosigned(origin, trust)
    if (later := _last_cosigned(replace(origin, epoch=origin.epoch + 1), trust)) is not None and later.size:
        reason = f"The log is at epoch {origin.epoch}, but a witness has cosigned epoch {origin.epoch + 1}."
        raise WitnessedFindingError(FaultKind.BEHIND, reason)
    # If no witness knows the log, our newest signature is all that there is.
    found = newest if head is None or head.size == 0 else _stored(alias, org_id, head, trust)
    anchors.answered.add(org_id)
    return found


def _configured_origin(alias: str, org_id: str) -> Origin:
    """Return the origin of a log without checkpoints. The database names it only if AUDIT_LOG_NAME does not."""
    name = settings.AUDIT_LOG_NAME
    return Origin(name, org_id) if name else Origin.parse(new_origin(alias, org_id))


def _newest(alias: str, org_id: str, trust: Trust) -> Checkpoint | None:
    """Return the newest stored checkpoint of format 2 that our keys signed."""
    heads = SigningHead.objects.using(alias).filter(org_id=org_id).exclude(origin="")
    found = (checkpoint_of(head) for head in heads.order_by("-sequence", "-id")[:100])
    return next((checkpoint for checkpoint in found if trust.fault(checkpoint) is None), None)


def _stored(alias: str, org_id: str, head: TreeHead, trust: Trust) -> Checkpoint:
    """Return the stored checkpoint with this head. Raises WitnessedFindingError."""
    sequence = Origin.parse(head.origin).first + head.size - 1
    for found in heads_with(alias, org_id, head).order_by("id"):
        if trust.fault(checkpoint := checkpoint_of(found)) is None:
            return checkpoint
    rows = AuditEvent.objects.using(alias).filter(org_id=org_id).order_by("-sequence")
    last = rows.values_list("sequence", flat=True).first() or 0
    if last < sequence:
        reason = f"The log ends at entry {last}, but a witness has cosigned entry {sequence}."
        raise WitnessedFindingError(FaultKind.BEHIND, reason)
    reason = f"The checkpoint at entry {sequence} that a witness has cosigned is missing."
    raise WitnessedFindingError(FaultKind.CHANGED, reason)


def _last_cosigned(origin: Origin, trust: Trust) -> TreeHead | None:
    """Return the largest head that a witness cosigned; None if no witness knows the log. Raises NoWitnessError."""
    keys = [VerifierKey(str(origin), from_base64(key, size=32)) for key in trust.public_keys()]
    found, faults = [], []
    limit_s = min(settings.LOG_DESTINATION_TIMEOUT_S, _LIMIT_S)
    for witness in configured_witnesses():
        try:
            if cosigned := last_cosigned(witness, keys, limit_s=limit_s):
                found.append(cosigned.head)
        except (NotCosignedError, FormatError) as error:
            faults.append(str(error))
            logger.warning("%s", error)
    if faults and not found:
        raise NoWitnessError(faults[0])
    return max(found, key=lambda head: head.size, default=None)
