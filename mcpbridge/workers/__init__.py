"""Background jobs of a process, with one policy for failures."""

from mcpbridge.workers.attempts import AlreadyLoggedError, Attempts, overdue_jobs
from mcpbridge.workers.periodic import PeriodicTask, PeriodicWorker
from mcpbridge.workers.timetable import TimedJob, Timetable

__all__ = ["AlreadyLoggedError", "Attempts", "PeriodicTask", "PeriodicWorker", "TimedJob", "Timetable", "overdue_jobs"]
