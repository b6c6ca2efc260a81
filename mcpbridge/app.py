"""Build the parts of the bridge from the settings, and start and stop them; once per process."""

import asyncio
import gc
from collections.abc import Callable
from pathlib import Path

from django.conf import settings
from django.db import connections

from mcpbridge.activity.recorder import ActivityRecorder
from mcpbridge.audit.console_events import set_audit_writer
from mcpbridge.audit.destinations.alarms import AlarmSender
from mcpbridge.audit.destinations.dispatcher import Dispatcher
from mcpbridge.audit.witnesses.submission import WitnessSubmitter
from mcpbridge.audit.writer import AuditWriter
from mcpbridge.auth.accepted_tokens import AcceptedTokens
from mcpbridge.auth.identity import IdentityCache
from mcpbridge.auth.rejected_tokens import RejectedTokens
from mcpbridge.auth.restrictions.polling import restriction_store
from mcpbridge.calls.approvals.gate import ApprovalGate
from mcpbridge.calls.service import ToolCallService
from mcpbridge.http.addresses import AllowedHosts
from mcpbridge.http.endpoint import McpHttpApp
from mcpbridge.maintenance import MaintenanceThread
from mcpbridge.protocol.server import Catalogue, HoursmithTools, build_server, context_from
from mcpbridge.upstream import Upstream

# How long deliveries wait at the end for the last checkpoints.
_LAST_CHECKPOINTS_S = 5.0


class Bridge:
    """The parts of the bridge. `start` and `stop` are called by the serving process."""

    def __init__(
        self, upstream: Upstream, *, catalogue: Callable[[ToolCallService], Catalogue] = HoursmithTools
    ) -> None:
        self.upstream = upstream
        self.restrictions = restriction_store()
        self.activity = ActivityRecorder(folder=Path(settings.VAR_DIR) / "activity")
        self.audit = AuditWriter(timeout_s=settings.AUDIT_WRITE_TIMEOUT_MS / 1000, lock_path=_lock_path())
        self.maintenance = MaintenanceThread(self.audit, lock_path=_lock_path())
        self.dispatcher = Dispatcher(lock_path=_lock_path())
        self.alarms = AlarmSender()
        self.witnesses = WitnessSubmitter(lock_path=_lock_path())
        self.rejected_tokens = RejectedTokens(Path(settings.VAR_DIR) / "refusals", workers=settings.WEB_CONCURRENCY)
        self.accepted = AcceptedTokens()
        self.identities = IdentityCache(
            upstream,
            self.rejected_tokens,
            was_accepted=self.accepted.has,
            ttl_s=settings.IDENTITY_TTL_S,
        )
        self.approvals = ApprovalGate(self.restrictions, limit_s=settings.AUDIT_WRITE_TIMEOUT_MS / 1000)
        self.calls = ToolCallService(
            upstream=upstream,
            identities=self.identities,
            audit=self.audit,
            activity=self.activity,
            restrictions=self.restrictions,
            approvals=self.approvals,
            snapshots=settings.AUDIT_SNAPSHOTS,
            arguments=settings.ACTIVITY_ARGUMENTS,
        )
        self.catalogue = catalogue(self.calls)
        self.http = McpHttpApp(
            server=build_server(self.catalogue, context_from),
            identities=self.identities,
            restrictions=self.restrictions,
            activity=self.activity,
            audience=AllowedHosts(settings.ALLOWED_HOSTS),
        )

    async def start(self) -> None:
        await self.restrictions.start()
        self.audit.start()
        set_audit_writer(self.audit)
        self.activity.start()
        self.maintenance.start()
        self.dispatcher.start()
        self.alarms.start()
        self.witnesses.start()
        # Loaded modules stay: excluding them from garbage collection avoids long pauses under load.
        gc.collect()
        gc.freeze()
        gc.set_threshold(10_000, 20, 50)

    async def stop(self) -> None:
        """Wait for the calls in flight, write their rows, then close everything."""
        await self.calls.drain()
        set_audit_writer(None)
        await self.audit.stop()
        # At the same time: each waits if the database is unavailable, and the server does not wait forever.
        await asyncio.gather(
            self._stop_signing(),
            self.alarms.stop(),
            self.witnesses.stop(),
            self.activity.stop(),
            self.restrictions.stop(),
        )
        self.approvals.close()
        self.accepted.close()
        self.rejected_tokens.close()
        await self.upstream.aclose()

    async def _stop_signing(self) -> None:
        """Stop maintenance, and then deliveries, so that the last checkpoints leave, too."""
        signing = asyncio.ensure_future(self.maintenance.stop())
        await asyncio.wait([signing], timeout=_LAST_CHECKPOINTS_S)
        await asyncio.gather(signing, self.dispatcher.stop())


def _lock_path() -> Path | None:
    """Return the file through which the audit writers of all processes take turns; None on PostgreSQL."""
    connection = connections["default"]
    if connection.vendor != "sqlite":
        return None
    return Path(f"{connection.settings_dict['NAME']}.audit-lock")
