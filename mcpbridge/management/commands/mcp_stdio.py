"""Serves MCP over standard input and output."""

import asyncio
import os
from typing import Any

from django.core.asgi import get_asgi_application
from django.core.management.base import BaseCommand, CommandError, CommandParser

from mcpbridge.bridge import Bridge, configured_upstream
from mcpbridge.credentials import CredentialFaultError, credential_from_text
from mcpbridge.stdio import serve


class Command(BaseCommand):
    help = (
        "Serve the 31 Hoursmith tools over stdio. The token comes from HOURSMITH_API_TOKEN; "
        "standard output carries the protocol alone, logs go to standard error."
    )
    requires_system_checks: list[str] = []

    def add_arguments(self, parser: CommandParser) -> None:
        parser.add_argument("--readonly", action="store_true", help="Serve the read tools only.")

    def handle(self, *args: Any, **options: Any) -> None:
        try:
            # Taken out of the environment, so that no child process and no crash report can inherit it.
            credential = credential_from_text(os.environ.pop("HOURSMITH_API_TOKEN", ""))
        except CredentialFaultError as fault:
            raise CommandError(f"HOURSMITH_API_TOKEN: {fault.explanation}") from None
        asyncio.run(_serve(credential, read_only=options["readonly"]))


async def _serve(credential: Any, *, read_only: bool) -> None:
    await serve(Bridge(configured_upstream(get_asgi_application())), credential, read_only=read_only)
