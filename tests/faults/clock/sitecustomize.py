"""Read by Python at its start, where the clock is libfaketime's: it breaks the system call that `time.sleep` makes."""

import select
import time
from typing import SupportsIndex


def _sleep(seconds: float | SupportsIndex, /) -> None:
    select.select([], [], [], float(seconds))


time.sleep = _sleep
