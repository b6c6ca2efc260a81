"""Delete old calls from the activity log."""

from typing import Any

from django.core.management.base import BaseCommand, CommandError, CommandParser
from django.db import Error

from mcpbridge.activity.retention import prune_activity
from mcpbridge.audit.console_events import operator
from mcpbridge.audit.errors import AuditUnavailableError
from mcpbridge.management.arguments import instant


class Command(BaseCommand):
    help = (
        "Delete calls from before a date from the activity log of all workspaces. The audit log keeps destructive"
        " calls, and records this deletion."
    )

    def add_arguments(self, parser: CommandParser) -> None:
        parser.add_argument("--before", required=True, type=instant, help="a date or instant (ISO 8601, UTC)")

    def handle(self, *args: Any, **options: Any) -> None:
        try:
            pruned = prune_activity(before=options["before"], actor=operator())
        except (AuditUnavailableError, ValueError) as error:
            raise CommandError(f"Nothing was removed. {error}") from None
        except Error as error:
            raise CommandError(f"Stopped by a database error; run it again later. {error}") from None
        if pruned.parts:
            self.stdout.write(f"{pruned.parts} monthly partitions dropped.")
        self.stdout.write(f"{pruned.rows:,} calls removed.")
