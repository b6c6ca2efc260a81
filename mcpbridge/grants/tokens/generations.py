"""Rotate refresh envelopes, and tell a copy of an old one from a client that asks in bursts.

OAuth 2.1 section 4.3.1 asks for rotation with detection of re-use. Clients refresh several times at once, from several
processes, and lose answers. So an envelope's generation is good for a while after it was replaced.
"""

from datetime import datetime, timedelta
from typing import NamedTuple

# Bursts of parallel refreshes of one client were seen to last up to 76 seconds.
GRACE = timedelta(seconds=120)
# How far the clocks of two machines may differ.
_SKEW = timedelta(seconds=60)


class Step(NamedTuple):
    """The generation of the next envelope, and when it replaced the one before."""

    generation: int
    rotated_at: datetime


def next_step(current: Step, presented: int, *, now: datetime) -> Step | None:
    """Return the step after a refresh with generation `presented`; None if only a copy can have asked.

    The current generation is replaced unless it is new; the one before is good as long as the current one is new.
    """
    is_new = -_SKEW <= now - current.rotated_at <= GRACE
    if presented == current.generation:
        return current if is_new else Step(current.generation + 1, now)
    return current if is_new and presented == current.generation - 1 else None
