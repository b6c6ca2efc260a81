"""Where the worker processes of one server keep their counters, so that whichever is asked can add them up.

Kept apart from `metrics`, because the counters' library decides where it counts when it is first imported.
"""

import os
from pathlib import Path

FOLDER_VARIABLE = "PROMETHEUS_MULTIPROC_DIR"


def counters_share(folder: Path) -> None:
    """Let the processes that are started from here count in `folder`, from nothing."""
    folder.mkdir(mode=0o700, parents=True, exist_ok=True)
    for left in folder.glob("*.db"):
        left.unlink(missing_ok=True)
    os.environ[FOLDER_VARIABLE] = str(folder)


def process_ended(pid: int) -> None:
    """Count no more as waiting what a process that is gone was holding."""
    from prometheus_client.multiprocess import mark_process_dead

    mark_process_dead(pid)  # type: ignore[no-untyped-call]
