"""Tell the log destinations of a workspace that its audit log contradicts the anchor of this node.

Sent beside the batches, because the rows can no longer be trusted. Best effort: an attacker who can
change the database can silence destinations.
"""

import logging
import time

from django.conf import settings
from django.db import router
from django.utils import timezone

from mcpbridge.audit.anchors.faults import AnchorFault
from mcpbridge.audit.anchors.memory import node_anchors
from mcpbridge.audit.destinations.errors import DestinationError
from mcpbridge.audit.destinations.transports.factory import send_alarm
from mcpbridge.db.timeouts import bounded_read
from mcpbridge.models.destinations import LogDestination
from mcpbridge.workers import Attempts, PeriodicWorker

logger = logging.getLogger(__name__)

_LOOK_EVERY_S = 2.0
_AGAIN_S = 60.0
_LIMIT_S = 5.0


class AlarmSender:
    """Sends each finding of this process to each destination once, and tries again after a failure."""

    def __init__(self) -> None:
        self._alias = router.db_for_write(LogDestination)
        self._next_try: dict[tuple[AnchorFault, int], float] = {}
        self._worker = PeriodicWorker(
            "audit-alarms",
            self.send,
            attempts=Attempts("audit-alarms", title="Alarms about the audit log", every_s=_LOOK_EVERY_S),
            alias=self._alias,
            limit_s=_LIMIT_S,
        )

    def start(self) -> None:
        """Start the thread."""
        self._worker.start()

    async def stop(self) -> None:
        """Stop the thread after the alarm that is being sent."""
        await self._worker.stop(within_s=2 * _LIMIT_S)

    def send(self) -> None:
        """Send what has not been sent yet."""
        for fault in node_anchors().faults:
            with bounded_read(self._alias, limit_s=_LIMIT_S):
                live = LogDestination.objects.using(self._alias).live()
                destinations = list(live.filter(org_id=fault.workspace, is_paused=False))
            for destination in destinations:
                self._send(fault, destination)

    def _send(self, fault: AnchorFault, destination: LogDestination) -> None:
        key, now = (fault, destination.pk), time.monotonic()
        if self._next_try.get(key, 0.0) > now:
            return
        try:
            send_alarm(destination, fault, now=timezone.now(), limit_s=settings.LOG_DESTINATION_TIMEOUT_S)
        except DestinationError as error:
            self._next_try[key] = now + _AGAIN_S
            logger.error("The alarm did not reach log destination %s: %s", destination.pk, error)
        else:
            self._next_try[key] = float("inf")
