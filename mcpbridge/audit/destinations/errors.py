"""Errors of log destinations.

DestinationError              the text may be shown to users and never contains a secret
├── UndeliveredError          the receiver did not acknowledge; the rows are kept and sent again
│   └── TooLargeError         the receiver asked for a smaller batch
├── RefusedTargetError        the address must not be called (`targets`)
└── InvalidDestinationError   an invalid address, name or number; nothing was changed
"""

from datetime import datetime


class DestinationError(Exception):
    """An error whose text may be shown to users."""


class UndeliveredError(DestinationError):
    """Rows were not acknowledged. `not_before` is the time of the receiver's Retry-After, if it sent one."""

    def __init__(self, text: str, *, not_before: datetime | None = None) -> None:
        super().__init__(text)
        self.not_before = not_before


class TooLargeError(UndeliveredError):
    """The batch exceeds the size that the receiver accepts."""


class InvalidDestinationError(DestinationError):
    """Invalid input for a destination; `field` names the form field."""

    def __init__(self, text: str, *, field: str = "") -> None:
        super().__init__(text)
        self.field = field
