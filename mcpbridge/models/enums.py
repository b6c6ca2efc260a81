"""Enumerations that several tables use."""

from django.db import models


class CallKind(models.TextChoices):
    """The kind of a call: what its tool does to the workspace."""

    READ = "read"
    WRITE = "write"
    DESTRUCTIVE = "destructive"
    # Not a tool call: an event of the console.
    CONSOLE = "console"


TOOL_KINDS = (CallKind.READ, CallKind.WRITE, CallKind.DESTRUCTIVE)


class Result(models.TextChoices):
    """How a call ended, as far as is known."""

    SUCCEEDED = "succeeded"
    REFUSED = "refused"
    FAILED = "failed"
    UNKNOWN = "unknown"


class AuditPhase(models.TextChoices):
    """The phase of a call or event that an audit row records."""

    INTENT = "intent"
    OUTCOME = "outcome"
    # Written later: no outcome was stored; then, if any, what a member found out.
    UNKNOWN = "unknown"
    RESOLUTION = "resolution"
    # A console action is one row.
    EVENT = "event"
