"""Export the audit log to standard output."""

import os
import sys
from collections.abc import Callable
from typing import Any, BinaryIO, cast

from django.conf import settings
from django.core.management.base import BaseCommand, CommandError, CommandParser
from django.db import Error

from mcpbridge.audit.checkpoints import make_checkpoints
from mcpbridge.audit.console_events import operator, record_event
from mcpbridge.audit.errors import AuditUnavailableError, SigningRefusedError
from mcpbridge.audit.export.formats import FORMATS
from mcpbridge.audit.export.source import Selection, alias, known_workspaces, workspaces_of
from mcpbridge.db.timeouts import bounded_read
from mcpbridge.management.arguments import instant
from mcpbridge.management.progress import progress_line

UNUSABLE = 2


class Command(BaseCommand):
    help = (
        "Export the audit log to standard output; the export is recorded in the audit log first. JSON Lines without "
        "--since, --until and --tool can be verified completely, by `audit_verify --export` or docs/verify_audit.py."
    )
    requires_system_checks: list[str] = []

    def add_arguments(self, parser: CommandParser) -> None:
        parser.add_argument("--format", choices=FORMATS, required=True)
        parser.add_argument("--workspace", help="Export this workspace only.")
        parser.add_argument(
            "--since", type=instant, help="Rows recorded at or after this date or instant (ISO 8601, UTC)."
        )
        parser.add_argument("--until", type=instant, help="Rows recorded before this date or instant.")
        parser.add_argument("--tool", default="", help="Rows of this tool only, such as delete_client.")

    def handle(self, *args: Any, **options: Any) -> None:
        selection = Selection(
            workspace=options["workspace"], since=options["since"], until=options["until"], tool=options["tool"]
        )
        if selection.workspace is not None and selection.workspace not in _looked_up(known_workspaces):
            raise CommandError(f"Unknown workspace {selection.workspace}.", returncode=UNUSABLE)
        self._record(selection, options["format"])
        total = selection.events().count() if self.stderr.isatty() else 0
        progress = progress_line(self.stderr, total=total)
        try:
            for number, line in enumerate(FORMATS[options["format"]].lines(selection), start=1):
                self._write(line)
                # Some formats have other lines besides rows.
                if progress and number <= total:
                    progress(number)
            self.stdout.flush()
        except BrokenPipeError:
            # The reader closed the pipe. Without this, Python reports the error again when it closes stdout.
            os.dup2(os.open(os.devnull, os.O_WRONLY), sys.stdout.fileno())

    def _record(self, selection: Selection, format_name: str) -> None:
        """Record the export, and sign the chains so that the export ends with a checkpoint."""
        for workspace in _looked_up(lambda: workspaces_of(selection)):
            details = {"format": format_name, **selection.filters}
            try:
                record_event(
                    org_id=workspace,
                    action="console.export",
                    actor=operator(),
                    target_type="audit_record",
                    details=details,
                )
            except AuditUnavailableError as error:
                raise CommandError(f"Nothing was exported, because the export could not be recorded: {error}") from None
        try:
            make_checkpoints(reason="demand", org_id=selection.workspace)
        except SigningRefusedError as error:
            self.stderr.write(f"The last rows are not signed. {error}")

    def _write(self, line: bytes) -> None:
        binary = getattr(self.stdout, "buffer", None)
        if binary is not None:
            cast(BinaryIO, binary).write(line)
        else:
            self.stdout.write(line.decode(), ending="")


def _looked_up(names: Callable[[], list[str]]) -> list[str]:
    """Return the names of workspaces. Raises CommandError if the database does not answer in time."""
    try:
        with bounded_read(alias(), limit_s=settings.AUDIT_WRITE_TIMEOUT_MS / 1000):
            return names()
    except Error as error:
        raise CommandError(f"Nothing was exported, because the audit log cannot be read now: {error}") from None
