"""Serve `/metrics` to monitoring only.

Source: Prometheus exposition format 0.0.4; RFC 6750 for the optional bearer token.
"""

import asyncio
import hmac
import logging
import os
import time
from collections.abc import Awaitable, Callable, Iterator, Mapping
from concurrent.futures import Future, ThreadPoolExecutor, wait
from datetime import timedelta
from typing import Any

from django.conf import settings
from django.db import Error, router
from django.http.request import split_domain_port
from django.utils import timezone
from prometheus_client import CONTENT_TYPE_LATEST, REGISTRY, CollectorRegistry, generate_latest
from prometheus_client.core import GaugeMetricFamily
from prometheus_client.multiprocess import MultiProcessCollector
from prometheus_client.registry import Collector

from hoursmith_console.alerts.sending import waiting_deliveries
from hoursmith_console.audit.calls import unresolved
from hoursmith_console.env import is_address
from hoursmith_console.server.prometheus import SHARED_VARIABLE
from hoursmith_console.workspaces.sync_age import count_overdue_syncs
from mcpbridge.audit.destinations.status import DestinationState, all_destination_statuses
from mcpbridge.audit.heads import chain_statuses
from mcpbridge.audit.witnesses.config import configured_witnesses
from mcpbridge.core.networks import is_within, parse_networks
from mcpbridge.db.timeouts import bounded_read, drop_connection, use_own_connection
from mcpbridge.http.addresses import AllowedHosts
from mcpbridge.http.headers import plain_headers
from mcpbridge.models import AuditEvent, WitnessStatus

logger = logging.getLogger(__name__)

LIMIT_S = 2.0
ANSWER_WITHIN_S = 1.0
REMEMBER_S = 10.0
UNSETTLED_FOR = timedelta(days=30)


class Record(Collector):
    """The state of the audit log, read from the database at most every ten seconds.

    A database that does not respond within a second counts as down, so that monitoring, which gives up after a few
    seconds, gets all other metrics; its response is used at the next request.
    """

    def __init__(self) -> None:
        self._reader = ThreadPoolExecutor(1, "metrics-database")
        self._reading: Future[dict[str, float]] | None = None
        self._read_at = float("-inf")
        self._found: dict[str, float] = {}

    def collect(self) -> Iterator[GaugeMetricFamily]:
        for name, value in self._current().items():
            yield GaugeMetricFamily(name, HELP[name], value=value)

    def _current(self) -> dict[str, float]:
        if self._reading is None and time.monotonic() - self._read_at > REMEMBER_S:
            self._reading = self._reader.submit(_look)
        if self._reading is not None:
            if wait([self._reading], ANSWER_WITHIN_S).not_done:
                return {"hoursmith_database_up": 0}
            self._found, self._read_at = self._reading.result(), time.monotonic()
            self._reading = None
        return self._found


HELP = {
    "hoursmith_database_up": "1 if the database answers, else 0.",
    "hoursmith_audit_unsettled_calls": "Destructive calls of the last 30 days with an unresolved unknown outcome.",
    "hoursmith_audit_checkpoint_age_seconds": "Age of the latest checkpoint, of the workspace where it is oldest.",
    "hoursmith_audit_failing_destinations": "Log destinations whose last attempt failed and that keep retrying.",
    "hoursmith_audit_destination_rows_behind": "Audit rows not acknowledged by log destinations, paused ones included.",
    "hoursmith_alerts_waiting": "Alerts that are not sent yet, those that are retried included.",
    "hoursmith_audit_anchored": "0 if AUDIT_ANCHOR is none: nothing outside the database holds the audit logs.",
    "hoursmith_audit_uncosigned_logs": "Audit logs whose last submitted checkpoint a witness did not cosign.",
    "hoursmith_members_sync_overdue": "Workspaces whose members were not compared with Hoursmith in time.",
    "hoursmith_audit_unsigned_rows": "Audit rows after the last checkpoint of their workspace, in total.",
}


