"""Traces for a collector, by OpenTelemetry; off, and its SDK not even loaded, unless one is named."""

import asyncio
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from mcpbridge.observability.telemetry.exporter import Sending


class Telemetry:
    """What one process sends to a collector. Start it after forking and before all else; stop it last."""

    def __init__(self, *, is_wanted: bool, version: str) -> None:
        self._is_wanted = is_wanted
        self._version = version
        self._sending: Sending | None = None

    def start(self) -> None:
        """Begin to send, where traces are wanted."""
        if self._is_wanted:
            from mcpbridge.observability.telemetry.exporter import Sending

            self._sending = Sending(version=self._version)

    async def stop(self) -> None:
        """Send what is left, for a second at most."""
        if self._sending is not None:
            await asyncio.to_thread(self._sending.stop)
