"""Keep the counters of one server's worker processes in one folder, so that any worker can add them up.

Kept apart from `metrics`, because the counters' library decides where it counts when it is first imported.
"""

import logging
import os
from pathlib import Path

logger = logging.getLogger(__name__)

# What our counters fill, many times over. More than the library takes at first, so that no file ever grows.
_BYTES = 256 * 1024
_KINDS = ("counter", "gauge_livemax", "gauge_livemin", "gauge_livesum", "histogram")
FOLDER_VARIABLE = "PROMETHEUS_MULTIPROC_DIR"
# The same folder, also in a worker that cannot count there: it reports what the others count, as they do.
SHARED_VARIABLE = "HOURSMITH_COUNTERS_DIR"


def share_counters(folder: Path) -> None:
    """Let the processes that are started from here count in `folder`, from zero."""
    folder.mkdir(mode=0o700, parents=True, exist_ok=True)
    for left in (*folder.glob("*.db"), *folder.glob("*.part")):
        left.unlink(missing_ok=True)
    os.environ[FOLDER_VARIABLE] = os.environ[SHARED_VARIABLE] = str(folder)


def reserve_counters(pid: int) -> None:
    """Reserve disk space for what this process, `pid`, counts; without space it counts in memory.

    Writing to a mapped file for which a full disk has no room would end the process without a word.
    """
    paths = [Path(os.environ[FOLDER_VARIABLE]) / f"{kind}_{pid}.db" for kind in _KINDS]
    try:
        for path in paths:
            # Under its name only when it is whole: another process may be reading it.
            part = path.with_suffix(".part")
            part.write_bytes(bytes(_BYTES))
            part.replace(path)
    except OSError as error:
        logger.warning("Monitoring does not see what process %d counts: %s", pid, error.strerror)
        for path in paths:
            path.with_suffix(".part").unlink(missing_ok=True)
            path.unlink(missing_ok=True)
        del os.environ[FOLDER_VARIABLE]


def discard_gauges(pid: int) -> None:
    """Remove the gauges of the process `pid`, which exited."""
    # As the library's `mark_process_dead`, without loading it in the master, whose later workers would have it loaded.
    for path in Path(os.environ[FOLDER_VARIABLE]).glob(f"gauge_live*_{pid}.db"):
        path.unlink(missing_ok=True)
