"""`manage.py play_demo [--again] [--brief]`."""

from typing import Any

from django.conf import settings
from django.core.management import call_command
from django.core.management.base import CommandError, CommandParser

from hoursmith_console.demo.services import BRIEF, DemoRefusedError, claim_run, play_in_foreground
from hoursmith_console.sandbox.management.sandbox_command import SandboxCommand


class Command(SandboxCommand):
    help = "Play two weeks of assistants' work in the sandbox, so that every page has something to show."

    def add_arguments(self, parser: CommandParser) -> None:
        parser.add_argument("--again", action="store_true", help="also if the workspace has activity already")
        parser.add_argument(BRIEF, action="store_true", help="one working day, and all that is out of the ordinary")

    def handle(self, *args: Any, **options: Any) -> None:
        for alias in settings.DATABASES:
            call_command("migrate", database=alias, verbosity=0, interactive=False)
        try:
            claim_run(again=options["again"])
        except DemoRefusedError as error:
            raise CommandError(str(error)) from None
        call_command("sandbox_seed", stdout=self.stdout)
        self.stdout.write("\nPlaying two weeks of assistants' work …")
        self.stdout.flush()
        if play_in_foreground(is_brief=options["brief"]):
            raise CommandError("The demo ended early.")
        self.stdout.write(f"Done. See it at {settings.PUBLIC_URL}/")
