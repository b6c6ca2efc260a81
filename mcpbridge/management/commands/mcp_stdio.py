"""Serve MCP over standard input and output."""

import asyncio
import gc
import os
from typing import Any

from django.conf import settings
from django.core.asgi import get_asgi_application
from django.core.management.base import BaseCommand, CommandError, CommandParser

from mcpbridge import __version__
from mcpbridge.activity.connections import is_connection_id
from mcpbridge.app import Bridge
from mcpbridge.auth.credentials import credential_from_text
from mcpbridge.core.credential import CredentialError
from mcpbridge.observability.telemetry import Telemetry
from mcpbridge.stdio.server import serve
from mcpbridge.upstream.config import upstream_from_settings


class Command(BaseCommand):
    help = (
        "Serve the 31 Hoursmith tools over stdio. The token comes from HOURSMITH_API_TOKEN; "
        "standard output carries the protocol alone, logs go to standard error."
    )
    requires_system_checks: list[str] = []

    def add_arguments(self, parser: CommandParser) -> None:
        parser.add_argument("--readonly", action="store_true", help="Serve the read tools only.")
        parser.add_argument(
            "--connection",
            default=os.environ.get("HOURSMITH_CONNECTION", ""),
            metavar="ID",
            help="The connection's id, as in /mcp/c/ID, so that the console shows the calls there "
            "(default: HOURSMITH_CONNECTION).",
        )

    def handle(self, *args: Any, **options: Any) -> None:
        try:
            # Taken out of the environment, so that no child process and no crash report can inherit it.
            credential = credential_from_text(os.environ.pop("HOURSMITH_API_TOKEN", ""))
        except CredentialError as fault:
            raise CommandError(f"HOURSMITH_API_TOKEN: {fault.explanation}") from None
        if options["connection"] and not is_connection_id(options["connection"]):
            raise CommandError("--connection takes the id alone: up to 40 letters, digits, hyphens and underscores.")
        asyncio.run(_serve(credential, read_only=options["readonly"], connection=options["connection"]))


async def _serve(credential: Any, *, read_only: bool, connection: str) -> None:
    # `manage.py` stopped the collector for the time of loading; what is loaded by now stays.
    gc.freeze()
    gc.enable()
    telemetry = Telemetry(is_wanted=settings.TRACES, version=__version__)
    telemetry.start()
    try:
        bridge = Bridge(upstream_from_settings(get_asgi_application()))
        await serve(bridge, credential, read_only=read_only, connection=connection)
    finally:
        await telemetry.stop()
