"""Upgrade audit logs to format 2."""

from pathlib import Path
from typing import Any

from django.core.management.base import BaseCommand, CommandError, CommandParser

from mcpbridge.audit.console_events import operator
from mcpbridge.audit.errors import AuditUnavailableError, SigningRefusedError
from mcpbridge.audit.export.source import known_workspaces
from mcpbridge.audit.log_tree.archived import ArchivesRefusedError
from mcpbridge.audit.log_tree.upgrade import UpgradeRefusedError, upgrade_log
from mcpbridge.audit.verification.sources import stored_rows
from mcpbridge.management.progress import progress_line

_REFUSALS = (ArchivesRefusedError, AuditUnavailableError, SigningRefusedError, UpgradeRefusedError, OSError)


class Command(BaseCommand):
    help = (
        "Upgrade audit logs from format 1 to format 2: verify each whole against the fingerprint, build its tree, and"
        " sign both. Stop every node first. Logs of format 2 are left alone, so the command can be run again."
    )

    def add_arguments(self, parser: CommandParser) -> None:
        parser.add_argument(
            "--fingerprint", required=True, help="SHA-256 of a signing key, as you noted it: 64 hexadecimal digits"
        )
        parser.add_argument("--workspace", help="upgrade the log of this workspace only")
        parser.add_argument("--archives", type=Path, help="folder with the archives of pruned rows")

    def handle(self, *args: Any, **options: Any) -> None:
        known = known_workspaces()
        if options["workspace"] and options["workspace"] not in known:
            raise CommandError(f"Unknown workspace {options['workspace']}.")
        for org_id in [options["workspace"]] if options["workspace"] else known:
            try:
                upgraded = upgrade_log(
                    org_id=org_id,
                    fingerprint=options["fingerprint"],
                    actor=operator(),
                    archives=options["archives"],
                    progress=progress_line(self.stderr, total=stored_rows(org_id)),
                )
            except _REFUSALS as error:
                raise CommandError(f"{org_id}: not upgraded. {error}") from None
            if upgraded is None:
                self.stdout.write(f"{org_id}: nothing to upgrade")
            else:
                self.stdout.write(f"{org_id}: upgraded after row {upgraded.sequence}, signed as {upgraded.origin}")
