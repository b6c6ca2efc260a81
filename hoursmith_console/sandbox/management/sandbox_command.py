"""What the sandbox commands share: they refuse in hosted mode, and where there is no workspace yet."""

from typing import Any

from django.conf import settings
from django.core.management.base import BaseCommand, CommandError
from django.db import OperationalError, ProgrammingError

from hoursmith_console.sandbox.models import Organization
from hoursmith_console.sandbox.seed.workspace import demo_workspace


class SandboxCommand(BaseCommand):
    """A command about the embedded workspace."""

    def execute(self, *args: Any, **options: Any) -> str | None:
        if not settings.SANDBOX_MODE:
            raise CommandError(
                "HOURSMITH_API_URL is set, so there is no sandbox workspace here. Unset it to use the sandbox."
            )
        return super().execute(*args, **options)


def existing_workspace() -> Organization:
    """The demo workspace; raises CommandError where it was not made yet."""
    try:
        org = demo_workspace()
    except (OperationalError, ProgrammingError):
        org = None
    if org is None:
        raise CommandError("There is no sandbox workspace yet. Run `manage.py sandbox_seed` first.")
    return org
