"""Stream the audit log of one workspace, after recording the export in it."""

import asyncio
import itertools
from collections.abc import AsyncIterator, Iterator
from dataclasses import dataclass

from asgiref.sync import sync_to_async
from django.db.models import QuerySet
from django.http import StreamingHttpResponse

from hoursmith_console.core.export_progress import ExportProgress
from hoursmith_console.workspaces.viewer import Viewer
from mcpbridge.audit.checkpoints import make_checkpoints
from mcpbridge.audit.console_events import record_event
from mcpbridge.audit.errors import SigningRefusedError
from mcpbridge.audit.export.formats import FORMATS
from mcpbridge.audit.export.source import Selection
from mcpbridge.models import AuditEvent

# Lines per switch from the database's thread to the event loop.
_LINES = 200


@dataclass(frozen=True, slots=True)
class Filtered:
    """Narrow entries to the calls and events on a filtered list, in every phase."""

    shown: "QuerySet[AuditEvent]"

    def __call__(self, rows: "QuerySet[AuditEvent]") -> "QuerySet[AuditEvent]":
        return rows.filter(call_id__in=self.shown.order_by().values("call_id"))


def record_export(*, org_id: str, org_name: str, actor: str, format: str, selection: Selection) -> None:
    """Record the export, and sign a checkpoint.

    Raises AuditUnavailableError; then nothing may be exported.
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
    except SigningRefusedError:
        # The last entries are then exported unsigned, which the verifier reports.
        return


def recorded_download(viewer: Viewer, selection: Selection, format: str, *, name: str) -> StreamingHttpResponse:
    """Return a download of `selection` as the file `name`, without its suffix, after recording the export.

    Raises AuditUnavailableError; then nothing may be exported.
    """
    record_export(
        org_id=viewer.org_id,
        org_name=viewer.member.workspace.name,
        actor=viewer.member.display_identity,
        format=format,
        selection=selection,
    )
    chosen, total = FORMATS[format], selection.events().order_by().count()
    return StreamingHttpResponse(
        export_lines(selection, format, ExportProgress(member=viewer.member, area="audit", total=total)),
        content_type=chosen.content_type,
        headers={"Content-Disposition": f'attachment; filename="{name}.{chosen.suffix}"', "X-Accel-Buffering": "no"},
    )


def export_lines(selection: Selection, format: str, progress: ExportProgress) -> AsyncIterator[bytes]:
    """Yield the export in parts, one of them in memory at a time."""
    return stream_parts(FORMATS[format].lines(selection), progress)


def stream_parts(lines: Iterator[bytes], progress: ExportProgress) -> AsyncIterator[bytes]:
    """Yield `lines` in parts of 200 without blocking the event loop, and track the progress."""
    return stream_counted(_parts(lines), progress)


async def stream_counted(parts: Iterator[tuple[int, bytes]], progress: ExportProgress) -> AsyncIterator[bytes]:
    """Yield the bytes of `parts` without blocking the event loop; the number of each is added to the progress."""
    # One thread for the whole stream: a database cursor stays on its thread.
    next_part, is_complete = sync_to_async(_next, thread_sensitive=True), False
    try:
        while (part := await next_part(parts)) is not None:
            number, made = part
            if made:
                yield made
            progress.count(number)
            if progress.is_due:
                await sync_to_async(progress.publish, thread_sensitive=False)()
            await asyncio.sleep(0)
        is_complete = True
    finally:
        await sync_to_async(progress.end, thread_sensitive=False)(is_complete=is_complete)


def _parts(lines: Iterator[bytes]) -> Iterator[tuple[int, bytes]]:
    while part := list(itertools.islice(lines, _LINES)):
        yield len(part), b"".join(part)


def _next(parts: Iterator[tuple[int, bytes]]) -> tuple[int, bytes] | None:
    return next(parts, None)
