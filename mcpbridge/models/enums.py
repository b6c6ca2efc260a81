"""What calls are, how they end, and who answers for them: the words that several tables use."""

from django.db import models


class Kind(models.TextChoices):
    """What a tool does to the workspace."""

    READ = "read"
    WRITE = "write"
    DESTRUCTIVE = "destructive"
    # Not a tool's: what a person did in the console, or the console by itself.
    CONSOLE = "console"


TOOL_KINDS = (Kind.READ, Kind.WRITE, Kind.DESTRUCTIVE)


class Result(models.TextChoices):
    """How a call ended, as far as the bridge knows."""

    SUCCEEDED = "succeeded"
    REFUSED = "refused"
    FAILED = "failed"
    UNKNOWN = "unknown"


class Phase(models.TextChoices):
    """Which part of its story an audit row tells."""

    INTENT = "intent"
    OUTCOME = "outcome"
    # Found later: no outcome came. Then, perhaps, what a person found out about it.
    UNKNOWN = "unknown"
    RESOLUTION = "resolution"
    # A console action is one row.
    EVENT = "event"
