"""Base of the sandbox commands, which refuse to run in hosted mode."""

from typing import Any

from django.conf import settings
from django.core.management.base import BaseCommand, CommandError
from django.db import OperationalError, ProgrammingError

from hoursmith_console.sandbox.models import Organization
from hoursmith_console.sandbox.seed.workspace import demo_workspace


class SandboxCommand(BaseCommand):
    """A command on the embedded workspace."""

    def execute(self, *args: Any, **options: Any) -> str | None:
        if not settings.SANDBOX_MODE:
            raise CommandError("There is no sandbox while HOURSMITH_API_URL is set. Unset it to use the sandbox.")
        return super().execute(*args, **options)


def existing_workspace() -> Organization:
    """Return the demo workspace. Raises CommandError if it does not exist yet."""
    try:
        org = demo_workspace()
    except (OperationalError, ProgrammingError):
        org = None
    if org is None:
        raise CommandError(f"There is no sandbox workspace yet. Run `{settings.MANAGE_COMMAND} sandbox_seed` first.")
    return org
