"""Makes a signing key for the audit record, or announces the next one."""

import os
import secrets
from typing import Any

from django.core.management.base import BaseCommand, CommandError, CommandParser

from mcpbridge.audit.console_events import operator
from mcpbridge.audit.errors import AuditUnavailableError
from mcpbridge.audit.keyring import UnannouncedKeyError, announce_key

NEW = "AUDIT_SIGNING_KEY_NEW"


class Command(BaseCommand):
    help = (
        "Print a fresh text for AUDIT_SIGNING_KEY, alone on stdout. With --rotate the key in use announces it first, so"
        " that verifiers follow the change; then set the new text and restart. A text of your own may be given in"
        f" {NEW}; then nothing is printed on stdout."
    )

    def add_arguments(self, parser: CommandParser) -> None:
        parser.add_argument("--rotate", action="store_true", help="let the key in use announce the new one")

    def handle(self, *args: Any, **options: Any) -> None:
        if not options["rotate"]:
            self.stdout.write(_fresh())
            return
        # Taken out of the environment, so that no child process and no crash report can inherit it.
        given = os.environ.pop(NEW, "")
        text = given or _fresh()
        if not given:
            # Before the announcement: a key that was announced but never seen could not be used.
            self.stdout.write(text)
            self.stdout.flush()
        try:
            key = announce_key(text=text, actor=operator())
        except (UnannouncedKeyError, AuditUnavailableError, ValueError) as error:
            raise CommandError(f"Nothing was announced: {error}") from None
        self.stderr.write(f"The key {key.key_id} is announced. Set AUDIT_SIGNING_KEY to the new text and restart.")


def _fresh() -> str:
    return secrets.token_urlsafe(48)
