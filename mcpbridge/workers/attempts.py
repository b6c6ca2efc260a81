"""Policy for background jobs: catch all errors, log each once, back off, count, and report overdue jobs."""

import logging
import re
import time
from collections.abc import Awaitable, Callable

from django.db import Error

from mcpbridge.db.reasons import plain_reason
from mcpbridge.observability import metrics

logger = logging.getLogger(__name__)

# A lasting error is logged again after this time.
LOG_AGAIN_S = 3600.0
# A job is overdue without success for this many periods and at least this many seconds.
_OVERDUE_PERIODS = 5
_OVERDUE_S = 30.0
# A job on demand that failed is not tried again without a demand, so its last failure says little after this time.
_FAULT_HOLDS_S = 300.0
_FAULTS_REMEMBERED = 50
_running: "dict[int, Attempts]" = {}


class AlreadyLoggedError(Exception):
    """Raised by a job that failed and has logged the error; it is counted and retried. Its text is the reason."""


class Attempts:
    """Runs one job and keeps its state. Used by one thread or event loop at a time."""

    def __init__(
        self,
        job: str,
        *,
        title: str,
        every_s: float,
        again_s: float | None = None,
        longest_pause_s: float = 10.0,
        expected: tuple[type[Exception], ...] = (),
        is_on_demand: bool = False,
    ) -> None:
        """Run the job every `every_s` seconds, or on demand; retry a failure after `again_s`, then with backoff.

        `job` is the label in metrics, `title` the beginning of log lines. Database and operating system errors and
        `expected` ones are logged without a traceback.
        """
        self.job = job
        self._title = title
        self._every_s = every_s
        self._again_s = every_s if again_s is None else again_s
        self._longest_pause_s = max(longest_pause_s, self._again_s)
        self._expected: tuple[type[Exception], ...] = (Error, OSError, *expected)
        self._is_on_demand = is_on_demand
        self._logged: dict[str, float] = {}
        self._succeeded_at = self._failed_at = time.monotonic()
        self._fault = ""
        self.pause_s = every_s

    def begin(self) -> None:
        """Register the job as running in this process."""
        self._succeeded_at = time.monotonic()
        metrics.register_background_job(self.job, is_timed=not self._is_on_demand)
        _running[id(self)] = self

    def end(self) -> None:
        """Unregister the job."""
        _running.pop(id(self), None)

    def run(self, work: Callable[[], object]) -> bool:
        """Run `work` and return whether it succeeded; never raise. Work that returns False has more to do soon."""
        try:
            is_done = work() is not False
        except Exception as error:
            self._failed(error)
            return False
        self._succeeded(is_done)
        return True

    async def run_async(self, work: Callable[[], Awaitable[object]]) -> bool:
        """Await `work` in the same way; cancellation is passed on."""
        try:
            is_done = await work() is not False
        except Exception as error:
            self._failed(error)
            return False
        self._succeeded(is_done)
        return True

    def overdue(self) -> str:
        """Return a text for operators about how long the job has failed and why; empty while it is on time."""
        if self._is_on_demand and (not self._fault or time.monotonic() - self._failed_at > _FAULT_HOLDS_S):
            return ""
        since_s = time.monotonic() - self._succeeded_at
        if since_s <= max(_OVERDUE_S, _OVERDUE_PERIODS * self._every_s):
            return ""
        return f"No success for {since_s:.0f} s" + (f" ({self._fault})." if self._fault else ".")

    def _succeeded(self, is_done: bool) -> None:
        if self._logged or self._fault:
            self._logged, self._fault = {}, ""
            logger.warning("%s: working again.", self._title)
        self._succeeded_at = time.monotonic()
        self.pause_s = self._every_s if is_done else self._again_s
        metrics.count_background_run(self.job, is_success=True, is_timed=not self._is_on_demand)

    def _failed(self, error: Exception) -> None:
        self._failed_at = time.monotonic()
        is_first, self._fault = not self._fault, _reason(error)
        self.pause_s = self._again_s if is_first else min(max(2 * self.pause_s, 0.1), self._longest_pause_s)
        metrics.count_background_run(self.job, is_success=False, is_timed=False)
        if isinstance(error, AlreadyLoggedError):
            return
        fault = f"{type(error).__name__}: {error}"
        # Ports and process ids differ between occurrences of the same error.
        key = re.sub(r"\d+", "0", fault)
        if time.monotonic() - self._logged.get(key, float("-inf")) < LOG_AGAIN_S:
            return
        if len(self._logged) >= _FAULTS_REMEMBERED:
            self._logged.clear()
        self._logged[key] = time.monotonic()
        if isinstance(error, self._expected):
            logger.error("%s: failed, will retry. %s", self._title, fault)
        else:
            logger.error("%s failed.", self._title, exc_info=error)


def _reason(error: Exception) -> str:
    if isinstance(error, AlreadyLoggedError):
        return str(error) or "see the log"
    return plain_reason(error)


def overdue_jobs() -> dict[str, str]:
    """Return the overdue jobs of this process with their text."""
    return {each.job: text for each in list(_running.values()) if (text := each.overdue())}
