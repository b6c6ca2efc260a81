"""Progress of the demo, in the shared cache, so that every worker can show it. Times in Unix seconds, of real time."""

import time
from dataclasses import asdict, dataclass

from django.core.cache import cache

# Longer than the two weeks that are played: the player's clock decides when a value expires.
_KEPT_S = 400 * 24 * 3600
_LOST_AFTER_S = 60.0


@dataclass(slots=True)
class DemoState:
    """One run: `done` of `total` steps, and the calls made so far. `ending` is empty until it ends."""

    total: int = 0
    done: int = 0
    calls: int = 0
    started_at: float = 0.0
    published_at: float = 0.0
    ending: str = ""

    @property
    def is_running(self) -> bool:
        """Whether it is in progress."""
        return not self.ending and time.time() - self.published_at < _LOST_AFTER_S

    @property
    def has_failed(self) -> bool:
        """Whether the player ended early."""
        return not self.is_running and self.ending != "complete"


def begin(org_id: str) -> bool:
    """Claim the run for one player; return False if one is playing."""
    now = time.time()
    state = asdict(DemoState(started_at=now, published_at=now))
    if cache.add(_key(org_id), state, _KEPT_S):
        return True
    if (before := demo_state(org_id)) is not None and before.is_running:
        return False
    cache.set(_key(org_id), state, _KEPT_S)
    return True


def publish(org_id: str, state: DemoState) -> None:
    """Publish the progress."""
    state.published_at = time.time()
    cache.set(_key(org_id), asdict(state), _KEPT_S)


def demo_state(org_id: str) -> DemoState | None:
    """Return the last run, if any."""
    kept = cache.get(_key(org_id))
    return DemoState(**kept) if kept else None


def _key(org_id: str) -> str:
    return f"demo:{org_id}"
