"""Send deliveries at least once: reserve one in the database, send it outside of any transaction, note the result.

Only one process has a delivery reserved. If that process dies, the reservation expires and another sends it, possibly
for the second time. Failed attempts are repeated with growing pauses for a day; then the delivery has failed.
"""

import logging
import time
from collections.abc import Callable
from datetime import datetime, timedelta

from django.conf import settings
from django.db.models import F, Q, QuerySet
from django.utils import timezone

from hoursmith_console.alerts.channels import send
from hoursmith_console.alerts.messages.content import message_of
from hoursmith_console.alerts.models import ERROR_LENGTH, Alert, AlertChannel, AlertDelivery, AlertRule, DeliveryState
from mcpbridge.audit.destinations.errors import DestinationError, UndeliveredError
from mcpbridge.observability import metrics
from mcpbridge.redaction.masking import redact

logger = logging.getLogger(__name__)

FIRST_PAUSE = timedelta(seconds=30)
LONGEST_PAUSE = timedelta(hours=1)
# A delivery that was not accepted for so long has failed.
GIVEN_UP_AFTER = timedelta(hours=24)
# Longer than any attempt: a look-up, a connection and every recipient of an email.
RESERVED_FOR = timedelta(minutes=5)
_MOST_A_ROUND = 50
_ROUND_S = 5.0
KEPT_FOR = timedelta(days=90)
MOST_KEPT = 5_000
_DELETED_AT_ONCE = 500


def send_due_deliveries(now: Callable[[], datetime] = timezone.now) -> int:
    """Send what is due, new deliveries first, for a few seconds; return how many were sent."""
    sent, until = 0, time.monotonic() + _ROUND_S
    failing: set[int | None] = set()
    for key, channel in list(_due(now()).values_list("pk", "channel_id")[:_MOST_A_ROUND]):
        # A channel that hangs must not delay the others once for each of its deliveries.
        if channel in failing or time.monotonic() > until:
            continue
        is_sent = send_one(key, now)
        sent += is_sent is True
        if is_sent is False:
            failing.add(channel)
    return sent


def send_one(key: int, now: Callable[[], datetime] = timezone.now) -> bool | None:
    """Send one delivery if it is due and not reserved; return whether it was accepted, None if it was not tried."""
    begin = now()
    if not _due(begin).filter(pk=key).update(reserved_until=begin + RESERVED_FOR, attempts=F("attempts") + 1):
        return None
    delivery = AlertDelivery.objects.select_related("workspace", "channel", "rule", "alert").get(pk=key)
    if delivery.channel is None or delivery.rule is None:
        _end(delivery, DeliveryState.CANCELLED, now(), "The rule or the channel was deleted.")
        return None
    fault = try_to_send(delivery, delivery.rule, delivery.channel, now(), limit_s=settings.LOG_DESTINATION_TIMEOUT_S)
    if fault is None:
        _end(delivery, DeliveryState.SENT, now(), "")
        metrics.alerts_sent.inc()
        return True
    _failed(delivery, fault, now())
    return False


def try_to_send(
    delivery: AlertDelivery, rule: AlertRule, channel: AlertChannel, now: datetime, *, limit_s: float
) -> DestinationError | None:
    """Send the delivery and return why it was not accepted, if it was not."""
    try:
        send(channel, message_of(delivery, rule), now=now, limit_s=limit_s)
    except DestinationError as error:
        return error
    except Exception as error:
        # Any other fault must be shown and retried too, or the reservation would only expire.
        logger.exception("Alert delivery %s failed unexpectedly.", delivery.pk)
        return UndeliveredError(f"The delivery failed unexpectedly ({type(error).__name__}). See the console’s log.")
    return None


def _due(now: datetime) -> QuerySet[AlertDelivery]:
    is_free = Q(reserved_until=None) | Q(reserved_until__lte=now)
    waiting = AlertDelivery.objects.filter(is_free, state=DeliveryState.WAITING, next_attempt_at__lte=now)
    return waiting.order_by("attempts", "next_attempt_at", "pk")


def _mine(delivery: AlertDelivery) -> QuerySet[AlertDelivery]:
    """Return the row unless it ended or another process reserved it after this one was slow."""
    return AlertDelivery.objects.filter(
        pk=delivery.pk, state=DeliveryState.WAITING, reserved_until=delivery.reserved_until
    )


def _end(delivery: AlertDelivery, state: DeliveryState, now: datetime, fault: str) -> None:
    ended = {"state": state, "ended_at": now, "reserved_until": None, "next_attempt_at": None, "last_error": fault}
    _mine(delivery).update(**ended)


def _failed(delivery: AlertDelivery, error: DestinationError, now: datetime) -> None:
    fault = redact(str(error))[:ERROR_LENGTH]
    pause = min(FIRST_PAUSE * 2 ** min(delivery.attempts - 1, 10), LONGEST_PAUSE)
    not_before = error.not_before if isinstance(error, UndeliveredError) else None
    next_attempt = max(now + pause, min(not_before, now + LONGEST_PAUSE) if not_before else now)
    if next_attempt > delivery.created_at + GIVEN_UP_AFTER:
        _end(delivery, DeliveryState.FAILED, now, fault)
        metrics.alerts_failed.inc()
        logger.error("Alert delivery %s was given up: %s", delivery.pk, fault)
        return
    _mine(delivery).update(reserved_until=None, next_attempt_at=next_attempt, last_error=fault)
    if delivery.attempts == 1:
        logger.warning("Alert delivery %s failed, will retry: %s", delivery.pk, fault)


def waiting_deliveries() -> int:
    """Return how many deliveries are not sent yet."""
    return AlertDelivery.objects.filter(state=DeliveryState.WAITING, next_attempt_at__isnull=False).count()


def delete_old(now: datetime) -> int:
    """Delete deliveries older than 90 days, the oldest of more than 5,000 in a workspace, and alerts with none."""
    old = AlertDelivery.objects.exclude(state=DeliveryState.WAITING)
    count = _delete(old.filter(created_at__lt=now - KEPT_FOR))
    for workspace in AlertDelivery.objects.order_by().values_list("workspace_id", flat=True).distinct():
        rows = old.filter(workspace_id=workspace)
        edge = rows.order_by("-pk").values_list("pk", flat=True)[MOST_KEPT : MOST_KEPT + 1].first()
        if edge is not None:
            count += _delete(rows.filter(pk__lte=edge))
    alerts = Alert.objects.filter(closed_at__lt=now - KEPT_FOR, deliveries=None)
    Alert.objects.filter(pk__in=list(alerts.values_list("pk", flat=True)[:_DELETED_AT_ONCE])).delete()
    return count


def _delete(rows: QuerySet[AlertDelivery]) -> int:
    """Delete the oldest 500 of `rows`; the rest is deleted by the next runs."""
    keys = list(rows.order_by("pk").values_list("pk", flat=True)[:_DELETED_AT_ONCE])
    return AlertDelivery.objects.filter(pk__in=keys).delete()[0]
