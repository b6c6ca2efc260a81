"""Send traces to an OpenTelemetry collector. Off, with the SDK not even loaded, unless one is configured."""

import asyncio
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from mcpbridge.observability.telemetry.exporter import Sending


class Telemetry:
    """The tracing of one process. Start it after forking and before everything else; stop it last."""

    def __init__(self, *, is_wanted: bool, version: str) -> None:
        self._is_wanted = is_wanted
        self._version = version
        self._sending: Sending | None = None

    def start(self) -> None:
        """Start sending, if traces are wanted."""
        if self._is_wanted:
            from mcpbridge.observability.telemetry.exporter import Sending

            self._sending = Sending(version=self._version)

    async def stop(self) -> None:
        """Send what is left, for at most a second."""
        if self._sending is not None:
            await asyncio.to_thread(self._sending.stop)
