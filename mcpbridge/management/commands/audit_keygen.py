"""Create a signing key for the audit log, announce the next one, or replace one that was lost."""

import os
import secrets
import sys
from collections.abc import Callable
from getpass import getpass
from typing import Any

from django.core.management.base import BaseCommand, CommandError, CommandParser

from mcpbridge.audit.console_events import operator
from mcpbridge.audit.epochs.acceptance import RestoreRefusedError
from mcpbridge.audit.epochs.keys import announce_recovery_key, recover_key, replace_lost_key
from mcpbridge.audit.errors import AuditUnavailableError, SigningRefusedError
from mcpbridge.audit.keyring import announce_key
from mcpbridge.audit.signing import SigningKeyPair, configured_key
from mcpbridge.audit.verification.announcements import fingerprint_of

NEW = "AUDIT_SIGNING_KEY_NEW"
RECOVERY = "AUDIT_RECOVERY_KEY"
_REFUSALS = (RestoreRefusedError, SigningRefusedError, AuditUnavailableError, ValueError, OSError)


class Command(BaseCommand):
    help = (
        "Print a new value for AUDIT_SIGNING_KEY on stdout. With --rotate, the current key announces it, so that"
        " verifiers accept the change; then set the new value and restart. You can provide your own value in"
        f" {NEW}; then nothing is printed on stdout. With --recovery, print a recovery key once, which the current key"
        " announces: keep it in a safe. When AUDIT_SIGNING_KEY was lost, set a new value and run --recover, which reads"
        f" the recovery key from {RECOVERY} or stdin; or, without one, --lost."
    )

    def add_arguments(self, parser: CommandParser) -> None:
        what = parser.add_mutually_exclusive_group()
        what.add_argument("--rotate", action="store_true", help="announce the new key with the current key")
        what.add_argument("--recovery", action="store_true", help="create and announce a recovery key, once")
        what.add_argument(
            "--recover", action="store_true", help="announce the key in AUDIT_SIGNING_KEY with the recovery key"
        )
        what.add_argument(
            "--lost",
            action="store_true",
            help="state that the key was lost, and continue every log in a new epoch with the key in AUDIT_SIGNING_KEY",
        )
        parser.add_argument("--reason", default="", help="with --lost: what happened; it is signed")

    def handle(self, *args: Any, **options: Any) -> None:
        try:
            if options["rotate"]:
                self._announce(
                    announce_key, "The key {} is announced. Set AUDIT_SIGNING_KEY to the new value and restart."
                )
            elif options["recovery"]:
                self._announce(
                    announce_recovery_key, "The recovery key {} is announced. Keep it apart from this machine."
                )
            elif options["recover"]:
                key = recover_key(text=_recovery_key(), actor=operator())
                self.stderr.write(f"The key {key.key_id} is announced. Restart every process.")
            elif options["lost"]:
                self._replace(options["reason"])
            else:
                self.stdout.write(_fresh())
        except _REFUSALS as error:
            raise CommandError(f"Nothing was announced: {error}") from None

    def _announce(self, announce: Callable[..., SigningKeyPair], said: str) -> None:
        # Removed from the environment, so that no child process or crash report inherits it.
        given = os.environ.pop(NEW, "")
        text = given or _fresh()
        if not given:
            # Printed before the announcement: an announced key that was not shown would be lost.
            self.stdout.write(text)
            self.stdout.flush()
        self.stderr.write(said.format(announce(text=text, actor=operator()).key_id))

    def _replace(self, reason: str) -> None:
        for statement in replace_lost_key(reason=reason, actor=operator()):
            self.stdout.write(
                f"{statement.origin.workspace}: epoch {statement.to.epoch} begins after row {statement.kept.sequence}."
            )
        self.stderr.write("Logs of format 1, and logs without an anchor here, continue with audit_anchor --adopt.")
        fingerprint = fingerprint_of(configured_key().public_key)
        self.stderr.write(f"Restart every process, and give verifiers the new fingerprint: {fingerprint}")


def _recovery_key() -> str:
    return (
        os.environ.pop(RECOVERY, "")
        or (getpass("Recovery key: ") if sys.stdin.isatty() else sys.stdin.readline()).strip()
    )


def _fresh() -> str:
    return secrets.token_urlsafe(48)
