"""Accept that a restore gave up the end of audit logs, and let them continue in a new epoch."""

from typing import Any

from django.core.management.base import BaseCommand, CommandError, CommandParser
from django.db import router

from mcpbridge.audit.anchors.faults import NODE, AnchorFault
from mcpbridge.audit.anchors.memory import node_anchors
from mcpbridge.audit.anchors.watch import look
from mcpbridge.audit.console_events import operator
from mcpbridge.audit.epochs.acceptance import RestoreRefusedError, accept_restore
from mcpbridge.audit.errors import AuditUnavailableError, SigningRefusedError
from mcpbridge.audit.tree.restores import EpochStatement
from mcpbridge.models import AuditEvent

_REFUSALS = (RestoreRefusedError, AuditUnavailableError, SigningRefusedError, ValueError, OSError)


class Command(BaseCommand):
    help = (
        "After a database was restored or failed over, accept that the end of the audit logs is gone. Run it on the"
        " node whose anchors are furthest. What is left is verified whole; a signed statement names what was kept and"
        " what was given up, and the log continues in a new epoch. Until then destructive calls are refused."
    )

    def add_arguments(self, parser: CommandParser) -> None:
        parser.add_argument(
            "--reason", required=True, help="what happened; it is signed and written into the audit log"
        )
        parser.add_argument("--workspace", help="accept the restore of the log of this workspace only")

    def handle(self, *args: Any, **options: Any) -> None:
        anchors = node_anchors()
        try:
            look(anchors, router.db_for_write(AuditEvent))
        except (SigningRefusedError, OSError) as error:
            raise CommandError(str(error)) from None
        faults = [fault for fault in anchors.faults if fault.workspace != NODE]
        if options["workspace"]:
            faults = [fault for fault in faults if fault.workspace == options["workspace"]]
        if not faults:
            self.stdout.write("Every log agrees with the anchors of this node; there is nothing to accept.")
        for fault in faults:
            self.stdout.write(_line(self._accept(fault, options["reason"])))

    def _accept(self, fault: AnchorFault, reason: str) -> EpochStatement:
        try:
            return accept_restore(org_id=fault.workspace, reason=reason, actor=operator())
        except _REFUSALS as error:
            raise CommandError(f"{fault.workspace}: not accepted. {error}") from None


def _line(statement: EpochStatement) -> str:
    return (
        f"{statement.origin.workspace}: epoch {statement.to.epoch} begins after row {statement.kept.sequence}; rows up"
        f" to {statement.given_up.sequence} of epoch {statement.origin.epoch} were given up."
    )
