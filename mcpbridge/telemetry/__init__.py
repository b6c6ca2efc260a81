"""Traces and metrics for a collector, by OpenTelemetry; off, and its SDK not even loaded, unless one is named."""

import asyncio
from collections.abc import Iterable
from typing import TYPE_CHECKING, Protocol

from mcpbridge.telemetry.wanted import Signals

if TYPE_CHECKING:
    # Loaded no sooner than where it counts is decided.
    from prometheus_client import Metric

    from mcpbridge.telemetry.sending import Sending


class Standing(Protocol):
    """Tells, in gauges, what is the same whichever process is asked."""

    def describe(self) -> "Iterable[Metric]": ...

    def collect(self) -> "Iterable[Metric]": ...


class Telemetry:
    """What one process sends to a collector. Start it after forking and before all else; stop it last."""

    def __init__(self, signals: Signals, *, version: str, standing: Standing | None = None) -> None:
        self._signals = signals
        self._version = version
        self._standing = standing
        self._sending: Sending | None = None

    def start(self) -> None:
        """Begin to send, where anything is wanted."""
        if self._signals:
            from mcpbridge.telemetry.sending import Sending

            self._sending = Sending(self._signals, version=self._version, standing=self._standing)

    async def stop(self) -> None:
        """Send what is left, for a second at most."""
        if self._sending is not None:
            await asyncio.to_thread(self._sending.stop)
