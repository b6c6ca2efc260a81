"""Puts the parts of the bridge together, from the settings, once for a process."""

import asyncio
import gc
from collections.abc import Callable
from pathlib import Path

from django.conf import settings
from django.db import connections

from mcpbridge.activity.recorder import ActivityRecorder
from mcpbridge.audit.console_events import set_audit_writer
from mcpbridge.audit.destinations.dispatcher import Dispatcher
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


class Bridge:
    """The running parts. `start` and `stop` belong to the process that serves."""

    def __init__(
        self, upstream: Upstream, *, catalogue: Callable[[ToolCallService], Catalogue] = HoursmithTools
    ) -> None:
        self.upstream = upstream
        self.restrictions = restriction_store()
        self.activity = ActivityRecorder(folder=Path(settings.VAR_DIR) / "activity")
        self.audit = AuditWriter(timeout_s=settings.AUDIT_WRITE_TIMEOUT_MS / 1000, lock_path=_lock_path())
        self.maintenance = MaintenanceThread(self.audit, lock_path=_lock_path())
        self.dispatcher = Dispatcher(lock_path=_lock_path())
        self.refusals = RejectedTokens(Path(settings.VAR_DIR) / "refusals", workers=settings.WEB_CONCURRENCY)
        self.accepted = AcceptedTokens()
        self.identities = IdentityCache(
            upstream,
            self.refusals,
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
        # What is loaded by now stays: keeping the collector off it takes the long pauses away under load.
        gc.collect()
        gc.freeze()
        gc.set_threshold(10_000, 20, 50)

    async def stop(self) -> None:
        """Let the calls under way end, then write what they left, then close."""
        await self.calls.drain()
        set_audit_writer(None)
        await self.audit.stop()
        # Side by side: each waits for the database where that is away, and the server does not wait for ever.
        await asyncio.gather(
            self.maintenance.stop(), self.dispatcher.stop(), self.activity.stop(), self.restrictions.stop()
        )
        self.approvals.close()
        self.accepted.close()
        self.refusals.close()
        await self.upstream.aclose()


def _lock_path() -> Path | None:
    """Where the audit writers of all processes queue; PostgreSQL queues by itself."""
    connection = connections["default"]
    if connection.vendor != "sqlite":
        return None
    return Path(f"{connection.settings_dict['NAME']}.audit-lock")
