"""Destinations on either database, delivered to by hand and by a clock that a test turns."""

import threading
from collections.abc import Callable, Iterator
from contextlib import nullcontext
from dataclasses import dataclass, field, replace
from datetime import UTC, datetime, timedelta
from pathlib import Path
from typing import Any

import pytest
from django.db import transaction

from mcpbridge.audit.destinations.delivery import Delivery
from mcpbridge.audit.destinations.services import create_destination
from mcpbridge.audit.rows import append_rows, intent_row, outcome_row
from mcpbridge.models import AuditEvent, LogDestination
from mcpbridge.redaction.visible_text import MARK
from tests.call_records import OWNER, SUCCEEDED, a_call
from tests.databases import RecordDatabase

AWKWARD = 'Glöbex | a=b \\ "quoted" ] \n=1+1 \u202ertl 🧾'
# As the record keeps it: characters that hide others are marked.
AWKWARD_KEPT = AWKWARD.replace("\u202e", MARK)


@dataclass
class World:
    """A workspace's record, its destinations, and a process that delivers to them."""

    now: datetime = datetime(2026, 11, 25, 12, tzinfo=UTC)
    limit_s: float = 0.5
    secrets: dict[int, str] = field(default_factory=dict)

    def clock(self) -> datetime:
        return self.now

    def wait(self, **span: float) -> None:
        """Let time pass."""
        self.now += timedelta(**span)

    def write(self, rows: int = 2, *, org_id: str = "org-1", **more: Any) -> None:
        """Write destructive calls to the audit log, two rows each."""
        for _ in range(rows // 2):
            call = a_call(identity=replace(OWNER, org_id=org_id), **more)
            with transaction.atomic():
                append_rows(
                    "default", [intent_row(call, snapshot={"a": 1}, snapshot_fault=""), outcome_row(call, SUCCEEDED)]
                )

    def destination(
        self, address: str, *, kind: str = "webhook", format: str = "json", name: str = "SIEM", org_id: str = "org-1"
    ) -> LogDestination:
        """A destination that wants the record from its first row on."""
        destination, secret = create_destination(
            org_id=org_id, name=name, kind=kind, format=format, address=address, from_first_row=True, actor="ana"
        )
        self.secrets[destination.pk] = secret
        return destination

    def process(self, holder: str = "one") -> Delivery:
        """A process that delivers, by this world's clock."""
        return Delivery(holder, self.clock, nullcontext(), self.limit_s)

    def round(self, holder: str = "one") -> int:
        """What one process sends in one round; the rows that were confirmed."""
        process = self.process(holder)
        return sum(process.run(key) for key in process.due())

    def rows(self, org_id: str = "org-1") -> list[int]:
        found = AuditEvent.objects.filter(org_id=org_id).order_by("sequence")
        return list(found.values_list("sequence", flat=True))


@pytest.fixture
def world(database: RecordDatabase, settings: Any, tmp_path: Path) -> Iterator[World]:
    settings.LOG_DESTINATION_PRIVATE_NETWORKS = ["127.0.0.0/8"]
    settings.LOG_DESTINATION_FILES_DIR = tmp_path / "destinations"
    before = threading.enumerate()
    yield World()
    # A thread that a receiver kept waiting still says so in the database.
    for thread in threading.enumerate():
        if thread.name.startswith("log-destinations") and thread not in before:
            thread.join(30)


Fresh = Callable[[LogDestination], LogDestination]


@pytest.fixture
def fresh() -> Fresh:
    """A destination as the database has it now."""
    return lambda destination: LogDestination.objects.get(pk=destination.pk)
