"""Removes old rows from the audit record, once they are safe elsewhere."""

from pathlib import Path
from typing import Any

from django.core.management.base import BaseCommand, CommandError, CommandParser
from django.db import Error

from mcpbridge.audit.archive import ArchiveError
from mcpbridge.audit.console_events import operator
from mcpbridge.audit.export.source import known_workspaces
from mcpbridge.audit.keyring import UnannouncedKeyError
from mcpbridge.audit.retention import PruneUnderwayError, SinksBehindError, audit_prune
from mcpbridge.audit.writer import AuditUnavailableError
from mcpbridge.management.arguments import instant
from mcpbridge.management.progress import ProgressLine

_REFUSALS = (
    ArchiveError,
    AuditUnavailableError,
    PruneUnderwayError,
    SinksBehindError,
    UnannouncedKeyError,
    ValueError,
)


class Command(BaseCommand):
    _stage: tuple[str, int] | None = None
    _done = 0
    help = (
        "Remove the rows that were made before a date. They are exported first, as JSON Lines that can be verified; a"
        " signed cut stays in their place, so that the rest still verifies; and the pruning is itself recorded."
    )

    def add_arguments(self, parser: CommandParser) -> None:
        parser.add_argument("--before", required=True, type=instant, help="a date or instant (ISO 8601, UTC)")
        parser.add_argument("--workspace", help="this workspace alone")
        parser.add_argument("--export-to", required=True, type=Path, help="the folder that keeps what is removed")
        parser.add_argument(
            "--despite-sinks", action="store_true", help="remove also what a sink has not confirmed; it then misses it"
        )

    def _show(self, stage: str, done: int, total: int) -> None:
        """One line for each stage of a workspace: rows written to the file, then rows removed."""
        if self._stage != (stage, total) or done < self._done:
            self._stage, self._line = (stage, total), ProgressLine(self.stderr, what=f"rows {stage}", total=total)
        self._done = done
        self._line(done)

    def handle(self, *args: Any, **options: Any) -> None:
        known = known_workspaces()
        wanted = [options["workspace"]] if options["workspace"] else known
        if not set(wanted) <= set(known):
            raise CommandError(f"Nothing is known of a workspace {wanted[0]}. Known: {', '.join(known) or 'none'}.")
        for org_id in wanted:
            try:
                self._prune(org_id, options)
            except _REFUSALS as error:
                raise CommandError(f"{org_id}: nothing was removed. {error}") from None
            except Error as error:
                raise CommandError(f"{org_id}: stopped by the database; run it again later. {error}") from None

    def _prune(self, org_id: str, options: dict[str, Any]) -> None:
        pruned = audit_prune(
            org_id=org_id,
            before=options["before"],
            export_to=options["export_to"].resolve(),
            actor=operator(),
            despite_sinks=options["despite_sinks"],
            progress=self._show if self.stderr.isatty() else None,
        )
        if pruned is None:
            self.stdout.write(f"{org_id}: no rows are that old.")
            return
        self.stdout.write(f"{org_id}: {pruned.rows:,} rows up to row {pruned.sequence} removed.")
        self.stdout.write(f"  {pruned.archive.path}\n  SHA-256 {pruned.archive.sha256}")
        if pruned.unresolved:
            self.stdout.write(f"  {pruned.unresolved} of them told of calls whose outcome nobody had settled.")
        if pruned.sinks_behind:
            self.stdout.write(f"  These sinks had not confirmed all of them: {', '.join(pruned.sinks_behind)}.")