def _look() -> dict[str, float]:
    alias = router.db_for_read(AuditEvent)
    now = timezone.now()
    # Not from the pages' pool, which they may have used up.
    use_own_connection(alias, limit_s=LIMIT_S)
    try:
        with bounded_read(alias, limit_s=LIMIT_S):
            chains = chain_statuses(alias)
            destinations = all_destination_statuses()
            witnesses = [witness.name for witness in configured_witnesses()]
            statuses = WitnessStatus.objects.using(alias).filter(witness__in=witnesses)
            uncosigned = statuses.exclude(refusal="").count()
            overdue = count_overdue_syncs(alias)
            open_calls = unresolved(AuditEvent.objects.all(), now - UNSETTLED_FOR).count()
    except Error as error:
        logger.warning("The record's numbers could not be read: %s", type(error).__name__)
        return {"hoursmith_database_up": 0}
    else:
        alerts = _alerts_waiting(alias)
    finally:
        drop_connection(alias)
    ages = [(now - chain.signed_at).total_seconds() for chain in chains if chain.signed_at is not None]
    return {
        "hoursmith_database_up": 1,
        **alerts,
        "hoursmith_audit_unsettled_calls": open_calls,
        "hoursmith_audit_checkpoint_age_seconds": max(ages, default=0),
        "hoursmith_audit_failing_destinations": sum(each.state == DestinationState.FAILING for each in destinations),
        "hoursmith_audit_destination_rows_behind": sum(each.behind for each in destinations),
        "hoursmith_audit_anchored": settings.AUDIT_ANCHOR != "none",
        "hoursmith_audit_uncosigned_logs": uncosigned,
        "hoursmith_members_sync_overdue": overdue,
        "hoursmith_audit_unsigned_rows": sum(chain.sequence - chain.signed for chain in chains),
    }


def _alerts_waiting(alias: str) -> dict[str, float]:
    """Return the number of alerts to send; nothing where it cannot be read, which leaves the others readable."""
    try:
        with bounded_read(alias, limit_s=LIMIT_S):
            return {"hoursmith_alerts_waiting": waiting_deliveries()}
    except Error as error:
        logger.warning("The number of waiting alerts could not be read: %s", type(error).__name__)
        return {}


class Metrics:
    """The ASGI application of `/metrics`; answers 404 to all requests that are not from monitoring.

    Monitoring sends METRICS_TOKEN or, if none is set, requests directly from METRICS_NETWORKS.
    """

    def __init__(self) -> None:
        self._record = Record()
        # One thread of its own: monitoring must see what is wrong while other requests wait for the database.
        self._thread = ThreadPoolExecutor(1, "metrics")
        self._networks = parse_networks(settings.METRICS_NETWORKS)
        self._audience = AllowedHosts(settings.ALLOWED_HOSTS)

    async def __call__(
        self,
        scope: Mapping[str, Any],
        receive: Callable[[], Awaitable[Mapping[str, Any]]],
        send: Callable[[Mapping[str, Any]], Awaitable[None]],
    ) -> None:
        if scope["method"] in ("GET", "HEAD") and self._is_monitoring(scope):
            status, body = 200, await asyncio.get_running_loop().run_in_executor(self._thread, self._text)
        else:
            status, body = 404, b"Not found.\n"
        headers = [
            (b"content-type", (CONTENT_TYPE_LATEST if status == 200 else "text/plain; charset=utf-8").encode()),
            (b"content-length", str(len(body)).encode()),
            *plain_headers(),
        ]
        await send({"type": "http.response.start", "status": status, "headers": headers})
        await send({"type": "http.response.body", "body": b"" if scope["method"] == "HEAD" else body})

    def _is_monitoring(self, scope: Mapping[str, Any]) -> bool:
        headers = dict(scope["headers"])
        if settings.METRICS_TOKEN:
            wanted = f"Bearer {settings.METRICS_TOKEN}".encode()
            return hmac.compare_digest(headers.get(b"authorization", b""), wanted)
        # What a proxy passes on comes from anywhere, whatever the address of the proxy.
        if headers.keys() & {b"x-forwarded-for", b"forwarded", b"x-real-ip", b"via"}:
            return False
        # A web page that had its own name led to this machine would ask from here (DNS rebinding), but by that name.
        host = headers.get(b"host", b"").decode("latin-1")
        if not self._audience.allows_host(host) and not is_address(split_domain_port(host)[0]):
            return False
        peer = scope.get("client")
        return peer is not None and is_within(peer[0], self._networks)

    def _text(self) -> bytes:
        registry = REGISTRY
        if folder := os.environ.get(SHARED_VARIABLE):
            registry = CollectorRegistry()
            MultiProcessCollector(registry, path=folder)  # type: ignore[no-untyped-call]
        own = CollectorRegistry()
        own.register(self._record)
        return generate_latest(registry) + generate_latest(own)
