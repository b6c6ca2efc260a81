"""Hands the record of one workspace out as a stream, once that is itself in the record."""

import asyncio
import itertools
from collections.abc import AsyncIterator, Iterator
from dataclasses import dataclass

from asgiref.sync import sync_to_async
from django.db.models import QuerySet

from hoursmith_console.core.export_progress import HandingOut
from mcpbridge.audit.checkpoints import make_checkpoints
from mcpbridge.audit.console_events import record_event
from mcpbridge.audit.export.formats import FORMATS
from mcpbridge.audit.export.source import Selection
from mcpbridge.audit.keyring import UnannouncedKeyError
from mcpbridge.models import AuditEvent

# A page's worth of lines for each crossing from the database's thread.
_LINES = 200


@dataclass(frozen=True, slots=True)
class Narrowed:
    """The rows of the calls and events that a list of the page showed, whatever phase they are of."""

    shown: "QuerySet[AuditEvent]"

    def __call__(self, rows: "QuerySet[AuditEvent]") -> "QuerySet[AuditEvent]":
        return rows.filter(call_id__in=self.shown.order_by().values("call_id"))


def export_record(*, org_id: str, org_name: str, actor: str, format: str, selection: Selection) -> None:
    """Write down that the record is handed out, and sign where it then stands.

    Raises AuditUnavailableError; then nothing must be handed out.
    """
    record_event(
        org_id=org_id,
        org_name=org_name,
        action="console.export",
        actor=actor,
        target_type="audit_record",
        details={"format": format, **selection.filters},
    )
    try:
        make_checkpoints(reason="demand", org_id=org_id)
    except UnannouncedKeyError:
        # The last rows then go out unsigned, which the verifier says.
        return


def export_lines(selection: Selection, format: str, handing_out: HandingOut) -> AsyncIterator[bytes]:
    """The export in parts; only one of them is in memory."""
    return in_parts(FORMATS[format].lines(selection), handing_out)


async def in_parts(lines: Iterator[bytes], handing_out: HandingOut) -> AsyncIterator[bytes]:
    """`lines` a page's worth at a time, made without holding up the event loop."""
    # One thread for the whole stream, for a database cursor stays on its thread.
    next_part, is_whole = sync_to_async(_part, thread_sensitive=True), False
    try:
        while part := await next_part(lines):
            yield b"".join(part)
            handing_out.count(len(part))
            if handing_out.is_due:
                await sync_to_async(handing_out.say, thread_sensitive=False)()
            await asyncio.sleep(0)
        is_whole = True
    finally:
        await sync_to_async(handing_out.end, thread_sensitive=False)(is_whole=is_whole)


def _part(lines: Iterator[bytes]) -> list[bytes]:
    return list(itertools.islice(lines, _LINES))
