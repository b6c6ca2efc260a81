"""Follow the statements with which a log continues in a new epoch.

A node follows a statement that names at least what the node's own anchor holds. One that gives up less hides entries
that this node knows of, so it is a finding.
"""

from dataclasses import dataclass

from mcpbridge.audit.anchors.faults import FaultKind
from mcpbridge.audit.epochs.stored import epoch_begun_by
from mcpbridge.audit.epochs.trees import sign_tree_head
from mcpbridge.audit.signing import SigningKeyPair, configured_key, is_signed
from mcpbridge.audit.tree.errors import FormatError
from mcpbridge.audit.tree.origins import Origin
from mcpbridge.audit.tree.restores import ChainHead
from mcpbridge.audit.verification.findings import FoundError
from mcpbridge.audit.verification.records import Checkpoint, Restore
from mcpbridge.audit.verification.trust import Trust


class NotFollowedError(Exception):
    """A statement must not be followed by this node: a finding. The text may be shown to operators."""

    kind = FaultKind.BEHIND


class ForeignStatementError(NotFollowedError):
    """A statement is not ours, or does not continue the log of the anchor. The text may be shown to operators."""

    kind = FaultKind.CHANGED


@dataclass(frozen=True, slots=True)
class Beginning:
    """Where an epoch begins for a node that follows: the origin, and the head of chain and tree that was kept."""

    origin: Origin
    kept: ChainHead

    def anchor(self, key: SigningKeyPair) -> Checkpoint:
        """Return the anchor of a node that begins here."""
        return sign_tree_head(key, self.origin, self.kept, reason="anchor")


def follow(anchor: Checkpoint, restore: Restore, trust: Trust) -> Beginning:
    """Return where the epoch of `restore` begins, for the node with `anchor`. Raises NotFollowedError."""
    try:
        if restore.is_key_lost:
            trust.learn_break(restore)
        trust.verify(restore.key_id, restore.message(), restore.signature)
        to, old = Origin.parse(restore.to), Origin.parse(anchor.origin)
    except (FoundError, FormatError) as error:
        raise ForeignStatementError(f"The statement of an epoch is not ours: {error}.") from None
    if (to.log_name, to.workspace, to.first) != (old.log_name, old.workspace, old.first) or to.epoch <= old.epoch:
        raise ForeignStatementError(f"The statement of epoch {epoch_begun_by(restore)} is that of another log.")
    kept, given_up = restore.kept, restore.given_up
    if anchor.sequence > kept["sequence"] and not _is_named(anchor, restore):
        raise NotFollowedError(
            f"The statement of epoch {to.epoch} keeps entries up to {kept['sequence']} and gives up those to"
            f" {given_up['sequence']}, but the anchor of this node is at entry {anchor.sequence} of epoch"
            f" {anchor.epoch}: {anchor.hash}."
        )
    return Beginning(to, ChainHead(kept["sequence"], kept["hash"], kept["root"]))


def _is_named(anchor: Checkpoint, restore: Restore) -> bool:
    """Return whether the statement gives up the head of the anchor, or a later one of the same origin."""
    given_up = restore.given_up
    if given_up["origin"] != anchor.origin or given_up["sequence"] < anchor.sequence:
        return False
    return bool(given_up["sequence"] > anchor.sequence or given_up["hash"] == anchor.hash)


def is_ours(anchor: Checkpoint) -> bool:
    """Return whether the configured key signed an anchor, as far as can be told without the database."""
    key, message = configured_key(), anchor.message()
    return anchor.key_id == key.key_id and message is not None and is_signed(key.public_key, message, anchor.signature)
