"""Remove old rows from the audit log after archiving them."""

from pathlib import Path
from typing import Any

from django.core.management.base import BaseCommand, CommandError, CommandParser
from django.db import Error

from mcpbridge.audit.archive import ArchiveError
from mcpbridge.audit.console_events import operator
from mcpbridge.audit.errors import AuditUnavailableError, SigningRefusedError
from mcpbridge.audit.export.source import known_workspaces
from mcpbridge.audit.retention import PruneInProgressError, UndeliveredRowsError, prune_audit_log
from mcpbridge.management.arguments import instant
from mcpbridge.management.progress import ProgressLine

_REFUSALS = (
    ArchiveError,
    AuditUnavailableError,
    PruneInProgressError,
    UndeliveredRowsError,
    SigningRefusedError,
    ValueError,
)


class Command(BaseCommand):
    _stage: tuple[str, int] | None = None
    _done = 0
    help = (
        "Remove audit rows recorded before a date. They are first exported as verifiable JSON Lines; a signed cut takes"
        " their place, so that the rest still verifies. The pruning is recorded in the audit log."
    )

    def add_arguments(self, parser: CommandParser) -> None:
        parser.add_argument("--before", required=True, type=instant, help="a date or instant (ISO 8601, UTC)")
        parser.add_argument("--workspace", help="prune this workspace only")
        parser.add_argument("--export-to", required=True, type=Path, help="the folder for the archive files")
        parser.add_argument(
            "--include-undelivered",
            action="store_true",
            help="also remove rows not yet delivered to log destinations (they never get these rows)",
        )

    def _show(self, stage: str, done: int, total: int) -> None:
        """Show one progress line for each stage of a workspace: rows written, then rows removed."""
        if self._stage != (stage, total) or done < self._done:
            self._stage, self._line = (stage, total), ProgressLine(self.stderr, what=f"rows {stage}", total=total)
        self._done = done
        self._line(done)

    def handle(self, *args: Any, **options: Any) -> None:
        known = known_workspaces()
        wanted = [options["workspace"]] if options["workspace"] else known
        if not set(wanted) <= set(known):
            raise CommandError(f"Unknown workspace {wanted[0]}. Known workspaces: {', '.join(known) or 'none'}.")
        for org_id in wanted:
            try:
                self._prune(org_id, options)
            except _REFUSALS as error:
                raise CommandError(f"{org_id}: nothing was removed. {error}") from None
            except Error as error:
                raise CommandError(f"{org_id}: stopped by a database error; run it again later. {error}") from None

    def _prune(self, org_id: str, options: dict[str, Any]) -> None:
        pruned = prune_audit_log(
            org_id=org_id,
            before=options["before"],
            export_to=options["export_to"].resolve(),
            actor=operator(),
            include_undelivered=options["include_undelivered"],
            progress=self._show if self.stderr.isatty() else None,
        )
        if pruned is None:
            self.stdout.write(f"{org_id}: no rows are older than this date.")
            return
        self.stdout.write(f"{org_id}: {pruned.rows:,} rows up to row {pruned.sequence} removed.")
        self.stdout.write(f"  {pruned.archive.path}\n  SHA-256 {pruned.archive.sha256}")
        if pruned.unresolved:
            self.stdout.write(f"  {pruned.unresolved} of them had unresolved outcomes.")
        if pruned.destinations_behind:
            self.stdout.write(f"  Not delivered to all log destinations: {', '.join(pruned.destinations_behind)}.")
