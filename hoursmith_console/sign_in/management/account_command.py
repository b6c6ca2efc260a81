"""Base of the commands that change one account and record it."""

from typing import Any

from django.contrib.auth.models import User
from django.core.management.base import BaseCommand, CommandError, CommandParser
from django.db import transaction

from hoursmith_console.accounts.addresses import find_account
from hoursmith_console.workspaces.account_events import record_account_event
from mcpbridge.audit.console_events import operator
from mcpbridge.audit.errors import AuditUnavailableError


class AccountCommand(BaseCommand):
    """Apply `change` to the account that --email names, and record it as `action`, in one transaction."""

    action: str

    def add_arguments(self, parser: CommandParser) -> None:
        parser.add_argument("--email", required=True, help="Email address of the account.")

    def handle(self, *args: Any, **options: Any) -> None:
        user = find_account(options["email"])
        if user is None:
            raise CommandError(f"No account has the address {options['email']}.")
        try:
            with transaction.atomic():
                done = self.change(user)
                record_account_event(user=user, action=self.action, address="", actor=operator())
        except AuditUnavailableError as error:
            raise CommandError(str(error)) from None
        self.stdout.write(done)

    def change(self, user: User) -> str:
        """Change the account and return what to print once that is recorded."""
        raise NotImplementedError
