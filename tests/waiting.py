"""Wait for what another thread or process brings about."""

import asyncio
import time
from collections.abc import Callable
from typing import Any


def eventually(look: Callable[[], Any], seconds: float = 20, *, told: Callable[[], object] = lambda: "") -> Any:
    """Return what `look` finds once it finds something; fail with what is `told` after so many seconds."""
    until = time.monotonic() + seconds
    while not (found := look()):
        assert time.monotonic() < until, told()
        time.sleep(0.02)
    return found


async def eventually_async(look: Callable[[], Any], seconds: float = 20) -> None:
    """Return once `look` finds something, leaving the event loop to others meanwhile."""
    until = time.monotonic() + seconds
    while not look():
        assert time.monotonic() < until
        await asyncio.sleep(0.01)
