"""Prints a link to a new password for somebody who forgot theirs, where no mail can carry one."""

from typing import Any

from django.conf import settings
from django.core.management.base import BaseCommand, CommandError, CommandParser
from django.db import transaction

from hoursmith_console.accounts.addresses import account_with
from hoursmith_console.accounts.sign_ins import record_account_event
from hoursmith_console.workspaces.invitation_views import recovery_path
from mcpbridge.audit.console_events import operator
from mcpbridge.audit.writer import AuditUnavailableError


class Command(BaseCommand):
    help = (
        "Print a one-time link that sets a new password for an account, in every workspace that it opens. Make sure "
        "first that its user asks, and hand the link to them alone. It does not get past a second factor."
    )

    def add_arguments(self, parser: CommandParser) -> None:
        parser.add_argument("--email", required=True, help="The account's e-mail address.")

    def handle(self, *args: Any, **options: Any) -> None:
        user = account_with(options["email"])
        if user is None:
            raise CommandError(f"There is no account with the address {options['email']}.")
        try:
            with transaction.atomic():
                record_account_event(user=user, action="console.password_reset_link", address="", actor=operator())
        except AuditUnavailableError as error:
            raise CommandError(str(error)) from None
        self.stdout.write(f"{settings.PUBLIC_URL}{recovery_path(user=user)}")
