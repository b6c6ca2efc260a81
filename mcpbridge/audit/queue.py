"""One row in the audit writer's queue, and how its waiters learn what became of it."""

import asyncio
import logging
from collections.abc import Sequence
from concurrent import futures
from dataclasses import dataclass

from mcpbridge.audit.rows import AuditRow

logger = logging.getLogger(__name__)


@dataclass(slots=True, eq=False)
class QueueEntry:
    """A queued row and the future of its caller, on an event loop or a thread."""

    row: AuditRow
    waiter: "asyncio.Future[bool] | futures.Future[bool] | None" = None
    is_claimed: bool = False
    is_dropped: bool = False
    is_doubtful: bool = False
    is_over_limit: bool = False


async def wait_for(waiter: asyncio.Future[bool], timeout_s: float) -> bool:
    """Return what became of the row; False after `timeout_s` seconds."""
    # A plain timer: asyncio.wait_for costs several times as much.
    late = waiter.get_loop().call_later(timeout_s, _resolve, [waiter], False)
    try:
        return await waiter
    finally:
        late.cancel()


def settle(entries: Sequence[QueueEntry], *, is_committed: bool) -> None:
    """Resolve the futures of `entries`, with one wake-up per event loop."""
    by_loop: dict[asyncio.AbstractEventLoop, list[asyncio.Future[bool]]] = {}
    for entry in entries:
        if isinstance(entry.waiter, asyncio.Future):
            by_loop.setdefault(entry.waiter.get_loop(), []).append(entry.waiter)
        elif entry.waiter is not None:
            entry.waiter.set_result(is_committed)
    for loop, waiters in by_loop.items():
        try:
            loop.call_soon_threadsafe(_resolve, waiters, is_committed)
        except RuntimeError:
            logger.debug("A caller's event loop closed before its audit row was settled.")


def _resolve(waiters: list[asyncio.Future[bool]], is_committed: bool) -> None:
    for waiter in waiters:
        if not waiter.done():
            waiter.set_result(is_committed)
