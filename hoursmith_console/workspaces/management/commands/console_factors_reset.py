"""Takes the second factors off an account whose person has lost them all."""

from typing import Any

from allauth.mfa.models import Authenticator
from django.core.management.base import BaseCommand, CommandError, CommandParser
from django.db import transaction

from hoursmith_console.accounts.addresses import account_with
from hoursmith_console.accounts.services import sessions_end
from hoursmith_console.accounts.sign_ins import record_account_event
from mcpbridge.audit.console_events import operator
from mcpbridge.audit.writer import AuditUnavailableError


class Command(BaseCommand):
    help = "Remove every second factor of an account and end its sessions. Make sure first that it is they who ask."

    def add_arguments(self, parser: CommandParser) -> None:
        parser.add_argument("--email", required=True, help="The account's e-mail address.")

    def handle(self, *args: Any, **options: Any) -> None:
        user = account_with(options["email"])
        if user is None:
            raise CommandError(f"There is no account with the address {options['email']}.")
        try:
            with transaction.atomic():
                removed, _ = Authenticator.objects.filter(user=user).delete()
                sessions_end(user=user)
                record_account_event(user=user, action="console.factors_reset", address="", actor=operator())
        except AuditUnavailableError as error:
            raise CommandError(str(error)) from None
        self.stdout.write(f"{removed} second factors removed; the password stays.")
