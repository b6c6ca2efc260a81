"""What can be wrong with a delivery.

SinkError                   the text is fit for a page, and never holds a secret
├── UndeliveredError        the receiver did not confirm; the rows stay and are sent again
│   └── TooLargeError       it asked for less at once
└── UnfitSinkError          an address, name or number that is not accepted; nothing was changed
"""

from datetime import datetime


class SinkError(Exception):
    """Something about a sink that a person should read."""


class UndeliveredError(SinkError):
    """Rows were not confirmed. `not_before` is when the receiver wants to be asked again, where it said so."""

    def __init__(self, text: str, *, not_before: datetime | None = None) -> None:
        super().__init__(text)
        self.not_before = not_before


class TooLargeError(UndeliveredError):
    """The receiver takes less at once than it was sent."""


class UnfitSinkError(SinkError):
    """What a person asked for cannot be; `field` names the part of it that is wrong."""

    def __init__(self, text: str, *, field: str = "") -> None:
        super().__init__(text)
        self.field = field
