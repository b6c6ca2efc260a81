"""Create a signing key for the audit log, or announce the next one."""

import os
import secrets
from typing import Any

from django.core.management.base import BaseCommand, CommandError, CommandParser

from mcpbridge.audit.console_events import operator
from mcpbridge.audit.errors import AuditUnavailableError, SigningRefusedError
from mcpbridge.audit.keyring import announce_key

NEW = "AUDIT_SIGNING_KEY_NEW"


class Command(BaseCommand):
    help = (
        "Print a new value for AUDIT_SIGNING_KEY on stdout. With --rotate, the current key announces it, so that"
        " verifiers accept the change; then set the new value and restart. You can provide your own value in"
        f" {NEW}; then nothing is printed on stdout."
    )

    def add_arguments(self, parser: CommandParser) -> None:
        parser.add_argument("--rotate", action="store_true", help="announce the new key with the current key")

    def handle(self, *args: Any, **options: Any) -> None:
        if not options["rotate"]:
            self.stdout.write(_fresh())
            return
        # Removed from the environment, so that no child process or crash report inherits it.
        given = os.environ.pop(NEW, "")
        text = given or _fresh()
        if not given:
            # Printed before the announcement: an announced key that was not shown would be lost.
            self.stdout.write(text)
            self.stdout.flush()
        try:
            key = announce_key(text=text, actor=operator())
        except (SigningRefusedError, AuditUnavailableError, ValueError) as error:
            raise CommandError(f"Nothing was announced: {error}") from None
        self.stderr.write(f"The key {key.key_id} is announced. Set AUDIT_SIGNING_KEY to the new value and restart.")


def _fresh() -> str:
    return secrets.token_urlsafe(48)
