"""A reload (SIGHUP) in which the old workers serve until the new ones do.

gunicorn stops the old workers as soon as it has forked the new ones, which leaves every caller waiting while these
load the application. Here the master runs both for that time:

1. `begin`, before the new workers are forked, raises the number of workers by that of the old ones.
2. `assign` tells each new worker which old ones it replaces; it stops them when it serves (`Worker.notify`).
3. `end_worker` lowers the number with each old worker that exits.

A new worker that cannot start is forked again, and the old ones serve on.
"""

from typing import Any


class RollingReload:
    """The reload that the master is in, or was in last."""

    def __init__(self) -> None:
        self._old: set[int] = set()
        self._share = 0

    def begin(self, server: Any) -> None:
        """Let the workers of `server` serve on beside those to come. For gunicorn's hook `on_reload`."""
        self._old = set(server.WORKERS)
        # Rounded up, so that the new workers replace all old ones where there were more of them.
        self._share = -(-len(self._old) // server.cfg.workers)
        server.num_workers += len(self._old)
        for worker in server.WORKERS.values():
            # Still older than every new one, but not one of those for whose exit `reload` waits, deaf to signals.
            worker.age = server.worker_age + 0.5

    def assign(self, server: Any, worker: Any) -> None:
        """Tell `worker` which old workers to stop when it serves. For gunicorn's hook `pre_fork`."""
        replaced = {pid for each in server.WORKERS.values() if each.pid not in self._old for pid in each.replaces}
        left = [pid for pid in server.WORKERS if pid in self._old - replaced]
        worker.replaces = left[: self._share]

    def end_worker(self, server: Any, worker: Any) -> None:
        """Run one worker less where `worker`, which exited, was an old one. For gunicorn's hook `child_exit`."""
        if worker.pid in self._old:
            self._old.remove(worker.pid)
            server.num_workers -= 1


rolling_reload = RollingReload()
