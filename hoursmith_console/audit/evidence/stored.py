"""Open the stored log of a workspace for evidence, after signing it up to the entries that are asked for.

Nothing of the database is believed: the checkpoint counts only with a signature of this console's line of keys, and
proofs only if they lead to its root.
"""

import json
from collections.abc import Iterator

import orjson
from django.conf import settings
from django.db import router
from django.db.models import QuerySet

from hoursmith_console.audit.evidence.log import EvidenceUnavailableError, ProvenLog
from hoursmith_console.audit.watchers.logs import cosigners
from mcpbridge.audit.anchors.memory import node_anchors
from mcpbridge.audit.checkpoints import make_checkpoints
from mcpbridge.audit.errors import SigningRefusedError
from mcpbridge.audit.hashchain import instant
from mcpbridge.audit.keyring import key_line, usable_key
from mcpbridge.audit.log_tree.tiles import stored_nodes
from mcpbridge.audit.signing import is_signed
from mcpbridge.audit.tree.checkpoints import open_checkpoint
from mcpbridge.audit.tree.encoding import from_base64
from mcpbridge.audit.tree.errors import TreeError
from mcpbridge.audit.tree.notes import VerifierKey, parse_note
from mcpbridge.audit.tree.statements import CheckpointStatement
from mcpbridge.audit.verification.announcements import fingerprint_of
from mcpbridge.audit.witnesses.logs import cosigned_note
from mcpbridge.models import AuditEpoch, AuditEvent, SigningHead, SigningKey

OLDER_FORMAT = (
    "This log is in the older format, of which no evidence can be made. Export it, or ask the operator to upgrade it"
    f" with `{settings.MANAGE_COMMAND} audit_upgrade`."
)
# Each verifies new entries for at most five seconds.
_TRIES = 3
_UNSIGNED = "The checkpoint of the log is not signed by a key of this console. Tell the operator."


def has_tree(org_id: str) -> bool:
    """Return whether the log has a signed tree."""
    return _heads(org_id).exists()


def has_old_entries(org_id: str) -> bool:
    """Return whether the log begins with entries of format 1."""
    rows = AuditEvent.objects.using(_alias()).filter(org_id=org_id).order_by("sequence")
    return rows.values_list("epoch", flat=True).first() == 0


def open_log(org_id: str, *, until: int) -> ProvenLog:
    """Return the log at a checkpoint that covers entry `until`, signing one first if none does.

    Raises EvidenceUnavailableError with the reason.
    """
    alias = _alias()
    try:
        node_anchors().refuse_if_faulty()
        head = _head(org_id, until) or _signed_now(org_id, until)
        key = usable_key(alias)
    except SigningRefusedError as error:
        raise EvidenceUnavailableError(str(error)) from None
    if key is None:
        raise EvidenceUnavailableError("This server has no key that may sign evidence now. Tell the operator.")
    statement = CheckpointStatement(head.origin, head.sequence, head.hash, head.root, instant(head.at))
    public_key = _public_key(alias, head, statement)
    note = cosigned_note(head, cosigners(org_id))
    oldest = _heads(org_id).filter(origin=head.origin, sequence__gte=statement.parts.first).order_by("sequence", "id")
    return ProvenLog(
        statement=statement,
        note=note,
        key_id=head.key_id,
        signature=head.signature,
        fingerprint=fingerprint_of(public_key),
        nodes=stored_nodes(alias, org_id),
        sign=lambda message: (key.key_id, key.sign(message)),
        reason=head.reason,
        oldest=oldest.values_list("signed_note", flat=True).first() or "",
        cosignatures=len(parse_note(note).lines) - 1,
        restores=list(_restores(alias, org_id)),
        old=_last_old(alias, org_id, head.sequence),
    )


def _alias() -> str:
    return router.db_for_write(SigningHead)


def _heads(org_id: str) -> "QuerySet[SigningHead]":
    """Return the checkpoints of the log's present tree; none in format 1."""
    heads = SigningHead.objects.using(_alias()).filter(org_id=org_id)
    # After a restore, trees of earlier epochs can have checkpoints of later entries, which were given up.
    present = heads.order_by("-id").values_list("origin", flat=True).first()
    return heads.filter(origin=present) if present else heads.none()


def _head(org_id: str, until: int) -> SigningHead | None:
    """Return the newest checkpoint that covers entry `until`, one that was cosigned if there is one."""
    covering = _heads(org_id).filter(sequence__gte=until).order_by("-sequence", "-id")
    return covering.filter(cosignatures__isnull=False).first() or covering.first()


def _signed_now(org_id: str, until: int) -> SigningHead:
    for _ in range(_TRIES):
        make_checkpoints(reason="demand", org_id=org_id)
        if (head := _head(org_id, until)) is not None:
            return head
    if has_tree(org_id):
        raise EvidenceUnavailableError("The newest entries are not signed yet. Try again in a minute.")
    raise EvidenceUnavailableError(OLDER_FORMAT)


def _public_key(alias: str, head: SigningHead, statement: CheckpointStatement) -> str:
    """Return the key that signed the checkpoint and its note. Raises EvidenceUnavailableError."""
    key = SigningKey.objects.using(alias).filter(key_id=head.key_id).values_list("public_key", flat=True).first()
    if key is None or head.key_id not in key_line(alias) or not is_signed(key, statement.message, head.signature):
        raise EvidenceUnavailableError(_UNSIGNED)
    try:
        note = open_checkpoint(head.signed_note, VerifierKey(head.origin, from_base64(key, size=32)))
        statement.refuse_other(note.head)
    except TreeError as error:
        raise EvidenceUnavailableError(_UNSIGNED) from error
    return key


def _restores(alias: str, org_id: str) -> Iterator[bytes]:
    """Yield the statements with which the log continued in a new epoch, as lines of an export."""
    for found in AuditEpoch.objects.using(alias).filter(org_id=org_id).order_by("epoch"):
        line = {"type": "restore", **json.loads(found.message), "key_id": found.key_id, "signature": found.signature}
        yield orjson.dumps(line, option=orjson.OPT_APPEND_NEWLINE)


def _last_old(alias: str, org_id: str, last: int) -> int:
    """Return the last entry in format 1, 0 if there is none; entries of format 1 never follow one of format 2."""
    rows = AuditEvent.objects.using(alias).filter(org_id=org_id, sequence__lte=last)
    first = rows.order_by("sequence").values_list("sequence", flat=True).first() or 1
    low, high = first - 1, last
    while low < high:
        middle = (low + high + 1) // 2
        if rows.filter(sequence=middle, epoch=0).exists():
            low = middle
        else:
            high = middle - 1
    return low if low >= first else 0
