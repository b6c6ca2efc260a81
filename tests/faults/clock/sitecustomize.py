"""Read by Python at its start, where the clock is libfaketime's: it breaks the system call that `time.sleep` makes."""

import select
import time


def _sleep(seconds: float) -> None:
    select.select([], [], [], seconds)


time.sleep = _sleep
