"""Tell a workspace's pages whether its audit log agrees with what is kept outside the database."""

from dataclasses import dataclass

from mcpbridge.audit.anchors.faults import AnchorFault, FaultKind
from mcpbridge.audit.anchors.memory import node_anchors


@dataclass(frozen=True, slots=True)
class AnchorStatus:
    """What this node knows about one workspace's log. `is_stopped`: a finding about any log stops the signatures."""

    fault: AnchorFault | None
    is_stopped: bool
    is_outside: bool
    is_unadopted: bool

    @property
    def what_is_wrong(self) -> str:
        """The finding, without naming another workspace."""
        if self.fault is None:
            return "An audit log on this server does not agree with what was signed"
        if self.fault.kind is FaultKind.BEHIND:
            return "The end of the audit log is missing in the database"
        return "The audit log was changed in the database"

    @property
    def command(self) -> str:
        """The command by which an operator ends it."""
        is_behind = self.fault is not None and self.fault.kind is FaultKind.BEHIND
        return "audit_accept_restore" if is_behind else "audit_anchor"


def anchor_status(org_id: str) -> AnchorStatus:
    """Return what this process knows; nothing is read from the database, which may be at fault."""
    anchors = node_anchors()
    faults = anchors.faults
    own = next((fault for fault in faults if fault.workspace == org_id), None)
    return AnchorStatus(own, bool(faults), anchors.is_outside, org_id in anchors.unadopted)
