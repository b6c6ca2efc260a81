"""Show what holds the audit logs outside the database, or adopt a log."""

import sys
from typing import Any

from django.conf import settings
from django.core.management.base import BaseCommand, CommandError, CommandParser
from django.db import router

from mcpbridge.audit.anchors.adoption import AdoptionRefusedError, adopt_log
from mcpbridge.audit.anchors.faults import NODE, AnchorFault
from mcpbridge.audit.anchors.memory import NodeAnchors, node_anchors
from mcpbridge.audit.anchors.watch import look
from mcpbridge.audit.console_events import operator
from mcpbridge.audit.errors import AuditUnavailableError, SigningRefusedError
from mcpbridge.audit.export.source import known_workspaces
from mcpbridge.models import AuditEvent

FAULTY = 1
_REFUSALS = (AdoptionRefusedError, AuditUnavailableError, SigningRefusedError, ValueError)


class Command(BaseCommand):
    help = (
        "Compare the audit logs in the database with the anchors of this node. Exit codes: 0 they agree; 1 they do not,"
        " or a log has no anchor. With --adopt, verify such logs whole and anchor them as they are now: after an"
        " upgrade, on a new node, or after you found out why they disagree. Then restart every process of this node."
    )

    def add_arguments(self, parser: CommandParser) -> None:
        parser.add_argument(
            "--adopt", action="store_true", help="verify and anchor logs that disagree or have no anchor"
        )
        parser.add_argument("--reason", default="", help="why; it is written into the audit log")
        parser.add_argument("--workspace", help="adopt the log of this workspace only")
        parser.add_argument("--fingerprint", default="", help="trust the key with this SHA-256, too")

    def handle(self, *args: Any, **options: Any) -> None:
        anchors = node_anchors()
        try:
            look(anchors, router.db_for_write(AuditEvent))
        except (SigningRefusedError, OSError) as error:
            raise CommandError(str(error)) from None
        if options["adopt"]:
            self._adopt(anchors, options)
        elif not self._show(anchors):
            sys.exit(FAULTY)

    def _show(self, anchors: NodeAnchors) -> bool:
        """Print how every log stands; return whether all is well."""
        if not anchors.is_outside:
            self.stdout.write("AUDIT_ANCHOR is none: nothing outside the database holds the audit logs.")
        for org_id in sorted(anchors.workspaces()):
            if (anchor := anchors.anchor(org_id)) is not None:
                self.stdout.write(f"{org_id}: anchored at row {anchor.sequence}, {anchor.hash} ({anchor.at})")
        for org_id in sorted(anchors.unadopted):
            self.stdout.write(f"{org_id}: no anchor, so this node does not sign it. Check it, then use --adopt.")
        for fault in anchors.faults:
            self.stdout.write(_line(fault))
        if anchors.faults:
            self.stdout.write(
                "If a backup was restored, even one from before the first signature, run"
                f" `{settings.MANAGE_COMMAND} audit_accept_restore --reason …`: it verifies and accepts what is left."
                " If none was, keep the database as it is and find out who changed it."
            )
        return not anchors.faults and not anchors.unadopted

    def _adopt(self, anchors: NodeAnchors, options: dict[str, Any]) -> None:
        wanted = {*anchors.unadopted, *(fault.workspace for fault in anchors.faults if fault.workspace != NODE)}
        if options["workspace"]:
            if options["workspace"] not in {*known_workspaces(), *wanted}:
                raise CommandError(f"Unknown workspace {options['workspace']}.")
            wanted = {options["workspace"]}
        if not wanted:
            self.stdout.write("Every log agrees with its anchor; there is nothing to adopt.")
        for org_id in sorted(wanted):
            try:
                head = adopt_log(
                    org_id=org_id, reason=options["reason"], actor=operator(), fingerprint=options["fingerprint"]
                )
            except _REFUSALS as error:
                raise CommandError(f"{org_id}: not adopted. {error}") from None
            self.stdout.write(f"{org_id}: adopted up to row {head.sequence}, {head.hash}")


def _line(fault: AnchorFault) -> str:
    return f"{fault.workspace or 'this node'}: {fault.kind.upper()} since {fault.at}: {fault.reason}"
